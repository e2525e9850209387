//! Compiles `proto/` without a system `protoc`, and lists its RPCs, which metrics name,
//! and the program's modules, which log filters name.

use std::{
    env,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
};

use prost::Message;

#[expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts by environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    println!("cargo::rerun-if-changed=src");

    let files = protox::Compiler::new(["proto"])?
        .include_source_info(true)
        .include_imports(true)
        .open_files(["sidecall/v1/sidecall.proto"])?
        .file_descriptor_set();

    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut modules = Vec::new();
    find_modules(Path::new("src"), "", &mut modules)?;
    modules.sort();
    fs::write(out.join("modules.rs"), format!("&{modules:?}"))?;

    // Served by reflection, and read by the command line for proto3 JSON. Without the
    // comments, which whoever serves would hold in memory.
    let mut bare = files.clone();
    for file in &mut bare.file {
        file.source_code_info = None;
    }
    fs::write(out.join("sidecall_descriptor.bin"), bare.encode_to_vec())?;
    fs::write(out.join("methods.rs"), format!("&{:?}", methods(&files)))?;
    tonic_prost_build::configure()
        // Images and documents are passed on, not copied.
        .bytes(".sidecall.v1")
        .compile_fds(files)?;
    Ok(())
}

/// The RPCs, as `package.Service/Method`.
fn methods(files: &prost_types::FileDescriptorSet) -> Vec<String> {
    let services = files
        .file
        .iter()
        .flat_map(|file| file.service.iter().map(move |service| (file.package(), service)));
    let methods = services.flat_map(|(package, service)| {
        let name = move |method: &prost_types::MethodDescriptorProto| {
            format!("{package}.{}/{}", service.name(), method.name())
        };
        service.method.iter().map(name)
    });
    methods.collect()
}

/// Adds the modules of a folder, whose own path ends in `::`.
fn find_modules(folder: &Path, within: &str, found: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        let is_root = within.is_empty() && matches!(name, "lib" | "main");
        if path.is_dir() && !matches!(name, "tests" | "snapshots") {
            find_modules(&path, &format!("{within}{name}::"), found)?;
        } else if path.extension().is_some_and(|kind| kind == "rs") && !is_root && name != "tests" {
            found.push(format!("{within}{name}"));
        }
    }
    Ok(())
}
