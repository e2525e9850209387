//! What the program tells of itself: which configuration runs, and its memory.

use serde_json::Value;
use tokio::process::Command;

use super::{LONG, Place};

/// `sidecall status` of the server in that place, as whoever has this token.
async fn status(place: &Place, token: &str, more: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidecall"));
    let address = format!("unix://{}", place.socket().display());
    command.args(["status", "--address", &address]).args(more).env("SIDECALL_TOKEN", token);
    let output = tokio::time::timeout(LONG, command.output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

async fn process(place: &Place, token: &str) -> Value {
    let told = status(place, token, &["--json"]).await;
    serde_json::from_str::<Value>(&told).unwrap()["process"].take()
}

const OPERATOR: &str = "the-token-of-the-operator";
const PLANNER: &str = "the-token-of-the-planner";

#[tokio::test]
async fn which_configuration_runs_is_told_and_why_its_file_does_not() {
    let place = Place::new("http://127.0.0.1:1");
    let path = place.0.path().join("sidecall.yaml");
    let folder = place.0.path().display().to_string();
    for (name, token) in [("operator", OPERATOR), ("planner", PLANNER)] {
        std::fs::write(place.0.path().join(name), token).unwrap();
    }
    place.adds(&format!(
        "callers:\n  allowed:\n    operator: {{token: {{file: {folder}/operator}}}}\n    \
         planner: {{token: {{file: {folder}/planner}}, tools: [\"re*\"]}}\n\
         bounds: {{memory: {{limit: 1 GiB, shed_at: 99%}}}}\n"
    ));
    let good = std::fs::read_to_string(&path).unwrap();
    let mut program = place.serve(1024).await;
    let told = process(&place, PLANNER).await;
    assert_eq!(told["config"]["generation"], 1);
    assert_eq!(told["config"].get("refused"), None, "{told}");
    let memory = &told["memory"];
    assert_eq!(memory["maxBytes"], (1_u64 << 30).to_string(), "{told}");
    assert_eq!((memory["shedAtPercent"].as_u64(), memory.get("short")), (Some(99), None));
    let used: u64 = memory["usedBytes"].as_str().unwrap().parse().unwrap();
    assert!((1 << 20..1 << 30).contains(&used), "{used}");

    std::fs::write(&path, good.replace("get: /", "gt: /").replace("Reads.", "")).unwrap();
    program.says("The configuration was not taken over").await;
    let told = process(&place, OPERATOR).await;
    let config = &told["config"];
    assert_eq!((config["generation"].as_u64(), config["refused"].as_bool()), (Some(1), Some(true)));
    let why = config["refusal"].as_str().unwrap();
    assert!(why.contains("sidecall.yaml:") && why.contains("tools.read.http.gt: "), "{why}");
    assert!(why.contains("write `get`") && why.lines().count() > 1, "{why}");
    let drawn = status(&place, OPERATOR, &[]).await;
    for line in ["  configuration 1, for ", "    its file has changed and was not taken over:"] {
        assert!(drawn.contains(line), "{drawn}");
    }
    assert!(drawn.contains("tools.read.http.gt") && drawn.contains("of 1.0 GiB of memory in use"));

    // Whoever may not call every tool learns nothing of those that there are.
    let told = process(&place, PLANNER).await;
    assert_eq!((&told["config"]["refused"], told["config"].get("refusal")), (&true.into(), None));
    let drawn = status(&place, PLANNER, &[]).await;
    assert!(drawn.contains("the log of the server says why") && !drawn.contains("http.gt"));

    std::fs::write(&path, good.replace("Reads.", "Reads it.")).unwrap();
    program.says("The configuration was read again").await;
    let told = process(&place, PLANNER).await;
    assert_eq!((&told["config"]["generation"], told["config"].get("refused")), (&2.into(), None));
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
}
