//! A worker with nothing but stubs, each on a connection of its own.

use std::path::PathBuf;

use sidecall::proto::v1::{
    Content, Effect, ServeToolsRequest, ServeToolsResponse, WorkerAttempt, WorkerDrain,
    WorkerHeartbeat, WorkerHello, WorkerProgress, WorkerResult, WorkerTool, WorkerWelcome,
    content::Block, serve_tools_request, serve_tools_response::Message,
    sidecall_service_client::SidecallServiceClient,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};

use super::{PATIENCE, World, world::connect};

/// A worker that was let in.
pub(crate) struct Worker {
    say: mpsc::Sender<ServeToolsRequest>,
    orders: Streaming<ServeToolsResponse>,
    pub(crate) welcome: WorkerWelcome,
}

/// A worker of one session.
pub(crate) fn hello(name: &str, session: &str, tools: Vec<WorkerTool>) -> WorkerHello {
    WorkerHello {
        name: name.to_owned(),
        session_id: session.to_owned(),
        tools,
        ..WorkerHello::default()
    }
}

/// A worker whose tools everybody may call.
pub(crate) fn shared(name: &str, tools: Vec<WorkerTool>) -> WorkerHello {
    WorkerHello { name: name.to_owned(), shared: true, tools, ..WorkerHello::default() }
}

/// A tool that takes any object.
pub(crate) fn tool(name: &str, effect: Effect) -> WorkerTool {
    WorkerTool {
        name: name.to_owned(),
        description: format!("What {name} does."),
        input_schema_json: r#"{"type": "object"}"#.to_owned(),
        effect: effect.into(),
        ..WorkerTool::default()
    }
}

/// Blocks of JSON text.
pub(crate) fn json(text: &str) -> Vec<Content> {
    vec![Content { block: Some(Block::Json(text.to_owned())), in_parts: false }]
}

impl Worker {
    /// Says hello and waits for the welcome.
    pub(crate) async fn join(world: &World, hello: WorkerHello) -> Self {
        Self::try_join(world, hello).await.unwrap()
    }

    /// The same at a socket.
    pub(crate) async fn join_at(socket: PathBuf, hello: WorkerHello) -> Self {
        Self::try_join_at(socket, hello).await.unwrap()
    }

    /// The same as whoever has this token.
    pub(crate) async fn join_as(socket: PathBuf, token: &str, hello: WorkerHello) -> Self {
        Self::try_join_as(socket, Some(token), hello).await.unwrap()
    }

    /// The same, where it may be refused.
    pub(crate) async fn try_join(world: &World, hello: WorkerHello) -> Result<Self, Status> {
        Self::try_join_at(world.socket.clone(), hello).await
    }

    async fn try_join_at(socket: PathBuf, hello: WorkerHello) -> Result<Self, Status> {
        Self::try_join_as(socket, None, hello).await
    }

    /// The same as whoever has this token, where it may be refused.
    pub(crate) async fn try_join_as(
        socket: PathBuf,
        token: Option<&str>,
        hello: WorkerHello,
    ) -> Result<Self, Status> {
        let hello = serve_tools_request::Message::Hello(hello);
        let mut worker = Self::begin_at(socket, token, hello).await?;
        let Some(Message::Welcome(welcome)) = worker.next().await else {
            panic!("no welcome came first")
        };
        worker.welcome = welcome;
        Ok(worker)
    }

    /// Opens the stream with this message.
    pub(crate) async fn begin(
        world: &World,
        first: serve_tools_request::Message,
    ) -> Result<Self, Status> {
        Self::begin_at(world.socket.clone(), None, first).await
    }

    async fn begin_at(
        socket: PathBuf,
        token: Option<&str>,
        first: serve_tools_request::Message,
    ) -> Result<Self, Status> {
        let mut client = SidecallServiceClient::new(connect(socket).await);
        let (say, said) = mpsc::channel(256);
        say.send(ServeToolsRequest { message: Some(first) }).await.unwrap();
        let mut request = Request::new(ReceiverStream::new(said));
        if let Some(token) = token {
            let bearer = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", bearer);
        }
        let orders = client.serve_tools(request).await?;
        Ok(Self { say, orders: orders.into_inner(), welcome: WorkerWelcome::default() })
    }

