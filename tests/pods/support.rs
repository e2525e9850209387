//! What other tests have built: an API in a process of its own, addresses.

#[path = "../it/support/addresses.rs"]
pub(crate) mod addresses;
#[path = "../it/support/data.rs"]
#[expect(dead_code, reason = "only the environment is asked here")]
pub(crate) mod data;
#[path = "../it/support/upstream.rs"]
#[expect(dead_code, reason = "only the ledger is asked here")]
pub(crate) mod upstream;

/// After so long something that is awaited will never come.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
