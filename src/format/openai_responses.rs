//! OpenAI Responses: `function_call` and `custom_tool_call` items in,
//! `function_call_output` and `custom_tool_call_output` items out.

mod decode;
mod encode;

pub(super) use decode::GRAMMAR;
pub use decode::decode;
pub use encode::{encode, tool_definitions};
