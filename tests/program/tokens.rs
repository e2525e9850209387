//! The token that a command shows to a server that asks for one.

use std::{path::Path, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{ChildStdout, Command},
    time::timeout,
};

use super::{LONG, Place, Program};

const RIGHT: &str = "the-token-of-the-operator";
const NEXT: &str = "the-next-token-of-the-operator";

/// Callers whose token is that of each of these files.
fn callers(place: &Place, files: &[&str]) -> String {
    let files = files.iter().map(|file| format!("{{file: {}}}", path(place, file)));
    let files = files.collect::<Vec<_>>().join(", ");
    format!("callers: {{allowed: {{operator: {{token: [{files}], admin: on}}}}}}\n")
}

fn path(place: &Place, name: &str) -> String {
    place.0.path().join(name).display().to_string()
}

fn write(place: &Place, name: &str, text: &str) {
    std::fs::write(place.0.path().join(name), text).unwrap();
}

/// A command of the program's to the server in that place, with nothing of the tests'
/// own environment.
fn command(place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidecall"));
    command
        .args(arguments)
        .env("SIDECALL_ADDRESS", format!("unix://{}", place.socket().display()))
        .env_remove("SIDECALL_TOKEN_FILE")
        .env_remove("SIDECALL_TOKEN")
        .env_remove("SIDECALL_CONFIG")
        .kill_on_drop(true);
    command
}

/// How it ends, and all that it says.
async fn ran(command: &mut Command) -> (Option<i32>, String) {
    let output = timeout(LONG, command.output()).await.expect("it hangs").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout) + &text(output.stderr))
}

