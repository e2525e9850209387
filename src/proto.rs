//! The wire's generated types. Named only in `rpc`, and on the client side of
//! `cli`; everything else speaks [`model`](crate::model).

/// `sidecall.v1`.
#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    reason = "generated"
)]
pub mod v1 {
    tonic::include_proto!("sidecall.v1");
}

/// The encoded `FileDescriptorSet`, imports and comments included.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("sidecall_descriptor");
