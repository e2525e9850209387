use std::{future::poll_fn, time::Duration};

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::{TlsConnector, client};

use super::{
    super::tls::{
        Files,
        mint::{self, Authority},
    },
    *,
};

/// A listener's handshakes, without its accept loop.
struct Door {
    authority: Authority,
    listener: TcpListener,
    handshakes: Handshakes,
    drain: Drain,
    _folder: TempDir,
}

impl Door {
    async fn open(asks: bool) -> Self {
        let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
        let (certificate, key) = authority.server();
        let ca = asks.then_some(authority.certificate.as_str());
        let files = mint::files(&folder, &certificate, &key, ca);
        let (_, current) = Files::open(files).unwrap();
        let drain = Drain::new();
        let handshakes = Handshakes::new(current, drain.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { authority, listener, handshakes, drain, _folder: folder }
    }

    /// A connection whose handshake has begun here, and nothing has come yet.
    async fn begin(&mut self) -> TcpStream {
        let client = TcpStream::connect(self.listener.local_addr().unwrap()).await.unwrap();
        let (stream, address) = self.listener.accept().await.unwrap();
        self.handshakes.begin(stream, address);
        client
    }

    async fn through(&mut self) -> Shaken {
        poll_fn(|context| self.handshakes.poll_through(context)).await
    }

    /// No handshake is left.
    async fn none_is_left(&mut self) {
        poll_fn(|context| {
            let through = self.handshakes.poll_through(context);
            assert!(through.is_pending());
            if self.handshakes.begun.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

async fn speak(
    config: rustls::ClientConfig,
    stream: TcpStream,
) -> io::Result<client::TlsStream<TcpStream>> {
    let name = "localhost".try_into().unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test]
async fn the_names_of_a_clients_certificate_are_those_of_its_peer() {
    let mut door = Door::open(true).await;
    let client = door.begin().await;
    let config = door.authority.trusted(Some(door.authority.client()));
    let (client, (_, peer)) = tokio::join!(speak(config, client), door.through());
    client.unwrap();
    let Peer::Tcp { certificate: Some(certificate), .. } = peer else { panic!("{peer:?}") };
    let expected = Certificate {
        dns: vec!["planner.agents.svc".to_owned()],
        uris: vec!["spiffe://cluster/ns/agents/sa/planner".to_owned()],
        common_name: Some("planner".to_owned()),
    };
    assert_eq!(*certificate, expected);
}

#[tokio::test]
async fn a_client_that_nobody_asks_has_no_certificate() {
    let mut door = Door::open(false).await;
    let client = door.begin().await;
    let config = door.authority.trusted(Some(door.authority.client()));
    let (client, (_, peer)) = tokio::join!(speak(config, client), door.through());
    client.unwrap();
    assert!(matches!(peer, Peer::Tcp { certificate: None, .. }), "{peer:?}");
}

#[tokio::test]
async fn a_client_that_does_not_ask_for_http2_is_not_let_in() {
    let mut door = Door::open(false).await;
    for protocols in [Vec::new(), vec![b"http/1.1".to_vec()]] {
        let client = door.begin().await;
        let mut config = door.authority.trusted(None);
        config.alpn_protocols = protocols;
        let (_, ()) = tokio::join!(speak(config, client), door.none_is_left());
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_is_given_up_in_time_and_delays_nobody() {
    let mut door = Door::open(false).await;
    let start = clock::now();
    let mut silent = door.begin().await;
    door.none_is_left().await;
    assert_eq!(clock::now() - start, TIME);
    assert!(matches!(silent.read(&mut [0; 64]).await, Ok(0) | Err(_)), "it is closed");
}

#[tokio::test]
async fn one_that_speaks_goes_through_while_others_say_nothing() {
    let mut door = Door::open(false).await;
    let _silent = [door.begin().await, door.begin().await];
    let client = door.begin().await;
    let config = door.authority.trusted(None);
    let (client, _) = tokio::join!(speak(config, client), door.through());
    client.unwrap();
    assert_eq!(door.handshakes.begun.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn at_the_bound_the_oldest_gives_way_once_it_had_its_turn() {
    let mut door = Door::open(false).await;
    door.handshakes.most = 2;
    let mut oldest = door.begin().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let _younger = door.begin().await;
    let start = clock::now();
    poll_fn(|context| door.handshakes.poll_room(context)).await;
    assert_eq!(clock::now() - start, Duration::from_millis(700));
    let _youngest = door.begin().await;
    assert_eq!(door.handshakes.begun.len(), 2);
    let read = tokio::time::timeout(Duration::from_millis(1), oldest.read(&mut [0; 64])).await;
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "it is closed: {read:?}");
}

#[tokio::test]
async fn one_that_goes_through_makes_room_at_once() {
    let mut door = Door::open(false).await;
    door.handshakes.most = 1;
    let client = door.begin().await;
    let config = door.authority.trusted(None);
    let (client, _) = tokio::join!(speak(config, client), door.through());
    client.unwrap();
    let room = poll_fn(|context| Poll::Ready(door.handshakes.poll_room(context))).await;
    assert!(room.is_ready());
}

#[tokio::test]
async fn handshakes_end_with_their_listener() {
    let mut door = Door::open(false).await;
    let _silent = door.begin().await;
    assert_eq!(door.drain.tasks_open(), 1);
    drop(door.handshakes);
    door.drain.finished().await;
}

#[tokio::test(start_paused = true)]
async fn strangers_do_not_fill_the_log() {
    let mut log = Log::default();
    let failure =
        |kind: io::ErrorKind| Failure { address: ([127, 0, 0, 1], 1).into(), cause: kind.into() };
    log.tell(&failure(io::ErrorKind::UnexpectedEof));
    assert!(log.told.is_none(), "who only tries the port is not told of");
    for _ in 0..100 {
        log.tell(&failure(io::ErrorKind::InvalidData));
    }
    assert_eq!(log.untold, 99);
    tokio::time::sleep(TELL_EVERY).await;
    log.tell(&failure(io::ErrorKind::InvalidData));
    assert_eq!(log.untold, 0);
}
