//! A frame that grows with its turn.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    format::Frame,
    model::{CallId, call::Series},
};

/// What a bundle repeats of its turn: filled by who reads the turn, and taken by who
/// writes the bundle. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::rpc) struct SharedFrame(Arc<Mutex<Frame>>);

impl SharedFrame {
    /// The tool that the model means by a name.
    pub(in crate::rpc) fn tool(&self, written: &str) -> Arc<str> {
        self.locked().tool(written).into()
    }

    /// Takes in the next call: the id and the block as they came, each empty where
    /// there is none. Gives the id by which it is known here and whose order it keeps,
    /// or what is wrong with its id.
    pub(in crate::rpc) fn begin(
        &self,
        written: &str,
        block: &str,
    ) -> Result<(CallId, Option<Series>), String> {
        self.locked().begin(written, block)
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
