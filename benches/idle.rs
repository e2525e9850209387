//! What Sidecall costs before anybody uses it.

use std::time::Duration;

use crate::{
    report::{Bound, Row},
    rig::Rig,
    stats::Samples,
};

const STARTS: usize = 20;
/// What a server does once after its start is over by then.
const SETTLED: Duration = Duration::from_secs(1);

/// Memory at rest, and the time from exec to the first answer.
pub(crate) async fn measure(rig: &Rig) -> anyhow::Result<Vec<Row>> {
    let mut starts = Samples::default();
    for _ in 0..STARTS {
        starts.push_ms(rig.sidecall(1)?.took);
    }
    let server = rig.sidecall(1)?;
    tokio::time::sleep(SETTLED).await;
    let memory = server.process.memory()?;
    Ok(vec![
        Row::alone("engine.idle.rss", "MiB", memory.rss_mib, Bound::ValueAtMost(18.0)),
        Row::alone(
            "engine.idle.rss_anonymous",
            "MiB",
            memory.anonymous_mib,
            Bound::ValueAtMost(3.0),
        ),
        Row::alone("engine.start", "ms", starts.median(), Bound::ValueAtMost(50.0))
            .remark(format!("{STARTS} starts {}", starts.spread())),
    ])
}
