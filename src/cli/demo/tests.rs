use super::*;
use crate::cli::terminal::tape::Tape;

#[test]
fn files_that_the_demo_did_not_write_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let origin = SocketAddr::from(([127, 0, 0, 1], 9));
    let mine = directory.path().join("sidecall.yaml");
    fs::write(&mine, "tools: {}\n").unwrap();
    write_files(directory.path(), origin).unwrap_err();
    assert_eq!(fs::read_to_string(&mine).unwrap(), "tools: {}\n");

    fs::remove_file(&mine).unwrap();
    let config = write_files(directory.path(), origin).unwrap();
    assert!(fs::read_to_string(&config).unwrap().contains("http://127.0.0.1:9/crm"));
    // Its own may be written again.
    write_files(directory.path(), origin).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_shows_what_it_says_and_leaves_nothing_behind() {
    let tape = Tape::default();
    let mut screen = tape.screen(None);
    let apis = Drain::new();

    // Where nothing listens.
    let nobody = "127.0.0.1:1,127.0.0.1:1".parse().unwrap();
    let exit = stage(&mut screen, &apis, None, nobody).await.unwrap();

    let shown = tape.take();
    assert_eq!(exit, Exit::Well, "{shown}");
    for says in [
        "✓ list_contracts",
        "✗ get_credit_score",
        "⊘ propose_limit",
        r#"\"latest_total\":1249.90"#,
        "× faster",
        r#""tool_use_id":"toolu_24""#,
        "429 Too Many Requests",
        "▒ throttled: ",
        "╌ tried again: 4 calls, up to 3 attempts",
        "1: attempt_timeout",
        "fallback: 1 call",
        "not run",
        "breaker  open, calls fail at once; next attempt in",
        "`make jaeger` in another terminal, then the demo again",
    ] {
        assert!(shown.contains(says), "{says} is missing in:\n{shown}");
    }
    let (_, at_its_rate) = shown.split_once("6. The same").unwrap();
    let (at_its_rate, _) = at_its_rate.split_once("7. An API").unwrap();
    assert!(!at_its_rate.contains('╌'), "an attempt was made again:\n{at_its_rate}");
    let socket = shown.lines().find_map(|line| line.trim().strip_prefix("server  unix://"));
    let socket = socket.unwrap().strip_suffix(", asked over gRPC").unwrap();
    assert!(!Path::new(socket).parent().unwrap().exists(), "{socket} is still there");

    apis.start();
    apis.finished().await;
    assert_eq!(apis.tasks_open(), 0);
}

#[test]
fn without_its_rate_the_configuration_is_the_same_but_for_a_line() {
    assert_eq!(CONFIG.matches(RATE).count(), 1);
    let without = config::read("sidecall.yaml", &CONFIG.replace(RATE, NO_RETRIES), &Process);
    without.unwrap();
}
