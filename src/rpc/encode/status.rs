//! A moment of the process as a message.
//!
//! What a caller may see was chosen by whoever looked, but for the tools of workers and
//! for the fault of a configuration, which names what the caller may not know of.

use std::{num::NonZeroU64, time::Duration};

use prost::Message;

use super::{count, cut, duration};
use crate::{
    backend::worker::{self, WorkerStatus},
    budget, cache,
    limits::{
        breaker,
        gate::{self, ApiStatus, BucketStatus, Level, Per, Whose},
    },
    locks::table,
    model::Access,
    overload::memory,
    policy::Caller,
    proto::v1,
    retry,
    schedule::{ConfigStatus, Status, ToolStatus},
};

/// Most bytes of a name that a caller or an input gave.
const NAME_BYTES_MAX: usize = 160;
/// Tools of a worker that are named.
const WORKER_TOOLS_MAX: usize = 8;

/// A moment, as the caller may see it. `look` gives it with that many rows of each
/// list; there are as many as fit into `bytes_max` bytes.
pub(in crate::rpc) fn status(
    look: impl Fn(usize) -> Status,
    caller: &Caller,
    mut rows: usize,
    bytes_max: usize,
) -> v1::StatusResponse {
    loop {
        let response = response(&look(rows), caller);
        if rows == 1 || response.encoded_len() <= bytes_max {
            return response;
        }
        rows /= 2;
    }
}

fn response(status: &Status, caller: &Caller) -> v1::StatusResponse {
    let gate = &status.gate;
    let api = |of: &ApiStatus| api(of, status.retries.get(&of.name));
    v1::StatusResponse {
        process: Some(v1::ProcessStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime: Some(duration(status.uptime)),
            draining: status.is_draining,
            batches: Some(usage(status.batches)),
            calls: Some(usage(status.calls)),
            attempts: Some(usage(gate.in_flight)),
            waiting: count(gate.waiting),
            sessions: count(gate.sessions),
            config: Some(config(&status.config, caller)),
            memory: status.memory.map(memory),
        }),
        apis: gate.apis.iter().map(api).collect(),
        apis_omitted: count(gate.apis_omitted),
        tools: status.tools.iter().map(tool).collect(),
        tools_omitted: count(status.tools_omitted),
        locks: Some(locks(&status.locks)),
        budgets: Some(budgets(&status.budgets)),
        workers: Some(workers(&status.workers, status.workers_max, caller)),
    }
}

fn usage(usage: gate::Usage) -> v1::Usage {
    v1::Usage { used: count(usage.used), max: usage.max.map(count) }
}

fn some(time: Option<Duration>) -> Option<prost_types::Duration> {
    time.map(duration)
}

fn config(config: &ConfigStatus, caller: &Caller) -> v1::ConfigStatus {
    let refusal = config.refusal.as_deref().filter(|_| caller.knows_all());
    v1::ConfigStatus {
        generation: number(config.generation),
        age: Some(duration(config.age)),
        refused: config.refusal.is_some(),
        refusal: refusal.unwrap_or_default().to_owned(),
    }
}

fn memory(memory: memory::Seen) -> v1::MemoryStatus {
    v1::MemoryStatus {
        used_bytes: memory.usage.used,
        max_bytes: memory.usage.max,
        shed_at_percent: memory.shed_at,
        short: memory.is_short,
        refused: memory.refused,
    }
}

fn api(api: &ApiStatus, retries: Option<&retry::Status>) -> v1::ApiStatus {
    v1::ApiStatus {
        name: api.name.to_string(),
        attempts: Some(usage(api.in_flight)),
        queue: Some(usage(api.queue)),
        longest_wait: some(api.longest_wait),
        next_grant: some(api.next_grant),
        paused: some(api.paused),
        buckets: api.buckets.iter().map(bucket).collect(),
        breaker: api.breaker.as_ref().map(breaker),
        retries: retries.map(|of| v1::RetryStatus {
            percent: number(of.percent),
            first_attempts: number(of.firsts),
            retries: number(of.retries),
            left: number(of.left),
        }),
    }
}

