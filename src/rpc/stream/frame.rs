//! A frame that grows with its turn.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{format::Frame, model::call::Series};

/// What a bundle repeats of its turn: filled by who reads the turn, and taken by who
/// writes the bundle. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::rpc) struct SharedFrame(Arc<Mutex<Frame>>);

impl SharedFrame {
    /// The tool that the model means by a name.
    pub(in crate::rpc) fn tool(&self, written: &str) -> Arc<str> {
        self.locked().tool(written).into()
    }

    /// Takes in the block of the next call, empty where there is nothing to repeat;
    /// gives whose order the call keeps.
    pub(in crate::rpc) fn push(&self, block: &str) -> Option<Series> {
        let mut frame = self.locked();
        if block.is_empty() {
            frame.push(None);
            return None;
        }
        frame.begin(block)
    }

    /// All of it.
    pub(super) fn take(&self) -> Frame {
        std::mem::take(&mut *self.locked())
    }

    fn locked(&self) -> MutexGuard<'_, Frame> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Frame> for SharedFrame {
    fn from(frame: Frame) -> Self {
        Self(Arc::new(Mutex::new(frame)))
    }
}
