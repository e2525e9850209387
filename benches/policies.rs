//! What all policies together cost a call that none of them holds up.

use serde_json::json;

use crate::{
    load::{Agent, turn_of},
    report::{Bound, Row},
    rig::Rig,
    stats::Samples,
};

const CONNECTIONS: usize = 64;
/// More than is ever used up.
const MANY: usize = 1_000_000;
const WARM: usize = 500;
const ROUNDS: usize = 20;
const SINGLES: usize = 250;
const WIDTH: usize = 1000;
const WIDES: usize = 40;

/// `policy.overhead`: one call in a batch, beside the same engine in the same run
/// with nothing declared.
pub(crate) async fn overhead(rig: &Rig) -> anyhow::Result<Row> {
    let none = json!({"concurrency": CONNECTIONS, "retry": {"attempts": 1}, "breaker": "off"});
    let all = json!({
        "concurrency": CONNECTIONS,
        "breaker": {"failures": 10, "rate": "50%"},
        "rate": [
            "1000000/s burst 1000000",
            "60000000/min burst 1000000",
            "1000000/s burst 1000000 per session",
        ],
    });
    let budgets = json!({
        "sessions": {"calls": MANY, "cost": MANY, "repeat": {"calls": 10_000, "within": "1s"}},
    });
    let tool = json!({"concurrency": 10_000, "cost": 2, "reads": ["record/{key}"]});
    let servers = (
        rig.limited(
            "unlimited",
            &json!({"sessions": {"repeat": "off"}}),
            &none,
            &[("now", json!({}))],
        )?,
        rig.limited("limited", &budgets, &all, &[("now", tool)])?,
    );
    let mut agents =
        (Agent::connect(&servers.0.socket).await?, Agent::connect(&servers.1.socket).await?);
    // One session: a turn without a name is a session of its own, which nothing that
    // was spent before is looked up for.
    let turn =
        |calls: usize| turn_of((0..calls).map(|place| ("now", format!("k{place}"))), "agent");
    let (one, wide) = (turn(1), turn(WIDTH));
    for _ in 0..WARM {
        agents.0.run(&one).await?;
        agents.1.run(&one).await?;
    }
    let (mut without, mut with, mut rounds) =
        (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..ROUNDS {
        let (mut theirs, mut ours) = (Samples::default(), Samples::default());
        for _ in 0..SINGLES {
            theirs.push(agents.0.run(&one).await?.as_secs_f64() * 1e6);
            ours.push(agents.1.run(&one).await?.as_secs_f64() * 1e6);
        }
        rounds.push(ours.median() - theirs.median());
        without.extend(&theirs);
        with.extend(&ours);
    }
    // Among a thousand, what it takes of the processor: nothing hides it there.
    let mut cpu = Vec::new();
    for (server, agent) in [(&servers.0, &mut agents.0), (&servers.1, &mut agents.1)] {
        agent.run(&wide).await?;
        let before = server.process.cpu()?;
        for _ in 0..WIDES {
            agent.run(&wide).await?;
        }
        let used = server.process.cpu()? - before;
        cpu.push(used.as_secs_f64() * 1e6 / (WIDTH * WIDES) as f64);
    }
    let figures = (with.median(), without.median());
    Ok(Row::beside("policy.overhead", "us", figures, Bound::MoreByAtMost(10.0)).remark(format!(
        "p50, more by {} in each round; CPU of a call among {WIDTH} {:.1}, without {:.1}",
        rounds.spread(),
        cpu[1],
        cpu[0]
    )))
}
