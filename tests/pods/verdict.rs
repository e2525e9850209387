//! Holds what an agent was told against what the API's ledger knows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What became of an agent's turns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Turns that have ended.
    pub(crate) turns: usize,
    pub(crate) calls: usize,
    pub(crate) succeeded: usize,
    /// Results that the client made, since the sidecar died.
    pub(crate) synthetic: usize,
    /// Turns whose stream broke.
    pub(crate) interrupted: usize,
    /// Turns that were refused, or found nobody, to the end.
    pub(crate) raised: usize,
    /// Turns that were sent more than once.
    pub(crate) resent: usize,
    /// Turns of agents that were killed.
    pub(crate) open: usize,
    pub(crate) effects: usize,
}

impl Tally {
    /// Takes another one in.
    pub(crate) fn add(&mut self, other: &Self) {
        self.turns += other.turns;
        self.calls += other.calls;
        self.succeeded += other.succeeded;
        self.synthetic += other.synthetic;
        self.interrupted += other.interrupted;
        self.raised += other.raised;
        self.resent += other.resent;
        self.open += other.open;
        self.effects += other.effects;
    }
}

/// Judges every turn of `reports` (see `agent.py`) by the lines of the ledger. At
/// most `open_max` may have no end: those of agents that were killed.
pub(crate) fn judge(reports: &str, ledger: &str, open_max: usize) -> Tally {
    let mut effects: BTreeMap<&str, usize> = BTreeMap::new();
    ledger.lines().for_each(|name| *effects.entry(name).or_default() += 1);
    let twice: Vec<_> = effects.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "these took effect twice: {twice:?}");

    let mut tally = Tally { effects: effects.len(), ..Tally::default() };
    let mut begun = BTreeMap::new();
    let mut asked = BTreeSet::new();
    for line in reports.lines() {
        // A killed agent's last line may be half a line.
        let Ok(report) = serde_json::from_str::<Value>(line) else {
            tally.open += 1;
            continue;
        };
        if let Some(batch) = report["begun"].as_str() {
            let calls = report["calls"].as_array().expect("calls");
            asked.extend(calls.iter().map(|call| text(&call["name"]).to_owned()));
            begun.insert(batch.to_owned(), report);
        } else if let Some(batch) = report["ended"].as_str() {
            let turn = begun.remove(batch).unwrap_or_else(|| panic!("{batch} ended twice"));
            Ended { turn: &turn, report: &report, effects: &effects }.judge(&mut tally);
        }
    }
    tally.open += begun.len();
    assert!(tally.open <= open_max, "{} turns have no end: {begun:#?}", tally.open);
    let strange: Vec<_> = effects.keys().filter(|name| !asked.contains(**name)).collect();
    assert!(strange.is_empty(), "nobody asked for these: {strange:?}");
    tally
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

/// A turn that has ended, and what it had to do with.
struct Ended<'a> {
    turn: &'a Value,
    report: &'a Value,
    effects: &'a BTreeMap<&'a str, usize>,
}

