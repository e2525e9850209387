//! The `sidecall` program: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;

/// A call makes and drops hundreds of pieces of memory, some of them by other threads
/// than made them and many beyond what the C library keeps at hand.
#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    sidecall::cli::Cli::parse().run().into()
}
