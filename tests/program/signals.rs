//! Signals that come before anything is served.

use tokio::io::AsyncWriteExt;

use super::*;

/// SIGHUP, SIGINT and SIGTERM, as they stand in a mask of signals.
const SPOKEN_TO: u64 = 1 << 0 | 1 << 1 | 1 << 14;

/// One that reads its configuration from standard input, which is open and empty.
fn reading(place: &Place) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidecall"));
    command.args(["serve", "--config", "-", "--unix"]).arg(place.socket());
    command.stdin(Stdio::piped());
    place.begin(command)
}

impl Program {
    /// Waits until it listens for signals, by what the kernel knows of it.
    async fn listens_for_signals(&self) {
        let status = format!("/proc/{}/status", self.child.id().unwrap());
        let listens = async {
            loop {
                let text = std::fs::read_to_string(&status).unwrap();
                let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
                let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
                if caught & SPOKEN_TO == SPOKEN_TO {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, listens).await.expect("it listens for no signals");
    }
}

#[tokio::test]
async fn a_hangup_before_the_configuration_is_read_ends_nothing() {
    let place = Place::new("http://127.0.0.1:1");
    let mut program = reading(&place);
    program.listens_for_signals().await;
    program.signal("HUP");
    let yaml = std::fs::read(place.0.path().join("sidecall.yaml")).unwrap();
    let mut stdin = program.child.stdin.take().unwrap();
    stdin.write_all(&yaml).await.unwrap();
    drop(stdin);
    let (before, _) = program.until("Serving 1 tool on unix://").await;
    // It was not lost either; it may have been heard before the other was said.
    let told = "it cannot be read again";
    if !before.iter().any(|line| line.contains(told)) {
        program.says(told).await;
    }
    assert!(program.is_healthy().await);
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
}

#[tokio::test]
async fn told_to_end_before_the_configuration_is_read_it_ends_at_once() {
    let place = Place::new("http://127.0.0.1:1");
    for signal in ["TERM", "INT"] {
        let mut program = reading(&place);
        program.listens_for_signals().await;
        program.signal(signal);
        assert_eq!(program.ends().await.code(), Some(0), "{signal}");
        assert!(!place.socket().exists());
    }
}

#[tokio::test]
async fn told_to_end_while_it_starts_it_ends_without_a_second_word() {
    let place = Place::new("http://127.0.0.1:1");
    for _ in 0..4 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidecall"));
        let yaml = place.0.path().join("sidecall.yaml");
        command.args(["serve", "--unix"]).arg(place.socket()).arg("--config").arg(yaml);
        let mut program = place.begin(command);
        program.listens_for_signals().await;
        program.signal("TERM");
        assert_eq!(program.ends().await.code(), Some(0));
        assert!(!place.socket().exists());
    }
}
