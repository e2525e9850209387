//! The tools that workers offer: there for as long as one of their workers is.
//!
//! A worker's tools belong to its session, or are shared by all sessions of its
//! tenant. Workers that offer the same are replicas of one tool. A tool of the
//! session's own hides a shared one of its name; a configured tool is never hidden.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use slab::Slab;

use super::{Tool, tool};
use crate::{
    backend::worker::{About, Crew, Lost, Orders, Pool},
    cache::Writes,
    clock::{self, Instant},
    model::{Effect, Failure, FailureCode, SessionId, Tenant, ToolName},
    policy::Caller,
    retry,
};

mod member;
mod settings;

use member::Entry;
pub use member::{Member, Standing};
pub use settings::Settings;

/// How long it is known of a tool that its worker is gone.
const GONE_FOR: Duration = Duration::from_secs(60);
/// Most tools of which that is known; about 200 bytes each.
const GONE_MAX: usize = 1000;

/// What a worker offers.
#[derive(Debug)]
pub struct Hello {
    /// Whose worker it is.
    pub caller: Arc<Caller>,
    /// The session that its tools belong to; `None` where they are shared.
    pub session: Option<SessionId>,
    /// A name for people.
    pub name: Arc<str>,
    /// Attempts that it takes at once.
    pub attempts: Option<NonZeroU32>,
    /// Its tools, each with another name.
    pub tools: Vec<Offered>,
}

/// One tool of a worker.
#[derive(Debug)]
pub struct Offered {
    /// What is declared of it.
    pub settings: tool::Settings,
    /// What running it twice means.
    pub effect: Effect,
}

/// Why a worker is not let in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refused {
    /// These of its tools cannot be offered, by their place; and why.
    Tools(Vec<(usize, String)>),
    /// There are so many already.
    Full(String),
    /// It may not offer them any more.
    Fallen,
}

/// Whose tools they are: a session's, or all sessions' of the tenant.
type Scope = (Tenant, Option<SessionId>);

/// All that is offered. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Offers {
    settings: Arc<Settings>,
    pool: Pool,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    scopes: HashMap<Scope, Arc<Group>>,
    members: Slab<Entry>,
    gone: VecDeque<Gone>,
}

/// The tools of one scope. Whoever looks keeps what he saw.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) tools: BTreeMap<ToolName, Offer>,
    workers: usize,
    writes: Arc<Writes>,
    retry: Arc<retry::Policy>,
}

#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) tool: Arc<Tool>,
    crew: Crew,
    workers: usize,
}

/// A tool whose last worker went.
#[derive(Debug)]
struct Gone {
    at: Instant,
    scope: Scope,
    tool: ToolName,
    worker: Arc<str>,
    why: Lost,
}

impl Offers {
    pub(super) fn new(settings: Settings, pool: Pool) -> Self {
        Self { settings: Arc::new(settings), pool, state: Arc::default() }
    }

