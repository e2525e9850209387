//! The caller's side: an agent with generated stubs and one connection.

use std::{path::Path, time::Duration};

use anyhow::{Context, bail, ensure};
use sidecall::{
    clock,
    proto::v1::{
        BatchEvent, ExecuteBatchRequest, ExecuteBatchResponse, ExecuteStreamRequest, Outcome,
        ToolUse, ToolUses, batch_event, execute_batch_request::Turn,
        sidecall_service_client::SidecallServiceClient,
    },
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Streaming,
    transport::{Channel, Endpoint},
};

/// Time after which a batch counts as stuck.
const STUCK: Duration = Duration::from_secs(30);

/// One agent.
#[derive(Clone, Debug)]
pub(crate) struct Agent(SidecallServiceClient<Channel>);

impl Agent {
    /// Connects to whoever serves on `socket`.
    pub(crate) async fn connect(socket: &Path) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display()))?;
        let channel = endpoint
            .connect()
            .await
            .with_context(|| format!("nobody serves on {}", socket.display()))?;
        Ok(Self(SidecallServiceClient::new(channel)))
    }

    /// Sends `turn` and reads the stream to its end; how long that took. Every
    /// call must succeed: a figure of failures is worth nothing.
    pub(crate) async fn run(&mut self, turn: &ExecuteBatchRequest) -> anyhow::Result<Duration> {
        let turn = turn.clone();
        let calls = match &turn.turn {
            Some(Turn::Typed(turn)) => turn.tool_uses.len(),
            _ => bail!("the bench sends typed turns only"),
        };
        let begin = clock::now();
        let succeeded = tokio::time::timeout(STUCK, self.succeeded(turn))
            .await
            .context("a batch did not end")??;
        let took = begin.elapsed();
        ensure!(succeeded == calls, "{succeeded} of {calls} calls succeeded");
        Ok(took)
    }

    /// Sends `turn` and gives its stream, for whoever does not expect that all of
    /// it goes well.
    pub(crate) async fn open(
        &mut self,
        turn: ExecuteBatchRequest,
    ) -> anyhow::Result<Streaming<ExecuteBatchResponse>> {
        Ok(self.0.execute_batch(turn).await?.into_inner())
    }

    /// Sends these steps as they come and reads the stream to its end: every call of
    /// so many must succeed.
    pub(crate) async fn read_along(
        &mut self,
        steps: ReceiverStream<ExecuteStreamRequest>,
        calls: usize,
    ) -> anyhow::Result<()> {
        let mut events = self.0.execute_stream(steps).await?.into_inner();
        let mut succeeded = 0;
        while let Some(message) = events.message().await? {
            succeeded += usize::from(success(message.event)?);
        }
        ensure!(succeeded == calls, "{succeeded} of {calls} calls succeeded");
        Ok(())
    }

    async fn succeeded(&mut self, turn: ExecuteBatchRequest) -> anyhow::Result<usize> {
        let mut events = self.open(turn).await?;
        let mut succeeded = 0;
        while let Some(message) = events.message().await? {
            succeeded += usize::from(success(message.event)?);
        }
        Ok(succeeded)
    }
}

/// Whether the event is that of a call that has succeeded. One that did not is a
/// failure of the measurement.
fn success(event: Option<BatchEvent>) -> anyhow::Result<bool> {
    let Some(batch_event::Event::CallFinished(finished)) = event.and_then(|event| event.event)
    else {
        return Ok(false);
    };
    let result = finished.result.context("a finished call without a result")?;
    if result.outcome() != Outcome::Succeeded {
        bail!("{} did not succeed: {:?}", result.call_id, result.failure);
    }
    Ok(true)
}

/// A turn of `calls` calls of `tool`.
pub(crate) fn turn(tool: &str, calls: usize) -> ExecuteBatchRequest {
    turn_of((0..calls).map(|place| (tool, format!("k{place}"))), "")
}

/// A turn of these tools and keys, each key also the call's id.
pub(crate) fn turn_of<'a>(
    calls: impl IntoIterator<Item = (&'a str, String)>,
    session: &str,
) -> ExecuteBatchRequest {
    let tool_uses = calls
        .into_iter()
        .map(|(tool, key)| ToolUse {
            name: tool.to_owned(),
            input_json: format!(r#"{{"key":"{key}"}}"#),
            id: key,
            ..ToolUse::default()
        })
        .collect();
    ExecuteBatchRequest {
        turn: Some(Turn::Typed(ToolUses { tool_uses })),
        session_id: session.to_owned(),
        ..ExecuteBatchRequest::default()
    }
}
