//! What it is worth that calls run while the model still writes: a scripted model
//! whose five calls are complete one after the other, the slowest tool first.

use std::time::Duration;

use sidecall::{
    clock,
    proto::v1::{
        Commit, ExecuteStreamRequest, InputFragment, StreamOpen, ToolUse, ToolUseBegun,
        ToolUseEnded, execute_stream_request::Step,
    },
};
use tokio::{sync::mpsc, time::sleep};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    load::{self, Agent},
    report::{Bound, Row},
    rig::Rig,
};

/// What the model calls, in its order: its tools take 2.0, 1.6, 1.2, 0.8 and 0.4 s.
const TOOLS: [&str; 5] = ["wait2000", "wait1600", "wait1200", "wait800", "wait400"];
/// What it takes to write one of them.
const WRITES: Duration = Duration::from_millis(400);
/// The last is written at 2.0 s, and takes 0.4 s.
const AT_MOST_MS: f64 = 2_500.0;

/// `stream.turn`: from the model's first character to the last result, beside the
/// same turn sent when it is whole.
pub(crate) async fn turn(rig: &Rig) -> anyhow::Result<Row> {
    let tools = TOOLS.map(|tool| (tool, serde_json::json!({})));
    let nothing = serde_json::json!({});
    let server = rig.limited("sidecall-streamed", &nothing, &nothing, &tools)?;
    let mut agent = Agent::connect(&server.socket).await?;

    let began = clock::now();
    for _ in TOOLS {
        sleep(WRITES).await;
    }
    let keys = TOOLS.iter().map(|tool| (*tool, format!("whole-{tool}")));
    agent.run(&load::turn_of(keys, "")).await?;
    let at_once = began.elapsed();

    let began = clock::now();
    let (steps, received) = mpsc::channel(8);
    let model = async move {
        let say = |step| steps.send(ExecuteStreamRequest { step: Some(step) });
        say(Step::Open(StreamOpen::default())).await?;
        for (block, tool) in (0..).zip(TOOLS) {
            let tool_use = Some(ToolUse { name: tool.to_owned(), ..ToolUse::default() });
            let begun = ToolUseBegun { block, tool_use, ..ToolUseBegun::default() };
            say(Step::ToolUseBegun(begun)).await?;
            for piece in ["{\"key\":", "\"streamed-", tool, "\"}"] {
                sleep(WRITES / 4).await;
                let json = piece.to_owned();
                say(Step::InputFragment(InputFragment { block, json })).await?;
            }
            say(Step::ToolUseEnded(ToolUseEnded { block })).await?;
        }
        say(Step::Commit(Commit {})).await?;
        anyhow::Ok(())
    };
    let (written, read) = tokio::join!(model, agent.read_along(ReceiverStream::new(received), 5));
    written?;
    read?;
    let streamed = began.elapsed();

    let ms = |took: Duration| took.as_secs_f64() * 1_000.0;
    let figures = (ms(streamed), ms(at_once));
    Ok(Row::beside("stream.turn", "ms", figures, Bound::ValueAtMost(AT_MOST_MS))
        .remark("five reads written in 2.0 s, beside ExecuteBatch when they are whole".to_owned()))
}
