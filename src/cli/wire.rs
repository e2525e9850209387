//! The wire's messages as proto3 JSON.

use std::{io, sync::LazyLock};

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

use crate::proto::DESCRIPTORS;

/// What the build compiled; `None` cannot happen, and is an error where it does.
static POOL: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).ok());

/// A message as proto3 JSON, on one line.
pub(crate) fn to_json(name: &str, message: &impl Message) -> io::Result<String> {
    let bytes = message.encode_to_vec();
    let message =
        DynamicMessage::decode(descriptor(name)?, bytes.as_slice()).map_err(io::Error::other)?;
    serde_json::to_string(&message).map_err(io::Error::other)
}

/// A message as proto3 JSON, for people.
pub(crate) fn to_pretty_json(name: &str, message: &impl Message) -> io::Result<String> {
    let bytes = message.encode_to_vec();
    let message =
        DynamicMessage::decode(descriptor(name)?, bytes.as_slice()).map_err(io::Error::other)?;
    serde_json::to_string_pretty(&message).map_err(io::Error::other)
}

/// Reads a message from proto3 JSON.
pub(crate) fn from_json<M: Message + Default>(
    name: &str,
    text: &str,
) -> Result<M, serde_json::Error> {
    let descriptor = descriptor(name).map_err(serde::de::Error::custom)?;
    let mut source = serde_json::Deserializer::from_str(text);
    let message = DynamicMessage::deserialize(descriptor, &mut source)?;
    source.end()?;
    message.transcode_to().map_err(serde::de::Error::custom)
}

/// Names that the message's fields have in JSON.
pub(crate) fn fields(name: &str) -> Vec<String> {
    let descriptor = descriptor(name).ok();
    let fields = descriptor.iter().flat_map(|descriptor| descriptor.fields().collect::<Vec<_>>());
    fields.map(|field| field.json_name().to_owned()).collect()
}

fn descriptor(name: &str) -> io::Result<MessageDescriptor> {
    let found = POOL.as_ref().and_then(|pool| pool.get_message_by_name(name));
    found.ok_or_else(|| io::Error::other(format!("the message {name} is not in this build")))
}
