//! How an ending is told to the model.

use crate::{
    model::{Failure, FailureCode, FailureOrigin},
    schedule::{
        batch_state::{CancelReason, Ending},
        intake::Intake,
    },
};

/// What the model reads of how `call` ended.
pub(super) fn failure(intake: &Intake, call: usize, ending: Ending) -> Option<Failure> {
    let series = |call: usize| intake.calls[call].series.as_ref();
    let name = |call: usize| format!("{} ({})", intake.calls[call].tool, intake.calls[call].id);
    match ending {
        Ending::Succeeded | Ending::Shared { .. } | Ending::Cached | Ending::FellBack(_) => None,
        Ending::Failed(failure) => Some(failure),
        Ending::Cancelled { reason, attempts } => {
            let message = match reason {
                CancelReason::Requested => "the call was cancelled",
                CancelReason::CallerGone => "the call was cancelled since its caller went away",
                CancelReason::CutOff => {
                    "the call was cancelled since its turn was cut off before it was whole"
                }
                CancelReason::Shutdown => {
                    "the call was cancelled since Sidecall is stopping; it can be made again"
                }
            };
            let failure = Failure::new(FailureCode::Cancelled, message).with_attempts(attempts);
            Some(match reason {
                // Nobody asked for it.
                CancelReason::Shutdown => failure.with_origin(FailureOrigin::Sidecall),
                _ => failure,
            })
        }
        // Its series ended before it, and has words of its own for that.
        Ending::Skipped { parent, .. }
            if series(call).is_some()
                && series(call).map(|own| &own.name) == series(parent).map(|of| &of.name) =>
        {
            series(call).map(|own| Failure::new(FailureCode::DependencyFailed, &*own.skipped))
        }
        Ending::Skipped { parent, root } => {
            let by_way = if parent == root {
                String::new()
            } else {
                format!(", by way of {}", name(parent))
            };
            Some(Failure::new(
                FailureCode::DependencyFailed,
                format!(
                    "not run: it needs {}, which did not succeed{by_way}. Mend that call first, \
                     then make both again.",
                    name(root)
                ),
            ))
        }
    }
}
