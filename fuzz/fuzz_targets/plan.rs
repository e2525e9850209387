//! Any turn is planned, and any result goes into its inputs.
//!
//! The first line is the result that every call comes to; a line that begins
//! with `!` makes the turn ordered. Every other line is a call:
//! `tool|depends_on,…|after,…|input`. Tools that begin with `w` keep block order;
//! of others what follows a `:` in the name is what they read, or write after a
//! `!`, with `*` for what is not known.
#![no_main]

use std::{collections::HashSet, sync::Arc};

use libfuzzer_sys::fuzz_target;
use sidecall::{
    model::{Access, ApiName, CallId, Claim, ClaimKey, Content, Json, Ordering, ToolName},
    plan::{self, Call, Plan, Whole},
};

/// Longest input that a template may come to.
const BYTES_MAX: usize = 1 << 16;

fuzz_target!(|text: &str| {
    let (result, lines) = text.split_once('\n').unwrap_or((text, ""));
    let is_ordered = result.starts_with('!');
    let ordering = if is_ordered { Ordering::Ordered } else { Ordering::Free };
    let said: Vec<Said<'_>> = lines.lines().take(64).enumerate().map(Said::read).collect();
    let calls: Vec<Call<'_>> = said.iter().map(Said::call).collect();
    let plan = plan::build(&calls, ordering);
    check(&plan, calls.len());

    let whole = Whole::new(&[Content::Text(result.trim_start_matches('!').into())]);
    for template in plan.nodes.iter().filter_map(|node| node.template.as_ref()) {
        assert!(template.parents().iter().all(|&parent| parent < calls.len()));
        // Every other call has no result.
        for every in 1..=2 {
            let resolved =
                template.resolve(BYTES_MAX, |call| (call % every == 0).then_some(&whole));
            match resolved {
                Ok(input) => assert!(input.as_str().len() <= BYTES_MAX),
                Err(failure) => assert!(!failure.message.is_empty()),
            }
        }
    }
});

struct Said<'a> {
    id: CallId,
    tool: &'a str,
    depends_on: Vec<String>,
    after: Vec<ToolName>,
    input: Option<Json>,
    turn: Option<ApiName>,
    claims: Vec<Claim>,
}

impl<'a> Said<'a> {
    fn read((place, line): (usize, &'a str)) -> Self {
        let mut fields = line.splitn(4, '|');
        let mut field = || fields.next().unwrap_or_default();
        let (tool, depends_on, after, input) = (field(), field(), field(), field());
        let names = |text: &'a str| text.split(',').filter(|name| !name.is_empty());
        Self {
            id: CallId::positional(place + 1),
            tool,
            depends_on: names(depends_on).map(str::to_owned).collect(),
            after: names(after).filter_map(|name| ToolName::try_new(name).ok()).collect(),
            input: Json::try_new(input).ok(),
            turn: tool.starts_with('w').then(|| ApiName::try_new("api").ok()).flatten(),
            claims: tool.split(':').skip(1).take(4).map(claim).collect(),
        }
    }

    fn call(&self) -> Call<'_> {
        Call {
            id: &self.id,
            tool: self.tool,
            is_known: !self.tool.starts_with('x'),
            input: self.input.as_ref(),
            depends_on: &self.depends_on,
            after: &self.after,
            references: true,
            turn: self.turn.as_ref(),
            claims: &self.claims,
            series: self.tool.starts_with('s').then_some("series"),
        }
    }
}

fn claim(text: &str) -> Claim {
    let (access, name) = match text.strip_prefix('!') {
        Some(name) => (Access::Write, name),
        None => (Access::Read, text),
    };
    let key = match name.contains('*') {
        true => ClaimKey::Unknown(name.split('*').map(Arc::from).collect()),
        false => ClaimKey::Known(name.into()),
    };
    Claim { key, access }
}

fn check(plan: &Plan, count: usize) {
    assert_eq!(plan.nodes.len(), count);
    let mut place = vec![None; count];
    for (at, call) in plan.order().enumerate() {
        assert_eq!(place[call].replace(at), None);
    }
    assert!(place.iter().all(Option::is_some));
    let mut pairs = HashSet::new();
    for edge in &plan.edges {
        assert!(place[edge.from] < place[edge.to], "{edge:?} stands against the order");
        assert!(pairs.insert((edge.from, edge.to)), "{edge:?} stands twice");
    }
    let latencies = vec![std::time::Duration::from_secs(1); count];
    let estimate = plan::estimate(plan, &latencies);
    assert!(estimate.critical.len() <= estimate.depth && estimate.depth <= count);
    for edge in &plan.edges {
        assert!(estimate.depths[edge.from] < estimate.depths[edge.to]);
    }
}
