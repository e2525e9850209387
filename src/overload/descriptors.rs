//! Descriptors: how many files and sockets the process may have open.

use nix::{
    Result,
    sys::resource::{Resource, getrlimit, setrlimit},
};

/// What there is at least anywhere, where the system does not say.
const USUAL: usize = 1024;

/// Takes as many as may be had without asking anybody. The lower limit that a process
/// begins with is for programs that cannot count beyond 1024 (select(2)).
///
/// # Errors
///
/// The system refuses; it is as before then.
pub fn raise() -> Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(())
}

/// How many there may be.
pub fn most() -> usize {
    let limits = getrlimit(Resource::RLIMIT_NOFILE);
    limits.map_or(USUAL, |(soft, _)| usize::try_from(soft).unwrap_or(usize::MAX))
}
