use std::time::Duration;

use super::*;
use crate::{cli::terminal::tape::Tape, proto::v1};

fn unreachable(error: &Error) -> bool {
    error.exit() == Exit::Unreachable
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_without_advice_that_does_not_fit() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("unix://{}", directory.path().join("none.sock").display());
    let Err(error) = Client::connect(&Target::Address(address.into())).await else {
        panic!("a server answered");
    };
    let error = error.without_config();
    assert!(unreachable(&error));
    let text = error.to_string();
    assert!(text.contains("none.sock: No such file"), "{text}");
    assert!(text.contains("--address") && !text.contains("--config"), "{text}");
}

#[tokio::test]
async fn a_server_that_goes_in_the_middle_of_a_look_is_not_there_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("cut.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let address = format!("unix://{}", socket.display());
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        connection.accept().await.unwrap().unwrap();
    };
    let asking = async {
        let mut client = Client::connect(&Target::Address(address.clone().into())).await.unwrap();
        let asked = Asked { address: address.clone(), json: false, every: None, rows: 20 };
        look(&mut client, &asked).await.unwrap_err()
    };
    let ((), error) = tokio::join!(serving, asking);
    assert!(unreachable(&error), "{error}");
}

#[test]
fn a_frame_is_never_higher_than_the_terminal() {
    let look = Look { width: 80, unicode: true, color: false };
    let frame = |lines: usize| (0..lines).map(|line| line.to_string()).collect::<Vec<_>>();
    let mut lines = frame(9);
    cut(&mut lines, 10, &look);
    assert_eq!(lines, frame(9));
    let mut lines = frame(30);
    cut(&mut lines, 10, &look);
    assert_eq!((lines.len(), lines[8].as_str()), (9, "… 22 more lines"));
}

#[test]
fn an_interval_is_a_number_of_seconds_within_reason() {
    assert_eq!(command::seconds("0.5"), Ok(0.5));
    for text in ["0", "0.05", "-1", "3601", "1s", "NaN", ""] {
        command::seconds(text).unwrap_err();
    }
}

#[test]
fn json_is_one_document_or_with_watch_one_a_line() {
    let response = StatusResponse {
        process: Some(v1::ProcessStatus { version: "1.2.3".into(), ..Default::default() }),
        ..Default::default()
    };
    for (every, lines) in [(None, 5), (Some(Duration::from_secs(1)), 1)] {
        let tape = Tape::default();
        let mut screen = tape.screen(Some(24));
        let asked = Asked { address: String::new(), json: true, every, rows: 20 };
        print(&response, &mut screen, &asked, &mut Frames::default()).unwrap();
        let shown = tape.take();
        assert_eq!(shown.lines().count(), lines, "{shown}");
        let read: StatusResponse = wire::from_json("sidecall.v1.StatusResponse", &shown).unwrap();
        assert_eq!(read, response);
    }
}

#[test]
fn with_watch_a_frame_is_drawn_over_the_one_before_and_in_a_pipe_below_it() {
    let every = Some(Duration::from_secs(1));
    let asked = Asked { address: String::new(), json: false, every, rows: 20 };
    let response = StatusResponse::default();
    let (tape, mut frames) = (Tape::default(), Frames::default());
    let mut screen = tape.screen(Some(24));
    print(&response, &mut screen, &asked, &mut frames).unwrap();
    assert!(!tape.take().contains('A'));
    print(&response, &mut screen, &asked, &mut frames).unwrap();
    assert!(tape.take().starts_with("\u{1b}[?2026h\u{1b}[3A\r\u{1b}[J"));

    let mut screen = tape.screen(None);
    print(&response, &mut screen, &asked, &mut Frames::default()).unwrap();
    let shown = tape.take();
    assert!(shown.ends_with("\n\n") && !shown.contains('\u{1b}'), "{shown:?}");
}