    /// What it is told next, heartbeats answered and left out; nothing at the end of
    /// the stream, however it comes.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            let next = timeout(PATIENCE, self.orders.message()).await;
            let message = next.expect("nothing came").ok()??;
            match message.message.unwrap() {
                Message::Heartbeat(_) => self.beat().await,
                other => return Some(other),
            }
        }
    }

    /// The same, however long it takes.
    pub(crate) async fn next_ever(&mut self) -> Option<Message> {
        loop {
            match self.orders.message().await.ok()??.message.unwrap() {
                Message::Heartbeat(_) => self.beat().await,
                other => return Some(other),
            }
        }
    }

    /// What its stream ends with, where nothing else comes but heartbeats.
    pub(crate) async fn ended(&mut self) -> Status {
        loop {
            match timeout(PATIENCE, self.orders.message()).await.expect("it does not end") {
                Ok(Some(ServeToolsResponse { message: Some(Message::Heartbeat(_)) })) => {
                    self.beat().await;
                }
                Ok(other) => panic!("another thing came: {other:?}"),
                Err(status) => return status,
            }
        }
    }

    /// Ready once so many heartbeats came, each answered.
    pub(crate) async fn heartbeats(&mut self, count: usize) {
        for _ in 0..count {
            let next = timeout(PATIENCE, self.orders.message()).await.expect("nothing came");
            let message = next.unwrap().unwrap().message.unwrap();
            assert!(matches!(message, Message::Heartbeat(_)), "{message:?}");
            self.beat().await;
        }
    }

    /// The next attempt, which must be what comes next.
    pub(crate) async fn attempt(&mut self) -> WorkerAttempt {
        match self.next().await {
            Some(Message::Attempt(attempt)) => attempt,
            other => panic!("no attempt came: {other:?}"),
        }
    }

    /// The attempt that is cancelled, which must be what comes next.
    pub(crate) async fn cancelled(&mut self) -> u64 {
        match self.next().await {
            Some(Message::Cancel(cancel)) => cancel.attempt_id,
            other => panic!("no cancellation came: {other:?}"),
        }
    }

    async fn beat(&self) {
        self.say(serve_tools_request::Message::Heartbeat(WorkerHeartbeat {})).await;
    }

    pub(crate) async fn say(&self, message: serve_tools_request::Message) {
        // The server may have ended the stream.
        let _ = self.say.send(ServeToolsRequest { message: Some(message) }).await;
    }

    /// Answers an attempt.
    pub(crate) async fn answer(&self, attempt_id: u64, content: Vec<Content>) {
        let result = WorkerResult { attempt_id, content, is_error: false };
        self.say(serve_tools_request::Message::Result(result)).await;
    }

    /// Says that the tool said no.
    pub(crate) async fn refuse(&self, attempt_id: u64, why: &str) {
        let content = vec![Content { block: Some(Block::Text(why.to_owned())), in_parts: false }];
        let result = WorkerResult { attempt_id, content, is_error: true };
        self.say(serve_tools_request::Message::Result(result)).await;
    }

    /// Says how far an attempt is.
    pub(crate) async fn progress(&self, attempt_id: u64, done: f64, message: &str) {
        let progress = WorkerProgress {
            attempt_id,
            done: Some(done),
            total: Some(10.0),
            message: message.to_owned(),
        };
        self.say(serve_tools_request::Message::Progress(progress)).await;
    }

    /// Takes no new attempts.
    pub(crate) async fn drain(&self) {
        self.say(serve_tools_request::Message::Drain(WorkerDrain {})).await;
    }

    /// Cuts its connection.
    pub(crate) fn cut(self) {}
}
