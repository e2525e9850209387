//! One YAML file.
