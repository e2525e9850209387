//! The wire's generated types. Named only in `rpc`, and on the client side of
//! `cli`; everything else speaks [`model`](crate::model).

use v1::{execute_batch_request::Turn, plan_batch_request::Turn as Planned};

/// `sidecall.v1`.
#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::large_enum_variant,
    clippy::too_many_lines,
    reason = "generated"
)]
pub mod v1 {
    tonic::include_proto!("sidecall.v1");
}

/// The encoded `FileDescriptorSet`, imports and comments included.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("sidecall_descriptor");

/// Its RPCs, as `package.Service/Method`.
pub const METHODS: &[&str] = include!(concat!(env!("OUT_DIR"), "/methods.rs"));

/// The same turn.
impl From<Turn> for Planned {
    fn from(turn: Turn) -> Self {
        match turn {
            Turn::Typed(typed) => Self::Typed(typed),
            Turn::AnthropicJson(json) => Self::AnthropicJson(json),
            Turn::OpenaiChatJson(json) => Self::OpenaiChatJson(json),
            Turn::OpenaiResponsesJson(json) => Self::OpenaiResponsesJson(json),
            Turn::GeminiJson(json) => Self::GeminiJson(json),
            Turn::BedrockJson(json) => Self::BedrockJson(json),
            Turn::AiSdkJson(json) => Self::AiSdkJson(json),
            Turn::LangchainJson(json) => Self::LangchainJson(json),
        }
    }
}

/// The same turn.
impl From<Planned> for Turn {
    fn from(turn: Planned) -> Self {
        match turn {
            Planned::Typed(typed) => Self::Typed(typed),
            Planned::AnthropicJson(json) => Self::AnthropicJson(json),
            Planned::OpenaiChatJson(json) => Self::OpenaiChatJson(json),
            Planned::OpenaiResponsesJson(json) => Self::OpenaiResponsesJson(json),
            Planned::GeminiJson(json) => Self::GeminiJson(json),
            Planned::BedrockJson(json) => Self::BedrockJson(json),
            Planned::AiSdkJson(json) => Self::AiSdkJson(json),
            Planned::LangchainJson(json) => Self::LangchainJson(json),
        }
    }
}
