//! What the table knows, under its lock.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    task::Waker,
};

use slab::Slab;

use super::{By, Holder, Lock, Obstacle, Ticket};
use crate::{
    clock::Instant,
    model::{Access, Tenant},
};

/// Each tenant's names are its own.
pub(super) type Name = (Tenant, Arc<str>);

#[derive(Default)]
pub(super) struct State {
    /// Those that somebody asked for.
    pub(super) resources: Slab<Resource>,
    names: HashMap<Name, usize>,
    pub(super) requests: Slab<Request>,
    held: usize,
    claims: usize,
    /// The number of the request that came last.
    numbers: u64,
}

pub(super) struct Resource {
    pub(super) name: Name,
    /// Those that read and whose turn it is.
    pub(super) readers: usize,
    /// The one that writes and whose turn it is.
    pub(super) writer: Option<usize>,
    /// The others, in the order in which they asked.
    pub(super) waiters: BTreeMap<u64, (usize, Access)>,
}

pub(super) struct Request {
    number: u64,
    /// By resource, each once.
    pub(super) wants: Vec<(usize, Access)>,
    /// Resources at which it is not yet its turn.
    closed: usize,
    pub(super) holder: Holder,
    pub(super) asked_at: Instant,
    pub(super) granted_at: Option<Instant>,
    waker: Option<Waker>,
}

impl Resource {
    fn is_open_to(&self, access: Access) -> bool {
        self.writer.is_none() && (access == Access::Read || self.readers == 0)
    }

    fn open_to(&mut self, request: usize, access: Access) {
        match access {
            Access::Read => self.readers += 1,
            Access::Write => self.writer = Some(request),
        }
    }

    fn is_unused(&self) -> bool {
        self.readers == 0 && self.writer.is_none() && self.waiters.is_empty()
    }
}

impl Request {
    pub(super) fn is_granted(&self) -> bool {
        self.closed == 0
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl State {
    /// Whether it is not yet the request's turn at this resource, which it wants.
    pub(super) fn is_waiting_at(&self, request: &Request, resource: usize) -> bool {
        !request.is_granted() && self.resources[resource].waiters.contains_key(&request.number)
    }

    pub(super) fn claims(&self) -> usize {
        self.claims
    }

    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn waiting(&self) -> usize {
        self.requests.len() - self.held
    }

    pub(super) fn is_granted(&self, request: usize) -> bool {
        self.requests[request].is_granted()
    }

    /// A request comes; gives its key and its number. It stands in the queues of
    /// all it wants at once, so that the order is the same in each.
    pub(super) fn ask(&mut self, holder: Holder, locks: &[Lock], now: Instant) -> (usize, u64) {
        self.numbers += 1;
        let number = self.numbers;
        let mut wants: Vec<_> = locks
            .iter()
            .map(|lock| (self.resource(&holder.tenant, &lock.key), lock.access))
            .collect();
        wants.sort_unstable_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)));
        wants.dedup_by_key(|(resource, _)| *resource);
        self.claims += wants.len();

