use std::{future::Future, num::NonZeroUsize, task::Waker};

use super::*;
use crate::{
    limits::{Rate, breaker},
    model::Owner,
};

mod aside;
mod breakers;
mod caps;
#[cfg(feature = "shuttle")]
mod interleavings;
mod rates;
mod reconfigure;
mod saturation;
mod status;

fn nz(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn name(name: &str) -> ApiName {
    ApiName::try_new(name).unwrap()
}

fn session(name: &str) -> SessionId {
    SessionId::try_new(name).unwrap()
}

/// A batch of that session of everyone's.
fn open(gate: &Gate, of: &str) -> Arc<Scope> {
    gate.open(&Tenant::local(), &session(of))
}

/// A batch of a session whose owner may have so many attempts in flight.
fn owned(gate: &Gate, owner: &str, of: &str, max: usize) -> Arc<Scope> {
    let session = session(of).of(&Owner::try_new(owner).unwrap());
    gate.open_within(&Tenant::local(), &session, Some(nz(max)))
}

/// An API without limits.
fn api(api: &str) -> Api {
    Api { queue_max: nz(100_000), ..Api::new(name(api)) }
}

fn capped(of: &str, max: usize) -> Api {
    Api { concurrency: Some(nz(max)), ..api(of) }
}

fn rated(of: &str, rate: &str, per: Per) -> Api {
    Api { rates: vec![(Rate::try_new(rate).unwrap(), per)], ..api(of) }
}

fn settings(apis: Vec<Api>) -> Settings {
    Settings { process: nz(99_999), session: nz(99_999), batch: nz(99_999), apis, tools: vec![] }
}

fn request<'a>(api: &'a ApiName, tool: &'a ToolName) -> Request<'a> {
    Request {
        api,
        tool,
        cost: NonZeroU32::MIN,
        path: Duration::ZERO,
        deadline: clock::now() + Duration::from_secs(100_000),
    }
}

/// Asks for one attempt's rights at an API.
fn ask(scope: &Arc<Scope>, api: &str) -> Asked {
    ask_for(scope, api, |_| {})
}

fn ask_for(scope: &Arc<Scope>, api: &str, change: impl FnOnce(&mut Request<'_>)) -> Asked {
    let tool = ToolName::try_new("tool").unwrap();
    let name = name(api);
    let mut request = request(&name, &tool);
    change(&mut request);
    scope.ask(request)
}

impl Asked {
    fn granted(self) -> Permit {
        match self {
            Self::Granted(permit) => permit,
            other => panic!("{other:?}"),
        }
    }

    fn waiting(self) -> Wait {
        match self {
            Self::Waiting(wait) => wait,
            other => panic!("{other:?}"),
        }
    }

    fn refused(self) -> Refused {
        match self {
            Self::Refused(refused) => refused,
            other => panic!("{other:?}"),
        }
    }
}

fn poll(wait: &mut Wait) -> Option<Permit> {
    answer(wait).map(Result::unwrap)
}

fn answer(wait: &mut Wait) -> Option<Result<Permit, Refused>> {
    match Pin::new(wait).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}
