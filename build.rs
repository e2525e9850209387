//! Compiles `proto/` without a system `protoc`.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

#[expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts by environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");

    let descriptors = protox::Compiler::new(["proto"])?
        .include_source_info(true)
        .include_imports(true)
        .open_files(["sidecall/v1/sidecall.proto"])?
        .encode_file_descriptor_set();

    // Served by reflection, and read by the command line for proto3 JSON.
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("sidecall_descriptor.bin"), &descriptors)?;

    tonic_prost_build::configure()
        // Images and documents are passed on, not copied.
        .bytes(".sidecall.v1")
        .compile_fds(prost_types::FileDescriptorSet::decode(descriptors.as_slice())?)?;
    Ok(())
}
