//! The wire. Generated types and `tonic::Status` stop here.

use std::num::NonZeroUsize;

pub mod listen;

/// The sizes of the wire.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Most bytes of a message that the server sends; larger results and bundles
    /// travel in parts. At least [`MESSAGE_BYTES_MIN`](Self::MESSAGE_BYTES_MIN).
    pub message_bytes_max: NonZeroUsize,
}

impl Settings {
    /// Below this, ids and messages alone could fill a message.
    pub const MESSAGE_BYTES_MIN: usize = 64 << 10;
}

impl Default for Settings {
    /// 3 MiB: what a client with bare stubs accepts is 4 MiB.
    fn default() -> Self {
        Self { message_bytes_max: NonZeroUsize::MIN.saturating_add((3 << 20) - 1) }
    }
}