fn bucket(bucket: &BucketStatus) -> v1::BucketStatus {
    let scope = match bucket.per {
        Per::Api => v1::BucketScope::Api,
        Per::Session => v1::BucketScope::Session,
        Per::Tenant => v1::BucketScope::Tenant,
    };
    let lowest: Vec<_> = bucket.lowest.iter().map(level).collect();
    v1::BucketStatus {
        rate: bucket.rate.to_string(),
        scope: scope.into(),
        burst: bucket.rate.burst().get(),
        kept: count(bucket.kept),
        omitted: count(bucket.kept - lowest.len()),
        lowest,
    }
}

fn level(level: &Level) -> v1::BucketLevel {
    let owner = match &level.whose {
        Whose::Everyone => String::new(),
        Whose::Session(_, session) => cut(session.as_str(), NAME_BYTES_MAX),
        Whose::Tenant(tenant) => cut(tenant.as_str(), NAME_BYTES_MAX),
    };
    v1::BucketLevel { owner, level: level.tokens, next_token: some(level.next_token) }
}

fn breaker(breaker: &breaker::Status) -> v1::BreakerStatus {
    use breaker::State;
    let (state, next_probe, probes, cause) = match breaker.state {
        State::Closed => (v1::BreakerState::Closed, None, 0, None),
        State::Open(barred) => (v1::BreakerState::Open, Some(barred.after), 0, Some(barred.cause)),
        State::HalfOpen { probes, cause } => {
            (v1::BreakerState::HalfOpen, None, probes, Some(cause))
        }
    };
    v1::BreakerStatus {
        state: state.into(),
        consecutive_failures: breaker.failures_in_a_row,
        window_attempts: breaker.window.map(|(attempts, _)| attempts),
        window_failures: breaker.window.map(|(_, failures)| failures),
        next_probe: some(next_probe),
        probes,
        why: cause.map(|cause| cause.to_string()).unwrap_or_default(),
        opened: number(breaker.opened),
    }
}

fn tool(tool: &ToolStatus) -> v1::ToolStatus {
    v1::ToolStatus {
        name: tool.name.to_string(),
        api: tool.api.to_string(),
        attempts: tool.attempts.map(usage),
        cache: tool.cache.map(|(settings, status)| cache(settings, status)),
    }
}

fn cache(settings: cache::Settings, cache: cache::Status) -> v1::CacheStatus {
    v1::CacheStatus {
        entries: Some(usage(gate::Usage {
            used: cache.entries,
            max: Some(settings.entries_max.get()),
        })),
        bytes: cache.bytes as u64,
        bytes_max: settings.bytes_max.get() as u64,
        hits: cache.hits,
        misses: cache.misses,
    }
}

fn locks(locks: &table::Status) -> v1::LocksStatus {
    let busiest: Vec<_> = locks.busiest.iter().map(lock).collect();
    v1::LocksStatus {
        held: count(locks.held),
        waiting: count(locks.waiting),
        keys: count(locks.keys),
        omitted: count(locks.keys - busiest.len()),
        busiest,
    }
}

fn lock(key: &table::KeyStatus) -> v1::LockStatus {
    let access = match key.access {
        Access::Read => v1::LockAccess::Read,
        Access::Write => v1::LockAccess::Write,
    };
    let holder = |(holder, held): &(table::Holder, Option<Duration>)| v1::LockHolder {
        batch_id: holder.batch.to_string(),
        call_id: holder.call.to_string(),
        held: some(*held),
    };
    v1::LockStatus {
        key: cut(&key.key, NAME_BYTES_MAX),
        access: access.into(),
        holders: key.holders.iter().map(holder).collect(),
        holders_omitted: count(key.holders_count - key.holders.len()),
        waiters: count(key.waiters),
        longest_wait: some((key.waiters > 0).then_some(key.longest_wait)),
    }
}

