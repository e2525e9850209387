//! What Sidecall costs before anybody uses it.

use std::{io::Read, os::unix::net::UnixStream, path::Path, time::Duration};

use anyhow::Context;
use serde_json::json;
use sidecall::clock;

use crate::{
    process,
    report::{Bound, Row},
    rig::Rig,
    stats::Samples,
};

const STARTS: usize = 20;
/// What a server does once after its start is over by then.
const SETTLED: Duration = Duration::from_secs(1);

/// Connections that are held and not used.
const CONNECTIONS: usize = 1000;

/// Memory and processor time at rest, over so long a window; memory of connections;
/// the time from exec to the first answer.
pub(crate) async fn measure(rig: &Rig, window: Duration) -> anyhow::Result<Vec<Row>> {
    let mut starts = Samples::default();
    for _ in 0..STARTS {
        starts.push_ms(rig.sidecall(1)?.took);
    }
    let server = rig.sidecall(1)?;
    tokio::time::sleep(SETTLED).await;
    let memory = server.process.memory()?;
    drop(server);

    // As it is run in a pod: with what probes and scrapers ask.
    let admin = json!({"listen": {"admin": "127.0.0.1:0"}});
    let tools = [("now", json!({}))];
    let server = rig.limited("idle", &admin, &json!({}), &tools)?;
    tokio::time::sleep(SETTLED).await;
    let with_admin = server.process.memory()?;
    let (before, began) = (server.process.cpu()?, clock::now());
    tokio::time::sleep(window).await;
    let cpu = server.process.cpu()?.saturating_sub(before).as_secs_f64();
    let cpu = cpu / began.elapsed().as_secs_f64() * 100.0;
    let held = hold(&server.socket)?;
    tokio::time::sleep(SETTLED).await;
    let held_mib = server.process.memory()?.rss_mib - with_admin.rss_mib;
    let each = held_mib * 1024.0 / held.len() as f64;
    drop(held);
    Ok(vec![
        Row::alone("engine.idle.cpu", "% of a core", cpu, Bound::ValueAtMost(0.1))
            .remark(format!("over {} s", window.as_secs())),
        Row::alone("engine.idle.connection", "KiB", each, Bound::ValueAtMost(32.0))
            .remark(format!("each of {CONNECTIONS} that are held and not used")),
        Row::alone("engine.idle.admin", "MiB", with_admin.anonymous_mib, Bound::ValueAtMost(3.0))
            .remark("anonymous, with the admin port and its metrics"),
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

/// Connections that speak HTTP/2 and ask nothing.
fn hold(socket: &Path) -> anyhow::Result<Vec<UnixStream>> {
    let held = (0..CONNECTIONS).map(|number| {
        let connected = || -> std::io::Result<UnixStream> {
            let mut stream = process::greet(socket)?;
            // The server's own settings and its answer to ours: both are through.
            let mut said = [0; 18];
            stream.read_exact(&mut said)?;
            Ok(stream)
        };
        connected().with_context(|| {
            format!("connection {number} of {CONNECTIONS}; descriptors may be short (`ulimit -n`)")
        })
    });
    held.collect()
}
