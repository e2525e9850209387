//! Peers that connect, answer pings and never call anything.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use sidecall::proto::v1::{ListToolsRequest, sidecall_service_client::SidecallServiceClient};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    process::Command,
    task::JoinSet,
    time::timeout,
};
use tonic::{
    Request, Status,
    transport::{Channel, Endpoint},
};

use super::{LONG, Place, Program, addresses::own_address};

/// What a caller may have to wait, on a machine that is busy.
const WAIT_MAX: Duration = Duration::from_secs(5);

const TOKEN: &str = "a-token-of-the-test-that-is-long";

// Frames (RFC 9113, section 6) and a flag.
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACK: u8 = 1;

/// Where strangers come.
#[derive(Clone)]
enum Door {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Stays for as long as it is let, however it ends.
async fn stay(door: Door) {
    let _ = match door {
        Door::Tcp(address) => answer_pings(TcpStream::connect(address).await).await,
        Door::Unix(path) => answer_pings(UnixStream::connect(path).await).await,
    };
}

async fn answer_pings(stream: io::Result<impl AsyncRead + AsyncWrite + Unpin>) -> io::Result<()> {
    let mut stream = stream?;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
    stream.write_all(&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).await?;
        let (kind, flags) = (head[3], head[4]);
        if flags & ACK == 0 && matches!(kind, SETTINGS | PING) {
            let payload = if kind == PING { &payload[..] } else { &[] };
            let length = u8::try_from(payload.len()).unwrap();
            stream.write_all(&[0, 0, length, kind, ACK, 0, 0, 0, 0]).await?;
            stream.write_all(payload).await?;
        }
    }
}

fn strangers(count: usize, door: &Door) -> JoinSet<()> {
    (0..count).map(|_| stay(door.clone())).collect()
}

/// Waits until so many of them were sent away.
async fn sent_away(strangers: &mut JoinSet<()>, count: usize, time: Duration) {
    let ended = async {
        for _ in 0..count {
            strangers.join_next().await.unwrap().unwrap();
        }
    };
    timeout(time, ended).await.expect("they stay");
}

/// A server on its Unix socket and on this address, where the rest of `listen` is this.
async fn serve(place: &Place, descriptors: u32, tcp: SocketAddr, rest: &str) -> Program {
    let socket = place.socket();
    let unix = socket.display();
    place.adds(&format!("listen: {{unix: {{path: {unix}}}, tcp: '{tcp}', {rest}}}\n"));
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("ulimit -n {descriptors}; exec \"$0\" serve --config \"$1\""))
        .arg(env!("CARGO_BIN_EXE_sidecall"))
        .arg(place.0.path().join("sidecall.yaml"));
    let mut program = place.begin(command);
    program.says("Serving 1 tool on unix://").await;
    program
}

async fn connect(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::try_from(format!("http://{address}")).unwrap();
    timeout(WAIT_MAX, endpoint.connect()).await.expect("nobody accepts").unwrap()
}

async fn list(channel: &Channel) -> Result<usize, Status> {
    list_as(TOKEN, channel).await
}

async fn list_as(token: &str, channel: &Channel) -> Result<usize, Status> {
    let mut request = Request::new(ListToolsRequest::default());
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let mut client = SidecallServiceClient::new(channel.clone());
    let answer = timeout(WAIT_MAX, client.list_tools(request)).await;
    Ok(answer.expect("a caller is not served")?.into_inner().tools.len())
}

async fn is_alive(admin: SocketAddr) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(admin).await.unwrap();
        let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = timeout(WAIT_MAX, asked).await.expect("the probe is not answered");
    answer.starts_with("HTTP/1.1 200")
}