impl Ended<'_> {
    fn judge(&self, tally: &mut Tally) {
        let (calls, results) = (list(&self.turn["calls"]), list(&self.report["results"]));
        let ids = |list: &[Value]| list.iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
        assert_eq!(ids(results), ids(calls), "N in, N out, in order: {:#}", self.report);
        let is_raised = !self.report["raised"].is_null();
        tally.turns += 1;
        tally.calls += calls.len();
        tally.raised += usize::from(is_raised);
        tally.interrupted += usize::from(!self.report["interrupted"].is_null());
        for (call, result) in calls.iter().zip(results) {
            self.judge_call(call, result, is_raised);
            tally.succeeded += usize::from(result["outcome"] == "succeeded");
            tally.synthetic += usize::from(result["is_synthetic"] == true);
        }
        self.judge_bundle(calls, results);
        self.judge_sends(tally);
    }

    /// The result is typed, and true.
    fn judge_call(&self, call: &Value, result: &Value, is_raised: bool) {
        let is_succeeded = result["outcome"] == "succeeded";
        let code = result["code"].as_str();
        assert_eq!(is_succeeded, code.is_none(), "typed: {result}");
        assert_eq!(result["is_error"], !is_succeeded, "{result}");
        let tool = text(&call["tool"]);
        if tool == "look" {
            return;
        }
        let effects = self.effects.get(text(&call["name"])).copied().unwrap_or(0);
        let may_be: &[usize] = match (code, tool) {
            (None, _) => &[1],
            // Whose turn was refused did not run.
            _ if is_raised => &[0],
            (Some("outcome_unknown"), _) => &[0, 1],
            (Some("dependency_failed" | "invalid_input" | "unknown_tool"), _) => &[0],
            // Asked again it takes no second effect, so it need not be known.
            (Some(_), "pay_keyed") => &[0, 1],
            (Some(_), _) => &[0],
        };
        assert!(
            may_be.contains(&effects),
            "{effects} effects, and the agent was told {result} of {call} in {:#}",
            self.report
        );
    }

    /// What goes into the history is valid for its provider.
    fn judge_bundle(&self, calls: &[Value], results: &[Value]) {
        let items = list(&self.report["items"]);
        assert_eq!(items.len(), calls.len(), "{:#}", self.report);
        for ((item, call), result) in items.iter().zip(calls).zip(results) {
            let id = match text(&self.turn["shape"]) {
                "anthropic" => {
                    assert_eq!(item["type"], "tool_result", "{item}");
                    let is_error = item["is_error"] == true;
                    assert_eq!(is_error, result["is_error"] == true, "{item} and {result}");
                    &item["tool_use_id"]
                }
                _ => {
                    assert_eq!(item["role"], "tool", "{item}");
                    &item["tool_call_id"]
                }
            };
            assert_eq!(id, &call["id"]);
            let is_empty = match &item["content"] {
                Value::String(text) => text.is_empty(),
                Value::Array(blocks) => blocks.iter().any(|block| block["text"] == ""),
                _ => true,
            };
            assert!(!is_empty, "an empty block: {item}");
        }
    }

    /// Sent again only when the sending before was refused with `RetryInfo`, or never
    /// left, and nothing was accepted.
    fn judge_sends(&self, tally: &mut Tally) {
        let sends = list(&self.report["sends"]);
        let accepted = self.report["accepted"].as_u64().expect("a number");
        assert!(accepted <= 1, "accepted twice: {:#}", self.report);
        if let [before @ .., last] = sends {
            let is_proven = before.iter().all(|send| send["is_refused"] == true);
            assert!(is_proven, "sent again without proof: {:#}", self.report);
            assert!(accepted == 0 || last["is_refused"] == false, "{:#}", self.report);
            tally.resent += usize::from(!before.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: &str = r#"{"begun": "b", "shape": "anthropic", "calls": [{"id": "call_1", "tool": "pay", "name": "n"}]}"#;

    /// A turn of one payment, of which the agent was told this.
    fn told(outcome: &str, code: &str, sends: &str, raised: &str) -> String {
        let is_error = outcome != "succeeded";
        format!(
            r#"{TURN}
{{"ended": "b", "raised": {raised}, "interrupted": null, "accepted": 1, "sends": [{sends}], "items": [{{"type": "tool_result", "tool_use_id": "call_1", "content": "x", "is_error": {is_error}}}], "results": [{{"id": "call_1", "outcome": "{outcome}", "is_error": {is_error}, "code": {code}, "is_synthetic": false}}]}}"#
        )
    }

    fn is_guilty(reports: &str, ledger: &str) -> bool {
        std::panic::catch_unwind(|| judge(reports, ledger, 0)).is_err()
    }

    #[test]
    fn what_is_true_is_found_so_and_what_is_not_is_not() {
        let sent = r#"{"status": "OK", "is_refused": false}"#;
        let succeeded = told("succeeded", "null", sent, "null");
        let unknown = told("failed", r#""outcome_unknown""#, sent, "null");
        let cancelled = told("cancelled", r#""cancelled""#, sent, "null");
        for (reports, ledger, guilty) in [
            (&succeeded, "n\n", false),
            (&succeeded, "", true),
            (&succeeded, "n\nn\n", true),
            (&succeeded, "n\nm\n", true),
            (&unknown, "", false),
            (&unknown, "n\n", false),
            (&cancelled, "", false),
            (&cancelled, "n\n", true),
            (&told("failed", "null", sent, "null"), "", true),
            (&told("succeeded", "null", sent, r#""Draining""#), "n\n", false),
            (&told("failed", r#""outcome_unknown""#, sent, r#""Draining""#), "n\n", true),
            (&TURN.to_owned(), "", true),
        ] {
            assert_eq!(is_guilty(reports, ledger), guilty, "{ledger:?} {reports}");
        }
    }

    #[test]
    fn a_second_sending_needs_the_proof_of_a_refusal() {
        let refused = r#"{"status": "UNAVAILABLE", "is_refused": true}"#;
        let broken = r#"{"status": "UNAVAILABLE", "is_refused": false}"#;
        let ok = r#"{"status": "OK", "is_refused": false}"#;
        for (first, guilty) in [(refused, false), (broken, true), (ok, true)] {
            let reports = told("succeeded", "null", &format!("{first}, {ok}"), "null");
            assert_eq!(is_guilty(&reports, "n\n"), guilty, "{first}");
        }
    }
}
