//! Who is meant by a name.

use std::{collections::HashMap, fmt::Write as _};

use super::{Call, Target};

/// Most calls that a message names.
const NAMED_MAX: usize = 20;

/// The calls of a turn by everything that they can be called.
#[derive(Debug)]
pub(super) struct Names<'a> {
    calls: &'a [Call<'a>],
    ids: HashMap<&'a str, usize>,
    tools: HashMap<&'a str, Vec<usize>>,
}

/// Why nobody is meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nobody {
    /// No call is called so.
    Unknown,
    /// Several are.
    Several,
    /// The tool has no such call, though it has others.
    Beyond,
}

impl<'a> Names<'a> {
    pub(super) fn new(calls: &'a [Call<'a>]) -> Self {
        let ids = calls.iter().enumerate().rev().map(|(place, call)| (call.id.as_str(), place));
        let mut tools: HashMap<&str, Vec<usize>> = HashMap::with_capacity(calls.len());
        for (place, call) in calls.iter().enumerate() {
            tools.entry(call.tool).or_default().push(place);
        }
        Self { calls, ids: ids.collect(), tools }
    }

    /// Whether the call's tool exists.
    pub(super) fn is_known(&self, place: usize) -> bool {
        self.calls[place].is_known
    }

    /// The place in the turn of the call that is meant.
    pub(super) fn find(&self, target: &Target) -> Result<usize, Nobody> {
        match target {
            Target::Named(name) => self.named(name),
            Target::Nth { tool, nth } => {
                let calls = self.calls_of(tool);
                let beyond = if calls.is_empty() { Nobody::Unknown } else { Nobody::Beyond };
                calls.get(nth.get() - 1).copied().ok_or(beyond)
            }
            Target::Position(position) => match self.named(&position.to_string()) {
                Err(Nobody::Unknown) if position.get() <= self.calls.len() => {
                    Ok(position.get() - 1)
                }
                found => found,
            },
        }
    }

    fn named(&self, name: &str) -> Result<usize, Nobody> {
        if let Some(&place) = self.ids.get(name) {
            return Ok(place);
        }
        match self.calls_of(name) {
            [] => Err(Nobody::Unknown),
            [place] => Ok(*place),
            _ => Err(Nobody::Several),
        }
    }

    /// Places of a tool's calls, in block order.
    pub(super) fn calls_of(&self, tool: &str) -> &[usize] {
        self.tools.get(tool).map_or(&[], Vec::as_slice)
    }

    /// What to call it in a reference: its tool's name, numbered where there are
    /// several; its id where that name would not find it.
    pub(super) fn label(&self, place: usize) -> String {
        let call = &self.calls[place];
        let label = match self.calls_of(call.tool) {
            [_] => call.tool.to_owned(),
            several => {
                let nth = several.partition_point(|&other| other < place) + 1;
                format!("{}#{nth}", call.tool)
            }
        };
        match label.parse().map(|target| self.find(&target)) {
            Ok(Ok(found)) if found == place => label,
            _ => call.id.to_string(),
        }
    }

    /// Says why nobody is meant, and who could be.
    pub(super) fn explain(&self, target: &Target, nobody: Nobody) -> String {
        match (nobody, target) {
            (Nobody::Several, _) => {
                let name = target.to_string();
                let calls = self.calls_of(&name);
                format!(
                    "`{name}` is called {} times; write one of {}",
                    calls.len(),
                    self.list(calls)
                )
            }
            (Nobody::Beyond, Target::Nth { tool, .. }) => {
                let calls = self.calls_of(tool);
                format!(
                    "`{target}` is no call of this turn, which calls `{tool}` only as {}",
                    self.list(calls)
                )
            }
            _ => format!("`{target}` is no call of this turn; {}", self.everyone()),
        }
    }

    /// Names all calls, for who wrote another name.
    pub(super) fn everyone(&self) -> String {
        let named: Vec<usize> = (0..self.calls.len().min(NAMED_MAX + 1)).collect();
        let mut text = format!("its calls are {}", self.list(&named[..named.len().min(NAMED_MAX)]));
        if self.calls.len() > NAMED_MAX {
            let _ = write!(text, " and {} more", self.calls.len() - NAMED_MAX);
        }
        text
    }

    fn list(&self, places: &[usize]) -> String {
        let mut text = String::new();
        for &place in places.iter().take(NAMED_MAX) {
            let comma = if text.is_empty() { "" } else { ", " };
            let label = self.label(place);
            let id = self.calls[place].id.as_str();
            // A failed write to a string cannot be.
            let _ = match label == id {
                true => write!(text, "{comma}`{label}`"),
                false => write!(text, "{comma}`{label}` (id {id})"),
            };
        }
        if places.len() > NAMED_MAX {
            let _ = write!(text, " and {} more", places.len() - NAMED_MAX);
        }
        text
    }
}