#[tokio::test]
async fn strangers_at_every_door_keep_out_neither_callers_nor_probes_and_end_in_time() {
    let place = Place::new("http://127.0.0.1:1");
    let (tcp, admin) = (own_address(), own_address());
    // The token's SHA-256.
    let digest = "e76865e909d950af9155e98834e265a5b54ce267ca5c92e7e2462ab42c5a99eb";
    place.adds(&format!("callers: {{allowed: {{planner: {{token: {{sha256: {digest}}}}}}}}}\n"));
    let mut program = serve(&place, 128, tcp, &format!("admin: '{admin}'")).await;
    let before = [connect(tcp).await, program.channel().await];
    for channel in &before {
        assert_eq!(list(channel).await.unwrap(), 1);
    }

    let doors = [Door::Unix(place.socket()), Door::Tcp(tcp)];
    let mut crowds = doors.map(|door| strangers(200, &door));
    for crowd in &mut crowds {
        // All but 16 connections, of which one is a caller's.
        sent_away(crowd, 185, LONG).await;
        assert!(is_alive(admin).await);
    }
    let after = [connect(tcp).await, program.channel().await];
    for _ in 0..3 {
        for channel in before.iter().chain(&after) {
            assert_eq!(list(channel).await.unwrap(), 1);
        }
        assert!(is_alive(admin).await);
    }

    // Nobody else comes, and yet they do not stay.
    for crowd in &mut crowds {
        sent_away(crowd, 15, 2 * LONG).await;
    }
    for channel in before.iter().chain(&after) {
        assert_eq!(list(channel).await.unwrap(), 1);
    }
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
}

#[tokio::test]
async fn there_are_as_many_connections_as_are_set_and_callers_keep_theirs() {
    let place = Place::new("http://127.0.0.1:1");
    let tcp = own_address();
    let mut program = serve(&place, 1024, tcp, "connections: 2").await;
    let mut strangers = strangers(10, &Door::Tcp(tcp));
    sent_away(&mut strangers, 8, LONG).await;
    let callers = [connect(tcp).await, connect(tcp).await];
    for caller in &callers {
        assert_eq!(list(caller).await.unwrap(), 1);
    }
    sent_away(&mut strangers, 2, LONG).await;
    program.says("There are as many connections as may be").await;

    let refused = Endpoint::try_from(format!("http://{tcp}")).unwrap().connect_lazy();
    assert!(list(&refused).await.is_err());
    // The Unix socket's are counted apart.
    assert_eq!(list(&program.channel().await).await.unwrap(), 1);
    let [stays, goes] = callers;
    drop(goes);
    let served = async { while list(&refused).await.is_err() {} };
    timeout(LONG, served).await.expect("its place is not given to anybody else");
    assert_eq!(list(&stays).await.unwrap(), 1);
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
}

#[tokio::test]
async fn a_withdrawn_callers_connections_give_way_as_a_strangers_do() {
    let place = Place::new("http://127.0.0.1:1");
    let (tcp, stolen) = (own_address(), "another-token-that-is-long");
    for (name, token) in [("planner", TOKEN), ("thief", stolen)] {
        std::fs::write(place.0.path().join(name), token).unwrap();
    }
    place.adds("callers:\n  allowed:\n    planner: {token: {file: planner}}\n");
    let path = place.0.path().join("sidecall.yaml");
    let without = std::fs::read_to_string(&path).unwrap();
    place.adds("    thief: {token: {file: thief}}\n");
    let mut program = serve(&place, 1024, tcp, "connections: 2").await;
    let held = [connect(tcp).await, connect(tcp).await];
    for channel in &held {
        assert_eq!(list_as(stolen, channel).await.unwrap(), 1);
    }
    let ours = Endpoint::try_from(format!("http://{tcp}")).unwrap().connect_lazy();
    assert!(list(&ours).await.is_err(), "there is room for a third");

    let with = std::fs::read_to_string(&path).unwrap();
    let listen = with.strip_prefix(&without).unwrap().lines().nth(1).unwrap();
    std::fs::write(&path, format!("{without}{listen}\n")).unwrap();
    program.signal("HUP");
    program.says("The configuration was read again").await;
    // Nobody uses the others; they answer pings.
    let served = async { while list(&ours).await.is_err() {} };
    timeout(LONG, served).await.expect("they keep their places");
    assert_eq!(list(&ours).await.unwrap(), 1);
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
}
