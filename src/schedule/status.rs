//! One moment of everything that a call may meet: each part's own look, put
//! together.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use super::Scheduler;
use crate::{
    backend::worker::{self, Pool},
    budget::{self, Budgets},
    cache,
    clock::{self, Instant},
    limits::{
        Gate,
        breaker::State,
        gate::{self, Usage, View},
    },
    locks::{Table, table},
    model::{ApiName, ToolName},
    overload::memory,
    policy::Caller,
    registry::Registry,
    retry,
    telemetry::reloads::Reloads,
};

/// One moment of the process. Each part was looked at under its own lock.
#[derive(Clone, Debug)]
pub struct Status {
    /// Since the scheduler was made.
    pub uptime: Duration,
    /// Whether new turns are refused, since the process is to end.
    pub is_draining: bool,
    /// Batches that have not ended.
    pub batches: Usage,
    /// Their calls, whatever their state.
    pub calls: Usage,
    /// Places, tokens and breakers.
    pub gate: gate::Status,
    /// What calls read and write.
    pub locks: table::Status,
    /// What sessions have spent.
    pub budgets: budget::Status,
    /// Of the APIs that `gate` shows, those whose failed attempts are made again.
    pub retries: HashMap<ApiName, retry::Status>,
    /// Tools with a cap or a cache: those that are full first, then by name.
    pub tools: Vec<ToolStatus>,
    /// Tools that are left out.
    pub tools_omitted: usize,
    /// Those that offer tools.
    pub workers: worker::Status,
    /// Of so many that may.
    pub workers_max: usize,
    /// What it was configured by.
    pub config: ConfigStatus,
    /// The memory that it may use; `None` where nothing bounds that.
    pub memory: Option<memory::Seen>,
}

/// The configuration that runs.
#[derive(Clone, Debug)]
pub struct ConfigStatus {
    /// Configurations that have run, this one among them.
    pub generation: u64,
    /// For how long it has.
    pub age: Duration,
    /// Why the file, as it was last read, is not what runs.
    pub refusal: Option<Arc<str>>,
}

/// One tool.
#[derive(Clone, Debug)]
pub struct ToolStatus {
    /// Its name.
    pub name: ToolName,
    /// Its API.
    pub api: ApiName,
    /// Attempts in flight, where it has a cap.
    pub attempts: Option<Usage>,
    /// Its answers that still hold, where it keeps any.
    pub cache: Option<(cache::Settings, cache::Status)>,
}

/// Of every API with a breaker how it stands: 0 closed, 1 half open, 2 open. Asks
/// for as long as there is a scheduler, and holds none up by being there.
pub fn breakers(
    scheduler: &Scheduler,
) -> impl Fn() -> Vec<(Arc<str>, u64)> + Send + Sync + 'static + use<> {
    let shared = Arc::downgrade(&scheduler.shared);
    move || {
        let Some(shared) = shared.upgrade() else { return Vec::new() };
        let apis = shared.gate.status(usize::MAX).apis.into_iter();
        let standing = apis.filter_map(|api| {
            let state = match api.breaker?.state {
                State::Closed => 0,
                State::HalfOpen { .. } => 1,
                State::Open(_) => 2,
            };
            Some((Arc::from(api.name.as_str()), state))
        });
        standing.collect()
    }
}

impl Scheduler {
    /// One look at everything, at most `most` rows of each kind. Holds nobody up. Of
    /// tools that the caller does not know, and of APIs that have no others, nothing is
    /// shown, and of what is another's only how much there is: it takes no row from what
    /// is the caller's.
    pub fn status(&self, caller: &Caller, most: usize) -> Status {
        let shared = &self.shared;
        let now = clock::now();
        let terms = shared.terms();
        let registry = &terms.registry;
        let (batches, calls) = terms.admission.status();
        let gate = gate(&shared.gate, registry, caller, most);
        let retries = retries(registry, &gate, now);
        let mut tools = tools(registry, &gate);
        tools.retain(|tool| caller.knows(&tool.name));
        let is_full = |usage: Usage| usage.max.is_some_and(|max| usage.used >= max);
        tools.sort_by_key(|tool| Reverse(tool.attempts.is_some_and(is_full)));
        let tools_omitted = tools.len().saturating_sub(most);
        tools.truncate(most);
        Status {
            uptime: now.saturating_duration_since(shared.began_at),
            is_draining: shared.drain.is_draining(),
            batches,
            calls,
            gate,
            locks: locks(&shared.locks, caller, most, now),
            budgets: budgets(&shared.budgets, caller, most),
            retries,
            tools,
            tools_omitted,
            workers: workers(terms.registry.pool(), caller, most, now),
            workers_max: terms.registry.offers().workers_max.get(),
            config: config(&shared.telemetry.reloads, now),
            memory: self.memory.as_ref().and_then(|memory| memory.seen(now)),
        }
    }
}

