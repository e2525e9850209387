//! The `sidecall` program.
fn main() {}
