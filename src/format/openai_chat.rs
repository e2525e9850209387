//! OpenAI Chat Completions: `tool_calls` in, `tool` messages out.

mod decode;
mod encode;

pub(super) use decode::GRAMMAR;
pub use decode::decode;
pub use encode::{encode, tool_definitions};
