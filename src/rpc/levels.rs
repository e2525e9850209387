//! `LogLevels`: what is logged, read and changed.

use tonic::Status;

use super::status;
use crate::{
    proto::v1::{self, log_levels_request::Change},
    schedule::{Refusal, Violation},
    telemetry::log::{Levels, levels::Error},
};

/// Changes what is logged where the request says so, and says what is. `levels` is
/// none in a process that does not log itself.
pub(super) fn answer(
    levels: Option<&Levels>,
    request: v1::LogLevelsRequest,
) -> Result<v1::LogLevelsResponse, Status> {
    let levels = levels.ok_or_else(|| status::no_log("this process does not log by itself"))?;
    let changed = match request.change {
        None => Ok(()),
        Some(Change::Filter(filter)) if filter.trim().is_empty() => {
            return Err(invalid("filter", "is empty; `reset` goes back to the configured one"));
        }
        Some(Change::Filter(filter)) => levels.set(&filter),
        Some(Change::Reset(true)) => levels.reset(),
        Some(Change::Reset(false)) => {
            return Err(invalid("reset", "must be true; leave it out to read"));
        }
    };
    match changed {
        Ok(()) => {
            Ok(v1::LogLevelsResponse { filter: levels.filter(), configured: levels.configured() })
        }
        Err(Error::Filter(fault)) => Err(invalid("filter", fault)),
        Err(error @ Error::Ended) => Err(status::no_log(&error.to_string())),
    }
}

fn invalid(field: &str, what: impl ToString) -> Status {
    let violation = Violation { field: field.to_owned(), description: what.to_string() };
    status::refused(Refusal::Invalid(vec![violation]))
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn ask(levels: &Levels, change: Option<Change>) -> Result<(String, String), Status> {
        let answer = answer(Some(levels), v1::LogLevelsRequest { change })?;
        Ok((answer.filter, answer.configured))
    }

    #[test]
    fn levels_are_read_set_and_set_back() {
        let levels = Levels::new("warn", |_| true);
        let said = |filter: &str| Ok((filter.to_owned(), "warn".to_owned()));
        let shown = |answer: Result<(String, String), Status>| answer.map_err(|_| ());
        assert_eq!(shown(ask(&levels, None)), said("warn"));
        let debug = Some(Change::Filter(" info,sidecall::rpc=debug".to_owned()));
        assert_eq!(shown(ask(&levels, debug)), said("info,sidecall::rpc=debug"));
        assert_eq!(shown(ask(&levels, None)), said("info,sidecall::rpc=debug"));
        assert_eq!(shown(ask(&levels, Some(Change::Reset(true)))), said("warn"));
    }

    #[test]
    fn what_is_no_filter_is_refused_with_what_to_write_and_changes_nothing() {
        let levels = Levels::new("warn", |_| true);
        for (change, says) in [
            (Change::Filter("loud".to_owned()), "filter: `loud` is no log filter; write a level"),
            (Change::Filter(" ".to_owned()), "filter: is empty"),
            (Change::Reset(false), "reset: must be true"),
        ] {
            let status = ask(&levels, Some(change)).unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument);
            assert!(status.message().contains(says), "{}", status.message());
        }
        assert_eq!(levels.filter(), "warn");
    }

    #[test]
    fn a_process_that_does_not_log_says_so() {
        for levels in [None, Some(Levels::new("warn", |_| false))] {
            let change = Some(Change::Filter("debug".to_owned()));
            let status = answer(levels.as_ref(), v1::LogLevelsRequest { change }).unwrap_err();
            assert_eq!(status.code(), Code::FailedPrecondition);
            assert!(status.message().contains("log"), "{}", status.message());
        }
    }
}
