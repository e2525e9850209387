//! Clients that mean harm, with frames that no library would send. Each is bounded in
//! count, ends by itself, and stays on this machine.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{task::spawn_blocking, time::timeout};
use tonic::{Request, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::{LONG, Place, Program};

/// What the server may hold more of at the end than at the beginning, built for tests.
const GROWTH_KIB_MAX: u64 = 24 << 10;
/// What another caller may have to wait meanwhile, on a machine that is busy.
const WAIT_MAX: Duration = Duration::from_secs(5);

// Frames (RFC 9113, section 6) and flags.
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const ENHANCE_YOUR_CALM: u32 = 11;
const REFUSED_STREAM: u32 = 7;
const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// The ping after which nothing more comes.
const LAST: [u8; 8] = *b"sidecall";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The headers of a turn, each as a literal (RFC 7541, section 6.2.2).
fn headers() -> Vec<u8> {
    let path = "/sidecall.v1.SidecallService/ExecuteBatch";
    // POST and http; then :path, :authority and content-type by their names' numbers.
    let mut block = vec![0x83, 0x86];
    for (name, value) in
        [(&[0x04][..], path), (&[0x01], "localhost"), (&[0x0f, 0x10], "application/grpc")]
    {
        block.extend(name);
        block.push(u8::try_from(value.len()).unwrap());
        block.extend(value.as_bytes());
    }
    block
}

/// The numbers that a client gives its streams.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|number| 2 * number + 1)
}

/// What the server said to a client, until its answer to the last ping or its end.
#[derive(Debug, Default)]
struct Told {
    goaway: Option<u32>,
    refused: usize,
    pongs: usize,
    is_over: bool,
}

impl Told {
    fn read(mut stream: UnixStream) -> Self {
        let mut told = Self::default();
        let mut head = [0; 9];
        while stream.read_exact(&mut head).is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            if stream.read_exact(&mut payload).is_err() {
                break;
            }
            let code = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
            match head[3] {
                GOAWAY => told.goaway = Some(code(4)),
                RST_STREAM => told.refused += usize::from(code(0) == REFUSED_STREAM),
                PING if head[4] == ACK && payload == LAST => return told,
                PING if head[4] == ACK => told.pongs += 1,
                _ => {}
            }
        }
        told.is_over = true;
        told
    }
}

/// Sends all of it, as far as it is taken, and says what came back. The connection
/// stays open.
fn attack(socket: &Path, frames: impl Iterator<Item = Vec<u8>>) -> (Told, UnixStream) {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.set_write_timeout(Some(LONG)).unwrap();
    let reader = stream.try_clone().unwrap();
    let told = std::thread::spawn(move || Told::read(reader));
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    let mut is_taken = true;
    for frame in frames {
        bytes.extend(frame);
        if bytes.len() > 64 << 10 {
            is_taken = stream.write_all(&bytes).is_ok();
            bytes.clear();
        }
        if !is_taken {
            break;
        }
    }
    bytes.extend(frame(PING, 0, 0, &LAST));
    let _ = is_taken && stream.write_all(&bytes).is_ok();
    (told.join().unwrap(), stream)
}

/// Resident memory of a process, in KiB.
fn memory(program: &Program) -> u64 {
    let status = format!("/proc/{}/status", program.child.id().unwrap());
    let status = fs::read_to_string(status).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

async fn check(channel: Channel) {
    let answer = HealthClient::new(channel).check(HealthCheckRequest::default()).await;
    assert_eq!(answer.unwrap().into_inner().status, 1);
}

/// Runs the attack against a server of its own, and says that another caller was served
/// all the while and that the server holds little more than before.
async fn withstands<T: Send + 'static>(attack: impl FnOnce(PathBuf) -> T + Send + 'static) -> T {
    let place = Place::new("http://127.0.0.1:1");
    let mut program = place.serve(1024).await;
    let channel = program.channel().await;
    check(channel.clone()).await;
    let before = memory(&program);
    let socket = place.socket();
    let mut attacking = spawn_blocking(move || attack(socket));
    let done = loop {
        tokio::select! {
            done = &mut attacking => break done.unwrap(),
            served = timeout(WAIT_MAX, check(channel.clone())) => {
                served.expect("another caller is not served");
            }
        }
    };
    let after = memory(&program);
    assert!(after < before + GROWTH_KIB_MAX, "{before} KiB became {after} KiB");
    check(program.channel().await).await;
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
    done
}

