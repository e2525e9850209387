//! The wire. Generated types and `tonic::Status` stop here.
//!
//! In reading order: `listen` accepts connections, `layers` serves them, [`auth`] says
//! who calls, [`service`] answers an RPC with what `decode` makes of its request and
//! `stream` of its batch, `workers` talks to those who offer tools, `encode` writes messages, `status` refusals.

use std::num::NonZeroUsize;

use crate::model::text::floor_char_boundary;

pub mod auth;
mod deadline;
mod decode;
mod encode;
pub mod layers;
mod levels;
pub mod listen;
pub mod service;
mod status;
mod stream;
mod tools;
mod traced;
mod workers;

pub use status::code_name;

/// The sizes of the wire.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Most bytes of a message that the server sends; larger results and bundles
    /// travel in parts. From [`MESSAGE_BYTES_MIN`](Self::MESSAGE_BYTES_MIN) to
    /// [`MESSAGE_BYTES_MAX`](Self::MESSAGE_BYTES_MAX).
    pub message_bytes_max: NonZeroUsize,
    /// Most RPCs that one connection may have open at once.
    pub streams_max: u32,
}

impl Settings {
    /// Below this, ids and messages alone could fill a message.
    pub const MESSAGE_BYTES_MIN: usize = 64 << 10;
    /// Above this a message is no part any more: both sides hold it whole.
    pub const MESSAGE_BYTES_MAX: usize = 64 << 20;
}

impl Default for Settings {
    /// 3 MiB, since a client with bare stubs accepts 4 MiB. 1024 RPCs, since a
    /// whole fleet of agents may share one channel; hyper's own 200 would make
    /// the others wait unseen.
    fn default() -> Self {
        Self {
            message_bytes_max: NonZeroUsize::MIN.saturating_add((3 << 20) - 1),
            streams_max: 1024,
        }
    }
}

/// At most so many bytes of a text, cut between characters and marked.
fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    format!("{}…", &text[..floor_char_boundary(text, bytes_max - '…'.len_utf8())])
}
