//! Attempts over HTTP.