        let request = self.requests.vacant_key();
        let mut closed = 0;
        for (resource, access) in wants.iter().copied() {
            let resource = &mut self.resources[resource];
            if resource.waiters.is_empty() && resource.is_open_to(access) {
                resource.open_to(request, access);
            } else {
                resource.waiters.insert(number, (request, access));
                closed += 1;
            }
        }
        let granted_at = (closed == 0).then_some(now);
        self.held += usize::from(closed == 0);
        self.requests.insert(Request {
            number,
            wants,
            closed,
            holder,
            asked_at: now,
            granted_at,
            waker: None,
        });
        (request, number)
    }

    fn resource(&mut self, tenant: &Tenant, key: &Arc<str>) -> usize {
        let name = (tenant.clone(), Arc::clone(key));
        let resources = &mut self.resources;
        *self.names.entry(name).or_insert_with_key(|name| {
            resources.insert(Resource {
                name: name.clone(),
                readers: 0,
                writer: None,
                waiters: BTreeMap::new(),
            })
        })
    }

    /// Whether it was granted; if not, it will be woken.
    pub(super) fn poll(&mut self, request: usize, waker: &Waker) -> bool {
        let request = &mut self.requests[request];
        if !request.is_granted()
            && !request.waker.as_ref().is_some_and(|known| known.will_wake(waker))
        {
            request.waker = Some(waker.clone());
        }
        request.is_granted()
    }

    /// A request goes, granted or not. Gives those to be woken, in the order in
    /// which they asked.
    pub(super) fn release(&mut self, request: usize, now: impl Fn() -> Instant) -> Vec<Waker> {
        let gone = self.requests.remove(request);
        self.held -= usize::from(gone.is_granted());
        self.claims -= gone.wants.len();
        let mut granted = Vec::new();
        for (key, access) in gone.wants {
            let resource = &mut self.resources[key];
            if gone.closed == 0 || resource.waiters.remove(&gone.number).is_none() {
                match access {
                    Access::Read => resource.readers -= 1,
                    Access::Write => resource.writer = None,
                }
            }
            self.advance(key, &mut granted);
            if self.resources[key].is_unused() {
                let Resource { name, .. } = self.resources.remove(key);
                self.names.remove(&name);
            }
        }
        granted.sort_unstable();
        self.held += granted.len();
        let now = (!granted.is_empty()).then(now);
        let mut woken = Vec::with_capacity(granted.len());
        for (_, request) in granted {
            let request = &mut self.requests[request];
            request.granted_at = now;
            woken.extend(request.waker.take());
        }
        woken
    }

    /// Lets those in whose turn it is now.
    fn advance(&mut self, resource: usize, granted: &mut Vec<(u64, usize)>) {
        let resource = &mut self.resources[resource];
        while let Some(first) = resource.waiters.first_entry() {
            let (request, access) = *first.get();
            // As in `is_open_to`, which would borrow the queue too.
            if resource.writer.is_some() || (access == Access::Write && resource.readers > 0) {
                return;
            }
            let (number, _) = first.remove_entry();
            resource.open_to(request, access);
            let request_of = &mut self.requests[request];
            request_of.closed -= 1;
            if request_of.is_granted() {
                granted.push((number, request));
            }
        }
    }

    pub(super) fn obstacle(&self, ticket: Ticket, now: Instant) -> Option<Obstacle> {
        let request = self.requests.get(ticket.request);
        let request = request.filter(|request| request.number == ticket.number)?;
        let closed = |resource: &&Resource| resource.waiters.contains_key(&ticket.number);
        let wants = request.wants.iter().map(|(resource, _)| &self.resources[*resource]);
        let resource = wants.filter(closed).min_by_key(|resource| &resource.name)?;
        let earlier = || resource.waiters.range(..ticket.number).next_back();
        let by = match resource.writer.map(|writer| &self.requests[writer]) {
            Some(Request { holder, granted_at: Some(since), .. }) => {
                By::Writer(holder.clone(), now.saturating_duration_since(*since))
            }
            Some(Request { holder, .. }) => By::Earlier(holder.clone()),
            // One that reads waits only behind one that writes.
            None => match earlier() {
                Some((_, (earlier, _))) => By::Earlier(self.requests[*earlier].holder.clone()),
                None => By::Readers(resource.readers),
            },
        };
        Some(Obstacle { key: Arc::clone(&resource.name.1), by })
    }
}

#[cfg(test)]
impl State {
    /// Everything is counted right, nobody stands against another, and nobody waits
    /// whose turn it is.
    pub(super) fn check_invariants(&self) {
        assert_eq!(self.names.len(), self.resources.len());
        let wants = |request: &Request| request.wants.len();
        assert_eq!(self.claims, self.requests.iter().map(|(_, r)| wants(r)).sum::<usize>());
        let granted = self.requests.iter().filter(|(_, request)| request.is_granted());
        assert_eq!(self.held, granted.count());
        for (key, resource) in &self.resources {
            assert_eq!(self.names[&resource.name], key);
            assert!(!resource.is_unused(), "a name is left behind");
            assert!(resource.writer.is_none() || resource.readers == 0);
            if let Some((_, (_, access))) = resource.waiters.first_key_value() {
                assert!(!resource.is_open_to(*access), "it is its turn and it waits");
            }
        }
        for (key, request) in &self.requests {
            let closed = |(resource, _): &&(usize, Access)| {
                self.resources[*resource].waiters.contains_key(&request.number)
            };
            assert_eq!(request.closed, request.wants.iter().filter(closed).count(), "{key}");
            assert_eq!(request.is_granted(), request.granted_at.is_some());
        }
    }
}
