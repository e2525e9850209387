//! Other limits while calls run and wait.
//!
//! What a name stands for stays: its attempts in flight, its waiters, the tokens
//! that were taken, what its breaker and its pause know. Only what the limits say
//! of it changes, for whoever asks or waits from now on. A cap that is smaller than
//! what is in flight takes nothing away: nobody is let in until there is room.
//!
//! Limits that are gone hold on for the batches that came before: their calls may
//! still ask. With the last of these they are let go, and their place is free.

use std::{
    collections::{BTreeMap, HashSet},
    num::NonZeroUsize,
};

use super::{Aftermath, State};
use crate::{
    clock::Instant,
    limits::gate::{
        Settings,
        api::{Api, Cap},
    },
    model::{ApiName, ToolName},
};

/// Which limits held when, and who came under which.
#[derive(Debug, Default)]
pub(super) struct Epochs {
    /// How often there were others.
    now: u64,
    /// Open batches by the epoch in which they came.
    batches: BTreeMap<u64, usize>,
    /// What is gone, with the first epoch that does not know of it.
    going: Vec<(u64, Going)>,
    free_apis: Vec<usize>,
    free_tools: Vec<usize>,
}

#[derive(Debug)]
enum Going {
    Api(ApiName, usize),
    Tool(ToolName, usize),
}

impl Epochs {
    /// A batch comes. Gives its epoch.
    pub(super) fn enter(&mut self) -> u64 {
        *self.batches.entry(self.now).or_default() += 1;
        self.now
    }

    /// A batch goes. Gives whether something may be let go now.
    fn leave(&mut self, epoch: u64) -> bool {
        if let Some(open) = self.batches.get_mut(&epoch) {
            *open -= 1;
            if *open == 0 {
                self.batches.remove(&epoch);
            }
        }
        !self.going.is_empty()
    }

    /// The cap of a tool that has none any more, for a batch that came before.
    pub(super) fn former(&self, tool: &ToolName, epoch: u64) -> Option<usize> {
        self.going.iter().find_map(|(since, going)| match going {
            Going::Tool(name, key) if name == tool && epoch < *since => Some(*key),
            _ => None,
        })
    }

    /// Takes out what nobody who is there knows of any more, and nobody uses.
    fn let_go(&mut self, is_unused: impl Fn(usize) -> bool) -> Vec<Going> {
        let first = self.batches.keys().next().copied().unwrap_or(u64::MAX);
        let is_kept = |(since, going): &(u64, Going)| {
            first < *since || matches!(going, Going::Api(_, key) if !is_unused(*key))
        };
        let (kept, gone) = std::mem::take(&mut self.going).into_iter().partition(is_kept);
        self.going = kept;
        gone.into_iter().map(|(_, going)| going).collect()
    }
}

impl State {
    /// These limits hold from now on.
    pub(in crate::limits::gate) fn reconfigure(
        &mut self,
        settings: Settings,
        now: Instant,
    ) -> Aftermath {
        let Settings { process, session, batch, apis, tools } = settings;
        self.process.max = process.get();
        self.session_max = session;
        for (_, open) in &mut self.sessions {
            open.cap.max = session.get();
        }
        // A batch that runs keeps its own.
        self.batch_max = batch;
        self.epochs.now += 1;
        self.set_apis(apis, now);
        self.set_tools(tools);
        self.let_go();

        let mut aftermath = Aftermath::default();
        for api in 0..self.apis.len() {
            // Whoever stands aside may have what he lacked.
            self.apis[api].waiters.look_again();
            self.grant(api, now, &mut aftermath);
        }
        aftermath
    }

    fn set_apis(&mut self, apis: Vec<super::super::Api>, now: Instant) {
        let since = self.epochs.now;
        let names: HashSet<&ApiName> = apis.iter().map(|api| &api.name).collect();
        for (name, key) in &self.api_keys {
            let is_known =
                |(_, going): &(u64, Going)| matches!(going, Going::Api(_, of) if of == key);
            if !names.contains(name) && !self.epochs.going.iter().any(is_known) {
                self.epochs.going.push((since, Going::Api(name.clone(), *key)));
                self.apis[*key].is_shown_idle = false;
            }
        }
        for api in apis {
            if let Some(key) = self.api_keys.get(&api.name).copied() {
                self.epochs
                    .going
                    .retain(|(_, going)| !matches!(going, Going::Api(_, of) if *of == key));
                self.apis[key].reconfigure(api, now);
                continue;
            }
            let name = api.name.clone();
            let key = match self.epochs.free_apis.pop() {
                Some(free) => {
                    self.apis[free] = Api::new(api);
                    free
                }
                None => {
                    self.apis.push(Api::new(api));
                    self.apis.len() - 1
                }
            };
            self.api_keys.insert(name, key);
        }
    }

    fn set_tools(&mut self, tools: Vec<(ToolName, NonZeroUsize)>) {
        let since = self.epochs.now;
        let names: HashSet<&ToolName> = tools.iter().map(|(name, _)| name).collect();
        let gone = self.tool_keys.extract_if(|name, _| !names.contains(name));
        self.epochs.going.extend(gone.map(|(name, key)| (since, Going::Tool(name, key))));
        for (name, max) in tools {
            let known = self.tool_keys.get(&name).copied().or_else(|| self.back_again(&name));
            let key = match known.or_else(|| self.epochs.free_tools.pop()) {
                Some(key) => key,
                None => {
                    self.tools.push(None);
                    self.tools.len() - 1
                }
            };
            self.tools[key].get_or_insert_with(|| Cap::new(max)).max = max.get();
            self.tool_keys.insert(name, key);
        }
    }

    /// The cap of a tool that had gone, with what is in flight under it.
    fn back_again(&mut self, tool: &ToolName) -> Option<usize> {
        let is_its =
            |(_, going): &(u64, Going)| matches!(going, Going::Tool(name, _) if name == tool);
        let at = self.epochs.going.iter().position(is_its)?;
        match self.epochs.going.remove(at).1 {
            Going::Tool(_, key) => Some(key),
            Going::Api(..) => None,
        }
    }

    /// A batch of that epoch has gone: what only its like knew of goes with the last.
    pub(super) fn depart(&mut self, epoch: u64) {
        if self.epochs.leave(epoch) {
            self.let_go();
        }
    }

    fn let_go(&mut self) {
        for going in self.epochs.let_go(|api| self.apis[api].is_unused()) {
            match going {
                Going::Api(name, key) => {
                    self.api_keys.remove(&name);
                    self.apis[key] = Api::unlimited();
                    self.epochs.free_apis.push(key);
                }
                Going::Tool(_, key) => {
                    self.tools[key] = None;
                    self.epochs.free_tools.push(key);
                }
            }
        }
    }
}