#[tokio::test]
async fn streams_that_are_reset_as_soon_as_they_are_opened_end_the_connection() {
    let block = headers();
    let frames = streams(50_000).flat_map(move |stream| {
        [frame(HEADERS, END_HEADERS, stream, &block), frame(RST_STREAM, 0, stream, &CANCEL)]
    });
    let (told, _) = withstands(move |socket| attack(&socket, frames)).await;
    assert!(told.is_over && told.goaway == Some(ENHANCE_YOUR_CALM), "{told:?}");
}

#[tokio::test]
async fn headers_without_an_end_end_the_connection() {
    let flood = (0..100_000).map(|_| frame(CONTINUATION, 0, 1, &[0x00; 16]));
    let frames = std::iter::once(frame(HEADERS, 0, 1, &headers())).chain(flood);
    let (told, _) = withstands(move |socket| attack(&socket, frames)).await;
    assert!(told.is_over && told.goaway.is_some(), "{told:?}");
}

#[tokio::test]
async fn each_ping_is_answered_and_none_is_kept() {
    const PINGS: usize = 200_000;
    let frames = (0..PINGS).map(|_| frame(PING, 0, 0, &[0; 8]));
    let (told, _) = withstands(move |socket| attack(&socket, frames)).await;
    assert!(!told.is_over && told.pongs == PINGS, "{told:?}");
}

#[tokio::test]
async fn whoever_does_not_read_the_answers_to_its_pings_is_not_read_any_more() {
    let sent = withstands(|socket| {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let pings = frame(PING, 0, 0, &[0; 8]).repeat(4096);
        // 68 KiB each, 64 MiB in all.
        let sent = (0..1000).take_while(|_| stream.write_all(&pings).is_ok()).count();
        (sent, stream)
    });
    let (sent, _stream) = sent.await;
    assert!(sent < 1000, "all of it was taken");
}

#[tokio::test]
async fn streams_beyond_the_bound_are_refused_and_not_kept() {
    const STREAMS: u32 = 100_000;
    let block = headers();
    let frames = streams(STREAMS).map(move |stream| frame(HEADERS, END_HEADERS, stream, &block));
    let (told, _) = withstands(move |socket| attack(&socket, frames)).await;
    // 1024 of them wait for their turns; a connection that goes on is ended or told.
    assert!(told.goaway.is_some() || told.refused > 90_000, "{told:?}");
}

#[tokio::test]
async fn a_connection_that_does_not_say_what_it_speaks_is_closed() {
    let closed = withstands(|socket| {
        let mut silent: Vec<_> = (0..200)
            .map(|number| {
                let mut stream = UnixStream::connect(&socket).unwrap();
                let said = &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"[..number % 24];
                stream.write_all(said).unwrap();
                stream.set_read_timeout(Some(LONG)).unwrap();
                stream
            })
            .collect();
        let mut closed = 0;
        for stream in &mut silent {
            let mut rest = Vec::new();
            // What the server says first is of no interest.
            closed += usize::from(stream.read_to_end(&mut rest).is_ok());
        }
        closed
    });
    assert_eq!(closed.await, 200);
}

#[tokio::test]
async fn headers_beyond_their_bound_are_refused_and_the_connection_goes_on() {
    let place = Place::new("http://127.0.0.1:1");
    let mut program = place.serve(1024).await;
    let channel = program.channel().await;
    let ask = async |bytes: usize| {
        let mut request = Request::new(HealthCheckRequest::default());
        request.metadata_mut().insert("x-long", "a".repeat(bytes).parse().unwrap());
        timeout(LONG, HealthClient::new(channel.clone()).check(request)).await.unwrap()
    };
    assert!(ask(15 << 10).await.is_ok());
    assert!(ask(17 << 10).await.is_err());
    assert!(ask(15 << 10).await.is_ok());
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
}
