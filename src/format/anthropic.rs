//! Anthropic Messages: `tool_use` blocks in, `tool_result` blocks out.

mod decode;
mod encode;
mod native;

pub(super) use decode::GRAMMAR;
pub use decode::decode;
pub use encode::{encode, tool_definitions};
