//! A frame that grows with its turn.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{format::Frame, model::call::Series};

/// What a bundle repeats of its turn: filled by who reads the turn, and taken by who
/// writes the bundle. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::rpc) struct SharedFrame(Arc<Mutex<Frame>>);

impl SharedFrame {
    /// Takes in the block of the next call, empty where there is nothing to repeat;
    /// gives whose order the call keeps.
    pub(in crate::rpc) fn push(&self, block: &str) -> Option<Series> {
        let mut frame = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if block.is_empty() {
            frame.push(None);
            return None;
        }
        frame.begin(block)
    }

    /// All of it.
    pub(super) fn take(&self) -> Frame {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<Frame> for SharedFrame {
    fn from(frame: Frame) -> Self {
        Self(Arc::new(Mutex::new(frame)))
    }
}