#[tokio::test]
async fn a_command_shows_its_token_and_says_what_to_do_where_that_is_not_known() {
    let place = Place::new("http://127.0.0.1:1");
    place.adds(&callers(&place, &["known"]));
    // As a Secret is written: with a line's end, or without.
    write(&place, "known", RIGHT);
    write(&place, "right", &format!("{RIGHT}\n"));
    write(&place, "wrong", "another-token-altogether\n");
    write(&place, "empty", "\n");
    write(&place, "turn.json", r#"[{"type":"tool_use","id":"a","name":"read","input":{}}]"#);
    let turn = path(&place, "turn.json");
    let mut program = place.serve(1024).await;

    let [right, wrong, empty, none] =
        ["right", "wrong", "empty", "none"].map(|name| path(&place, name));
    let well: [(&[&str], i32, &str); 5] = [
        (&["tools"], 0, "read"),
        (&["status"], 0, "nothing waits"),
        (&["log"], 0, "info"),
        (&["plan", &turn], 0, "read"),
        // Nobody listens where its API is.
        (&["run", &turn], 1, "read"),
    ];
    for (arguments, code, says) in well {
        let shown = command(&place, arguments).args(["--token-file", &right]).output().await;
        let told = String::from_utf8(shown.as_ref().unwrap().stdout.clone()).unwrap();
        let shown = shown.unwrap();
        assert_eq!(shown.status.code(), Some(code), "{arguments:?}: {shown:?}");
        assert!(told.contains(says), "{arguments:?}: {told}");

        let (code, said) = ran(&mut command(&place, arguments)).await;
        assert_eq!(code, Some(3), "{arguments:?}: {said}");
        assert!(said.contains("error: refused: UNAUTHENTICATED: the caller is not"), "{said}");
        for way in ["--token-file", "SIDECALL_TOKEN_FILE", "SIDECALL_TOKEN."] {
            assert!(said.contains(way), "{arguments:?} does not say {way}: {said}");
        }

        let (code, said) = ran(command(&place, arguments).args(["--token-file", &wrong])).await;
        assert_eq!(code, Some(3), "{arguments:?}: {said}");
        let advice = format!("The token of {wrong} was shown; the server's log says why");
        assert!(said.contains("refused: UNAUTHENTICATED") && said.contains(&advice), "{said}");
        assert!(!said.contains("another-token"), "{said}");
    }

    let listed = async |variables: &[(&str, &str)]| {
        ran(command(&place, &["tools"]).envs(variables.iter().copied())).await
    };
    assert_eq!(listed(&[("SIDECALL_TOKEN_FILE", &right)]).await.0, Some(0));
    assert_eq!(listed(&[("SIDECALL_TOKEN", RIGHT)]).await.0, Some(0));
    // The file is the stronger of the two.
    let (code, said) = listed(&[("SIDECALL_TOKEN_FILE", &wrong), ("SIDECALL_TOKEN", RIGHT)]).await;
    assert_eq!(code, Some(3), "{said}");
    let (code, said) = listed(&[("SIDECALL_TOKEN", "not-this-one")]).await;
    assert!(code == Some(3) && said.contains("The token of SIDECALL_TOKEN was shown"), "{said}");
    for file in [&empty, &none] {
        let (code, said) = listed(&[("SIDECALL_TOKEN_FILE", file)]).await;
        assert!(code == Some(2) && said.contains(file.as_str()), "{said}");
    }

    // A probe needs none.
    assert_eq!(ran(&mut command(&place, &["healthcheck"])).await.0, Some(0));
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
}

/// The next look of a command that looks again and again.
async fn look(looks: &mut Lines<BufReader<ChildStdout>>) -> String {
    timeout(LONG, looks.next_line()).await.expect("it looks no more").unwrap().expect("it ended")
}

#[tokio::test]
async fn a_command_that_goes_on_shows_the_token_that_its_file_has_by_then() {
    let place = Place::new("http://127.0.0.1:1");
    let tools = std::fs::read_to_string(place.0.path().join("sidecall.yaml")).unwrap();
    place.adds(&callers(&place, &["old", "new"]));
    write(&place, "old", RIGHT);
    write(&place, "new", NEXT);
    write(&place, "mine", RIGHT);
    let mut program = place.serve(1024).await;
    let mine = path(&place, "mine");
    let mut watch = command(&place, &["status", "--json", "--watch", "--interval", "0.1"])
        .args(["--token-file", &mine])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut looks = BufReader::new(watch.stdout.take().unwrap()).lines();
    look(&mut looks).await;

    // As a Secret is renewed: another file in its place.
    write(&place, "mine.new", &format!("{NEXT}\n"));
    std::fs::rename(place.0.path().join("mine.new"), &mine).unwrap();
    let only_new = tools + &callers(&place, &["new"]);
    write(&place, "sidecall.yaml.new", &only_new);
    let yaml = place.0.path().join("sidecall.yaml");
    std::fs::rename(place.0.path().join("sidecall.yaml.new"), yaml).unwrap();
    program.says("The configuration was read again").await;
    let (code, said) = ran(command(&place, &["tools"]).env("SIDECALL_TOKEN", RIGHT)).await;
    assert_eq!(code, Some(3), "the old token is still taken: {said}");
    for _ in 0..3 {
        look(&mut looks).await;
    }
    watch.kill().await.unwrap();
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
}

/// What is logged up to where it serves, of `serve` at this address in place of the
/// file's.
async fn begun(place: &Place, address: &str) -> (Vec<String>, Program) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidecall"));
    command.arg("serve").arg("--config").arg(yaml(place)).args(["--tcp", address]);
    let mut program = place.begin(command);
    let (before, _) = program.until("Serving 1 tool on http://").await;
    (before, program)
}

fn yaml(place: &Place) -> impl AsRef<std::ffi::OsStr> + use<> {
    place.0.path().join(Path::new("sidecall.yaml"))
}

#[tokio::test]
async fn an_address_of_the_command_line_is_guarded_like_the_files() {
    let place = Place::new("http://127.0.0.1:1");
    place.adds("listen: {tcp: '127.0.0.1:0'}\n");
    // Nobody is asked who he is.
    let mut exposed = Command::new(env!("CARGO_BIN_EXE_sidecall"));
    exposed.arg("serve").arg("--config").arg(yaml(&place)).args(["--tcp", "0.0.0.0:0"]);
    let (code, said) = ran(&mut exposed).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("can be reached from other machines, and nothing authenticates"));

    place.adds(&callers(&place, &["known"]));
    write(&place, "known", RIGHT);
    for (address, warns) in [("127.0.0.1:0", false), ("0.0.0.0:0", true)] {
        let (before, mut program) = begun(&place, address).await;
        let warning = format!("--tcp: tokens travel to {address} for everyone on the way to read");
        let is_said = before.iter().any(|line| line.contains("WARN") && line.contains(&warning));
        assert_eq!(is_said, warns, "{before:?}");
        program.signal("TERM");
        assert_eq!(program.ends().await.code(), Some(0));
    }
}
