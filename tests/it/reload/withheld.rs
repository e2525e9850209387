//! Requests whose message comes long after their head.

use std::{future::poll_fn, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use h2::{
    RecvStream, SendStream,
    client::{self, ResponseFuture},
};
use http::{Request, Response};
use prost::Message;
use sidecall::{
    clock,
    proto::v1::{ExecuteStreamRequest, ListToolsRequest, StreamOpen, execute_stream_request::Step},
};
use tokio::net::UnixStream;
use tonic::Code;

use super::{
    callers::{TOKEN, tools},
    *,
};

/// What the server reads of a stream before somebody takes it.
const WINDOW: usize = 1 << 20;

/// A connection whose requests are written by hand.
struct Client {
    requests: client::SendRequest<Bytes>,
    _driving: JoinSet<()>,
}

/// An RPC whose head was sent.
struct Open {
    body: SendStream<Bytes>,
    answer: ResponseFuture,
}

impl Client {
    async fn of(server: &Server) -> Self {
        let socket = server.folder.path().join("sidecall.sock");
        let socket = UnixStream::connect(socket).await.unwrap();
        let (requests, connection) = client::handshake(socket).await.unwrap();
        let mut driving = JoinSet::new();
        driving.spawn(async move {
            let _ = connection.await;
        });
        Self { requests, _driving: driving }
    }

    fn begin(&mut self, rpc: &str) -> Open {
        let request = Request::post(format!("http://localhost/sidecall.v1.SidecallService/{rpc}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(())
            .unwrap();
        let (answer, body) = self.requests.send_request(request, false).unwrap();
        Open { body, answer }
    }
}

impl Open {
    /// Sends as much, once there is room for it.
    async fn send(&mut self, mut bytes: Bytes) {
        while !bytes.is_empty() {
            self.body.reserve_capacity(bytes.len());
            let room = timeout(PATIENCE, poll_fn(|context| self.body.poll_capacity(context)));
            let room = room.await.expect("nobody reads it").unwrap().unwrap();
            let piece = bytes.split_to(room.min(bytes.len()));
            self.body.send_data(piece, false).unwrap();
        }
    }

    async fn answered(self) -> (Response<RecvStream>, SendStream<Bytes>) {
        // Some of it is the server's own.
        let answer = timeout(2 * PATIENCE, self.answer).await.expect("nothing is said").unwrap();
        (answer, self.body)
    }

    /// With what it is refused.
    async fn refused(self) -> (Code, String) {
        let (answer, _body) = self.answered().await;
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        (Code::from_bytes(header("grpc-status").as_bytes()), header("grpc-message"))
    }
}

/// A message in its frame.
fn framed(message: &impl Message) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.encoded_len().try_into().unwrap());
    message.encode(&mut frame).unwrap();
    frame.freeze()
}

fn callers(name: &str) -> String {
    base_with(&format!(
        "callers: {{allowed: {{{name}: {{token: {{file: \"{{folder}}/token\"}}}}}}}}\n"
    ))
}

async fn server() -> Server {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("token"), TOKEN).unwrap();
    Server::start_in(folder, &callers("planner")).await
}

/// Two thirds of a turn are with the server, as far as it has read them, when its caller
/// is taken out.
#[tokio::test]
async fn a_turn_whose_message_comes_after_its_caller_was_withdrawn_is_not_run() {
    for (is_withdrawn, rpc) in
        [(false, "ExecuteBatch"), (true, "ExecuteBatch"), (true, "ExecuteStream")]
    {
        let mut server = server().await;
        server.peer.on("POST /echo", Reply::json("1"));
        let input = format!(r#"{{"a":"{}"}}"#, "x".repeat(WINDOW * 3 / 2));
        let turn = Turn::one("echo", &input).0;
        let message = match rpc {
            "ExecuteBatch" => framed(&turn),
            // What a stream says first is not long; here it is all the same.
            _ => {
                let session_id = "x".repeat(WINDOW * 3 / 2);
                let open = StreamOpen { session_id, ..StreamOpen::default() };
                framed(&ExecuteStreamRequest { step: Some(Step::Open(open)) })
            }
        };
        let mut client = Client::of(&server).await;
        let mut open = client.begin(rpc);
        let mut rest = message;
        // More than the server takes unread: it reads it, so the head was let in.
        open.send(rest.split_to(WINDOW + 1)).await;
        if is_withdrawn {
            fs::write(server.folder.path().join("token"), "another-token-of-planner").unwrap();
        }
        server.change(&callers("planner"));
        open.send(rest).await;
        if is_withdrawn {
            let words = "the%20caller%20is%20not%20known".to_owned();
            open.body.send_data(Bytes::new(), true).unwrap();
            assert_eq!(open.refused().await, (Code::Unauthenticated, words), "{rpc}");
            assert_eq!(server.peer.lines(), [""; 0]);
        } else {
            open.body.send_data(Bytes::new(), true).unwrap();
            let (answer, _body) = open.answered().await;
            assert!(!answer.headers().contains_key("grpc-status"), "{answer:?}");
            server.peer.arrived(1).await;
        }
        drop(client);
        server.end().await;
    }
}

#[tokio::test]
async fn a_message_that_does_not_come_is_waited_for_ten_seconds() {
    let server = server().await;
    let mut client = Client::of(&server).await;
    let began = clock::now();
    // Nothing, half of a message, and all of it without its end.
    let (silent, mut half, mut endless) =
        (client.begin("ExecuteBatch"), client.begin("PlanBatch"), client.begin("ListTools"));
    half.send(framed(&Turn::one("echo", "{}").0).split_to(7)).await;
    endless.send(framed(&ListToolsRequest::default())).await;
    for open in [silent, half, endless] {
        let (code, message) = open.refused().await;
        assert_eq!(code, Code::InvalidArgument);
        assert!(message.contains("did%20not%20come%20whole%20within%2010s"), "{message}");
    }
    assert!(began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
    // The connection goes on.
    assert_eq!(tools(&server, Some(TOKEN)).await.unwrap(), ["echo", "read", "write"]);
    drop(client);
    server.end().await;
}