fn budgets(budgets: &budget::Status) -> v1::BudgetsStatus {
    let of = |used, max: Option<NonZeroU64>| {
        Some(v1::Usage { used: number(used), max: max.map(|max| number(max.get())) })
    };
    let session = |session: &budget::SessionStatus| v1::SessionStatus {
        session_id: cut(session.session.as_str(), NAME_BYTES_MAX),
        calls: of(session.calls, budgets.settings.calls),
        cost: of(session.cost, budgets.settings.cost),
    };
    let lowest: Vec<_> = budgets.lowest.iter().map(session).collect();
    v1::BudgetsStatus {
        sessions: count(budgets.sessions),
        omitted: count(budgets.sessions - lowest.len()),
        lowest,
    }
}

fn workers(workers: &worker::Status, max: usize, caller: &Caller) -> v1::WorkersStatus {
    let known = |worker: &WorkerStatus| -> Vec<String> {
        let tools = worker.about.tools.iter().filter(|tool| caller.knows(tool));
        tools.map(ToString::to_string).collect()
    };
    let shown = |worker: &WorkerStatus| v1::WorkerStatus {
        name: cut(&worker.about.name, NAME_BYTES_MAX),
        session_id: worker.about.session.as_ref().map_or_else(String::new, ToString::to_string),
        tools: known(worker).into_iter().take(WORKER_TOOLS_MAX).collect(),
        tools_omitted: count(known(worker).len().saturating_sub(WORKER_TOOLS_MAX)),
        attempts: Some(usage(gate::Usage {
            used: worker.in_flight,
            max: Some(worker.attempts_max),
        })),
        draining: worker.is_draining,
        silence: Some(duration(worker.silence)),
    };
    let busiest: Vec<_> = workers.busiest.iter().map(shown).collect();
    v1::WorkersStatus {
        connected: Some(usage(gate::Usage { used: workers.connected, max: Some(max) })),
        unwanted_answers: workers.unwanted,
        omitted: count(workers.connected.saturating_sub(busiest.len())),
        busiest,
    }
}

fn number(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::policy::{Pattern, Tools};

    #[test]
    fn the_fault_of_a_file_is_told_to_who_may_call_everything() {
        let of = |refusal: Option<&str>| ConfigStatus {
            generation: 3,
            age: Duration::from_secs(7),
            refusal: refusal.map(Arc::from),
        };
        let some_tools = Tools::Matching(vec![Pattern::try_new("crm_*").unwrap()]);
        let few = Caller { tools: some_tools, ..Caller::local() };
        for (caller, said) in [(Caller::local(), "apis.crm: …"), (few, "")] {
            let shown = config(&of(Some("apis.crm: …")), &caller);
            assert_eq!((shown.generation, shown.refused, &*shown.refusal), (3, true, said));
            let shown = config(&of(None), &caller);
            assert_eq!((shown.refused, &*shown.refusal), (false, ""));
        }
    }

    #[test]
    fn a_breaker_says_what_opened_it_and_when_it_is_tried() {
        let cause = breaker::Cause::InARow(10);
        let of = |state| breaker::Status { state, failures_in_a_row: 10, window: None, opened: 2 };
        let after = Duration::from_secs(3);
        let open = breaker(&of(breaker::State::Open(breaker::Barred { after, cause })));
        assert_eq!((open.state(), open.next_probe), (v1::BreakerState::Open, some(Some(after))));
        assert_eq!((open.why.as_str(), open.opened), ("its last 10 calls failed", 2));
        let half = breaker(&of(breaker::State::HalfOpen { probes: 1, cause }));
        assert_eq!((half.state(), half.probes), (v1::BreakerState::HalfOpen, 1));
        let closed = breaker(&of(breaker::State::Closed));
        assert_eq!((closed.state(), closed.why.as_str()), (v1::BreakerState::Closed, ""));
    }
}
