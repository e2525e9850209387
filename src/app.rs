//! The only assembly.