fn config(reloads: &Reloads, now: Instant) -> ConfigStatus {
    let seen = reloads.seen();
    let age = now.saturating_duration_since(seen.began_at);
    ConfigStatus { generation: seen.generation, age, refusal: reloads.refusal() }
}

/// Of APIs that have no tool that the caller knows, nothing; of buckets of their own,
/// those of its tenant and of its sessions.
fn gate(gate: &Gate, registry: &Registry, caller: &Caller, most: usize) -> gate::Status {
    let of = Some((&caller.tenant, &caller.owner));
    if caller.knows_all() {
        return gate.view(&View { apis: most, buckets: most, of });
    }
    let tools = registry.iter().filter(|tool| caller.knows(&tool.name));
    let known: BTreeSet<&ApiName> = tools.map(|tool| &tool.api).collect();
    let workers = ApiName::workers();
    let mut status = gate.view(&View { apis: usize::MAX, buckets: most, of });
    status.apis.retain(|api| known.contains(&api.name) || api.name == workers);
    status.apis_omitted = status.apis.len().saturating_sub(most);
    status.apis.truncate(most);
    status
}

/// All tools of an API share one budget of retries.
fn retries(
    registry: &Registry,
    gate: &gate::Status,
    now: Instant,
) -> HashMap<ApiName, retry::Status> {
    let mut retries = HashMap::with_capacity(gate.apis.len());
    for tool in registry.iter() {
        if let Some(policy) = &tool.retry
            && !retries.contains_key(&tool.api)
            && gate.apis.iter().any(|api| api.name == tool.api)
        {
            retries.insert(tool.api.clone(), policy.status(now));
        }
    }
    retries
}

/// In the registry's order, which is that of the names.
fn tools(registry: &Registry, gate: &gate::Status) -> Vec<ToolStatus> {
    let caps: HashMap<&ToolName, Usage> =
        gate.tools.iter().map(|(name, usage)| (name, *usage)).collect();
    let tools = registry.iter().map(|tool| ToolStatus {
        name: tool.name.clone(),
        api: tool.api.clone(),
        attempts: caps.get(&tool.name).copied(),
        cache: tool.cache.as_ref().map(|cache| (*cache.settings(), cache.status())),
    });
    tools.filter(|tool| tool.attempts.is_some() || tool.cache.is_some()).collect()
}

/// A key is made of a call's input, and names a batch: whoever may call every tool sees
/// those of its tenant, and any other caller those of its own calls.
fn locks(table: &Table, caller: &Caller, most: usize, now: Instant) -> table::Status {
    let knows_all = caller.knows_all();
    table.status(most, now, |holder| {
        holder.tenant == caller.tenant && (knows_all || *holder.session.owner() == caller.owner)
    })
}

/// A session is its owner's alone.
fn budgets(budgets: &Budgets, caller: &Caller, most: usize) -> budget::Status {
    let mut status = budgets.status(usize::MAX);
    status.lowest.retain(|of| of.tenant == caller.tenant && *of.session.owner() == caller.owner);
    status.lowest.truncate(most);
    status
}

/// One that shares its tools is there for all callers of its tenant, as far as they may
/// call them.
fn workers(pool: &Pool, caller: &Caller, most: usize, now: Instant) -> worker::Status {
    let mut status = pool.status(usize::MAX, now);
    status.busiest.retain(|worker| {
        let about = &worker.about;
        about.tenant == caller.tenant
            && about.session.as_ref().is_none_or(|session| *session.owner() == caller.owner)
            && (caller.knows_all() || about.tools.iter().any(|tool| caller.knows(tool)))
    });
    status.busiest.truncate(most);
    status
}
