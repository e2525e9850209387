//! The words of Sidecall, as types that cannot be wrong.
//!
//! This floor knows nothing of the wire, of configuration, or of how a call is
//! run. JSON is carried as its source text throughout.

pub mod call;
pub mod claim;
pub mod effect;
pub mod failure;
pub mod id;
pub mod json;
pub(crate) mod nearest;
pub mod result;
pub mod secrets;
pub mod slot;
pub(crate) mod text;

pub use call::{ApiOrdering, Call, Ordering, Series};
pub use claim::{Access, Claim, ClaimKey};
pub use effect::{Effect, Sent};
pub use failure::{Failure, FailureCode, FailureOrigin, RetryAdvice};
pub use id::{ApiName, BatchId, CallId, Owner, SessionId, Tenant, ToolName};
pub use json::{AsItIs, Digest, Json};
pub use result::{AttemptTimings, CallResult, Content, Outcome, Source, Timings, Truncation};
pub use secrets::{REDACTED, Secrets};