    /// The same workers under other bounds, which hold for whoever comes.
    pub(super) fn under(&self, settings: Settings) -> Self {
        Self { settings: Arc::new(settings), ..self.clone() }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// What is shared by the sessions of the tenant, and the session's own.
    pub(super) fn seen_by(
        &self,
        tenant: &Tenant,
        session: Option<&SessionId>,
    ) -> (Option<Arc<Group>>, Option<Arc<Group>>) {
        let state = self.lock();
        if state.scopes.is_empty() {
            return (None, None);
        }
        let group = |session: Option<&SessionId>| {
            state.scopes.get(&(tenant.clone(), session.cloned())).cloned()
        };
        (group(None), session.and_then(|session| group(Some(session))))
    }

    /// Lets a worker in, all of its tools or none.
    pub(super) fn join(
        &self,
        hello: Hello,
        standing: Arc<dyn Standing>,
        is_configured: impl Fn(&ToolName) -> bool,
    ) -> Result<(Member, Orders), Refused> {
        let Hello { caller, session, name, attempts, tools } = hello;
        let scope = (caller.tenant.clone(), session);
        let mut state = self.lock();
        // Under the lock: whoever changes what holds looks at all who are here after it.
        if !standing.holds() {
            return Err(Refused::Fallen);
        }
        self.check_room(&state, &caller, &scope)?;
        let group = state.scopes.get(&scope);
        let clashes: Vec<_> = tools
            .iter()
            .enumerate()
            .filter_map(|(place, offered)| {
                let name = &offered.settings.name;
                if is_configured(name) {
                    let why = format!("{name:?} is a tool of the configuration; take another name");
                    return Some((place, why));
                }
                Some((place, group?.tools.get(name)?.clash(offered)?))
            })
            .collect();
        if !clashes.is_empty() {
            return Err(Refused::Tools(clashes));
        }

        let group = Arc::make_mut(state.scopes.entry(scope.clone()).or_insert_with(Group::empty));
        group.workers += 1;
        let names: Vec<_> = tools.iter().map(|offered| offered.settings.name.clone()).collect();
        let crews: Vec<Crew> =
            tools.into_iter().map(|offered| group.offer(offered, &self.pool)).collect();
        let crews: Vec<&Crew> = crews.iter().collect();
        let about = About {
            name: Arc::clone(&name),
            tenant: scope.0.clone(),
            session: scope.1.clone(),
            tools: names.clone(),
        };
        let (seat, orders) = self.pool.seat(about, attempts, &crews);
        let key = state.members.insert(Entry {
            owner: caller.owner.clone(),
            scope,
            name,
            tools: names,
            is_offering: true,
            standing,
            eviction: seat.eviction().clone(),
        });
        Ok((Member::new(self.clone(), key, seat), orders))
    }

    fn check_room(&self, state: &State, caller: &Caller, scope: &Scope) -> Result<(), Refused> {
        let Settings { session_workers_max, workers_max, .. } = *self.settings;
        // Its own bound first: it says nothing of what others have connected.
        if let Some(most) = caller.limits.workers {
            let its = state.members.iter().filter(|(_, member)| member.owner == caller.owner);
            let its = its.count();
            if its >= most.get() {
                return Err(Refused::Full(format!(
                    "{its} workers of the caller are connected, one more would pass \
                     limits.workers ({most})"
                )));
            }
        }
        let open = state.members.len();
        if open >= workers_max.get() {
            return Err(Refused::Full(format!(
                "{open} workers are connected, one more would pass workers.total ({workers_max})"
            )));
        }
        let of_session = state.scopes.get(scope).map_or(0, |group| group.workers);
        if scope.1.is_some() && of_session >= session_workers_max.get() {
            return Err(Refused::Full(format!(
                "{of_session} workers of the session are connected, one more would pass \
                 workers.per_session ({session_workers_max})"
            )));
        }
        Ok(())
    }

    /// Takes back what a worker offered.
    fn withdraw(&self, key: usize, why: Lost) {
        // A tool may be let go with it, and that is not to be under the lock.
        let _withdrawn = self.lock().withdraw(key, why);
    }

    fn leave(&self, key: usize) {
        let mut state = self.lock();
        let Entry { scope, .. } = state.members.remove(key);
        if let Some(group) = state.scopes.get_mut(&scope) {
            let group = Arc::make_mut(group);
            group.workers -= 1;
            if group.workers == 0 {
                state.scopes.remove(&scope);
            }
        }
    }

    /// What is said of a tool whose worker went a short while ago.
    pub(super) fn gone(
        &self,
        tenant: &Tenant,
        session: Option<&SessionId>,
        name: &str,
    ) -> Option<Failure> {
        let now = clock::now();
        let state = self.lock();
        let is_meant = |gone: &&Gone| {
            gone.tool.as_str() == name
                && gone.scope.0 == *tenant
                && (gone.scope.1.is_none() || gone.scope.1.as_ref() == session)
                && now - gone.at < GONE_FOR
        };
        let Gone { at, worker, why, .. } = state.gone.iter().rev().find(is_meant)?;
        let message = format!(
            "the worker {worker:?}, which ran {name}, is gone since {:.1?}: {}. The call was not \
             sent; it can be made again once a worker offers the tool again.",
            now - *at,
            why.words()
        );
        Some(Failure::new(FailureCode::WorkerLost, message))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes back what a worker offers, once. Gives the tools that nobody else does.
    fn withdraw(&mut self, key: usize, why: Lost) -> Vec<Offer> {
        let now = clock::now();
        let mut withdrawn = Vec::new();
        let Self { scopes, members, gone } = self;
        let Entry { scope, name: worker, tools, is_offering, .. } = &mut members[key];
        let Some(group) = scopes.get_mut(scope).filter(|_| std::mem::take(is_offering)) else {
            return withdrawn;
        };
        let group = Arc::make_mut(group);
        for name in &*tools {
            let Some(offer) = group.tools.get_mut(name) else { continue };
            offer.workers -= 1;
            if offer.workers == 0 {
                withdrawn.extend(group.tools.remove(name));
                gone.retain(|other| other.scope != *scope || other.tool != *name);
                gone.push_back(Gone {
                    at: now,
                    scope: scope.clone(),
                    tool: name.clone(),
                    worker: Arc::clone(worker),
                    why,
                });
            }
        }
        while gone.front().is_some_and(|first| now - first.at >= GONE_FOR) || gone.len() > GONE_MAX
        {
            gone.pop_front();
        }
        withdrawn
    }
}

impl Group {
    fn empty() -> Arc<Self> {
        Arc::new(Self {
            tools: BTreeMap::new(),
            workers: 0,
            writes: Arc::default(),
            retry: Arc::new(retry::Policy::new(retry::Settings::default())),
        })
    }

    /// Adds a worker to a tool, which is new perhaps. What the newest says of it
    /// holds.
    fn offer(&mut self, Offered { settings, effect }: Offered, pool: &Pool) -> Crew {
        let name = settings.name.clone();
        let settings = tool::Settings { retry: Some(Arc::clone(&self.retry)), ..settings };
        let (crew, workers) = match self.tools.get_mut(&name) {
            Some(offer) if offer.is_the_same(&settings) => {
                offer.workers += 1;
                return offer.crew.clone();
            }
            Some(offer) => (offer.crew.clone(), offer.workers),
            None => (pool.crew(name.clone()), 0),
        };
        let tool = Tool::new(settings, effect, crew.backend()).sharing(&self.writes);
        let tool = tool.offered();
        let offer = Offer { tool: Arc::new(tool), crew: crew.clone(), workers: workers + 1 };
        self.tools.insert(name, offer);
        crew
    }
}

impl Offer {
    /// Why another worker's cannot be the same tool.
    fn clash(&self, offered: &Offered) -> Option<String> {
        let name = &self.tool.name;
        if self.tool.schema.source().digest() != offered.settings.schema.source().digest() {
            return Some(format!(
                "{name:?} is offered by another worker with another input schema; replicas of a \
                 tool have the same one. Take another name, or let the other end first"
            ));
        }
        (self.tool.effect != offered.effect).then(|| {
            format!(
                "{name:?} is offered by another worker as {}, and here as {}; replicas of a tool \
                 have the same effect",
                self.tool.effect.as_str(),
                offered.effect.as_str()
            )
        })
    }

    /// Whether nothing new is said of it.
    fn is_the_same(&self, settings: &tool::Settings) -> bool {
        self.tool.description == settings.description
            && self.tool.timeout == settings.timeout
            && self.tool.declared_latency() == settings.latency
    }
}

#[cfg(test)]
mod tests;
