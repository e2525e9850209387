use std::{path::PathBuf, pin::Pin};

use tokio::net::UnixListener;
use tokio_stream::{Stream, wrappers::UnixListenerStream};
use tonic::{Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt};

use super::*;
use crate::{
    cli::{
        Exit,
        client::Target,
        terminal::tape::Tape,
        waterfall::{Mode, script},
    },
    drain::Drain,
    proto::v1::sidecall_service_server::{SidecallService, SidecallServiceServer},
};

fn part(first_index: u32, items: &[&str], last_item_continues: bool) -> v1::BundlePart {
    let items = items.iter().map(|item| (*item).to_owned()).collect();
    v1::BundlePart { first_index, items, last_item_continues }
}

#[test]
fn a_bundle_in_parts_is_put_together_byte_for_byte() {
    let mut ran = Ran::default();
    assert_eq!(ran.bundle_json(), "[]");
    for part in [
        part(0, &[r#"{"a":1.10}"#, r#"{"b":"x"#], true),
        part(1, &["y"], true),
        part(1, &[r#"z"}"#, r#"{"c":null}"#], false),
    ] {
        ran.take(&part);
    }
    assert_eq!(ran.bundle, [r#"{"a":1.10}"#, r#"{"b":"xyz"}"#, r#"{"c":null}"#]);
    let bundle: serde_json::Value = serde_json::from_str(&ran.bundle_json()).unwrap();
    assert_eq!(bundle[1]["b"], "xyz");
}

/// A server that answers every turn in the same way.
#[derive(Clone)]
struct Scripted {
    answer: Result<Vec<v1::BatchEvent>, Status>,
}

type Answer<T> = Result<Response<T>, Status>;
type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl SidecallService for Scripted {
    type ExecuteBatchStream = Messages<v1::ExecuteBatchResponse>;
    type ExecuteStreamStream = Messages<v1::ExecuteStreamResponse>;
    type ServeToolsStream = Messages<v1::ServeToolsResponse>;

    async fn execute_stream(
        &self,
        _: Request<Streaming<v1::ExecuteStreamRequest>>,
    ) -> Answer<Self::ExecuteStreamStream> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn serve_tools(
        &self,
        _: Request<Streaming<v1::ServeToolsRequest>>,
    ) -> Answer<Self::ServeToolsStream> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn execute_batch(
        &self,
        _: Request<v1::ExecuteBatchRequest>,
    ) -> Answer<Self::ExecuteBatchStream> {
        let events = self.answer.clone()?.into_iter();
        let messages = events.map(|event| Ok(v1::ExecuteBatchResponse { event: Some(event) }));
        Ok(Response::new(Box::pin(tokio_stream::iter(messages.collect::<Vec<_>>()))))
    }

    async fn plan_batch(&self, _: Request<v1::PlanBatchRequest>) -> Answer<v1::PlanBatchResponse> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn cancel_batch(
        &self,
        _: Request<v1::CancelBatchRequest>,
    ) -> Answer<v1::CancelBatchResponse> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn status(
        &self,
        _: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn log_levels(&self, _: Request<v1::LogLevelsRequest>) -> Answer<v1::LogLevelsResponse> {
        Err(Status::unimplemented("not asked for here"))
    }

    async fn list_tools(&self, _: Request<v1::ListToolsRequest>) -> Answer<v1::ListToolsResponse> {
        Err(Status::unimplemented("not asked for here"))
    }
}

/// Follows a turn at a server that answers so.
async fn followed(answer: Result<Vec<v1::BatchEvent>, Status>) -> (Result<Ran, Error>, String) {
    let directory = tempfile::tempdir().unwrap();
    let socket: PathBuf = directory.path().join("scripted.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let server = tonic::transport::Server::builder()
        .add_service(SidecallServiceServer::new(Scripted { answer }))
        .serve_with_incoming(UnixListenerStream::new(listener));
    let tasks = Drain::new();
    let serving = tasks.spawn(server);

    let target = Target::Address(format!("unix://{}", socket.display()).into());
    let mut client = Client::connect(&target).await.unwrap();
    let tape = Tape::default();
    let mut screen = tape.screen(None);
    let mut show = Show::new(&mut screen, Mode::Lines);
    let ran = follow(&mut client, v1::ExecuteBatchRequest::default(), &mut show).await;
    client.close().await;
    serving.abort();
    (ran, tape.take())
}

#[tokio::test]
async fn a_message_as_large_as_a_server_may_be_told_to_send_is_read() {
    let item = format!("\"{}\"", "x".repeat(5 << 20));
    let events = [
        Event::BundlePart(part(0, &[&item], false)),
        Event::BatchFinished(v1::BatchFinished::default()),
    ];
    let events = events.map(|event| v1::BatchEvent { sequence: 0, event: Some(event) });
    let (ran, _) = followed(Ok(events.to_vec())).await;
    assert_eq!(ran.unwrap().bundle, [item]);
}

fn events() -> Vec<v1::BatchEvent> {
    script::failure().into_iter().map(|(_, event)| event).collect()
}

#[tokio::test]
async fn a_refusal_ends_the_command_as_refused_with_every_detail() {
    let mut details = ErrorDetails::with_retry_info(Some(Duration::from_secs(2)));
    details.add_bad_request_violation("batch_id", "holds a blank");
    let status = Status::with_error_details(tonic::Code::InvalidArgument, "1 fault", details);
    let (ran, shown) = followed(Err(status)).await;
    let error = ran.unwrap_err();
    assert_eq!((error.exit(), shown.as_str()), (Exit::Unreachable, ""));
    insta::assert_snapshot!(error, @r"
    refused: INVALID_ARGUMENT
      batch_id: holds a blank
      Nothing has run. Try again in 2.00 s.
    ");
}

#[tokio::test]
async fn a_stream_that_ends_before_its_turn_does_is_no_success() {
    let (ran, shown) = followed(Ok(events()[..6].to_vec())).await;
    let error = ran.unwrap_err();
    assert_eq!(error.exit(), Exit::Unreachable);
    assert!(error.to_string().contains("Calls that had started may have run"), "{error}");
    // What was known by then is drawn.
    assert!(shown.contains("⊗ pay") && shown.contains("get_score"), "{shown}");
}

#[tokio::test]
async fn a_turn_is_well_only_if_every_call_is() {
    let (ran, shown) = followed(Ok(events())).await;
    assert!(!ran.unwrap().is_well());
    assert!(shown.contains("⊘ propose_limit: dependency_failed"), "{shown}");

    let gathered = script::gather().into_iter().map(|(_, event)| event).collect();
    let (ran, _) = followed(Ok(gathered)).await;
    assert!(ran.unwrap().is_well());
}
