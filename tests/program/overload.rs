//! A server that has too little of something: of descriptors, of memory, of CPUs.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use sidecall::{
    config::env::{Environment, Process, Variable},
    proto::v1::{
        ExecuteBatchRequest, ExecuteBatchResponse, Outcome, StatusRequest, ToolUse, ToolUses,
        batch_event::Event, execute_batch_request, sidecall_service_client::SidecallServiceClient,
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, UnixStream},
    process::{Child, Command},
    time::timeout,
};
use tonic::{Code, Status, Streaming, transport::Channel};
use tonic_types::StatusExt;

use super::{LONG, Place, Program};

type Client = SidecallServiceClient<Channel>;
type Events = Streaming<ExecuteBatchResponse>;

async fn begin(client: &mut Client) -> Result<Events, Status> {
    begin_with(client, String::new()).await
}

async fn begin_with(client: &mut Client, input_json: String) -> Result<Events, Status> {
    let tool_use = ToolUse { name: "read".to_owned(), input_json, ..ToolUse::default() };
    let turn = execute_batch_request::Turn::Typed(ToolUses { tool_uses: vec![tool_use] });
    let request = ExecuteBatchRequest { turn: Some(turn), ..ExecuteBatchRequest::default() };
    let mut events = client.execute_batch(request).await?.into_inner();
    // A stream's first message may carry the refusal.
    events.message().await?;
    Ok(events)
}

/// How the one call of a turn ended.
async fn outcome(mut events: Events) -> Outcome {
    let mut outcome = None;
    let read = async {
        while let Some(message) = events.message().await.unwrap() {
            if let Some(Event::CallFinished(finished)) = message.event.unwrap().event {
                outcome = Some(finished.result.unwrap().outcome());
            }
        }
    };
    timeout(LONG, read).await.expect("the turn hangs");
    outcome.expect("the call has no result")
}

/// A request at the API, which waits for its answer.
async fn asked(api: &TcpListener) -> TcpStream {
    let (mut stream, _) = timeout(LONG, api.accept()).await.expect("nobody asks").unwrap();
    let mut head = BufReader::new(&mut stream).lines();
    while !head.next_line().await.unwrap().unwrap().is_empty() {}
    stream
}

async fn answer(mut stream: TcpStream) {
    stream.write_all((head(2) + "{}").as_bytes()).await.unwrap();
}

/// What stands before an answer of so many bytes.
fn head(bytes: usize) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n\
         Connection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn without_descriptors_old_connections_are_served_and_every_call_ends() {
    let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = Place::new(&format!("http://{}", api.local_addr().unwrap()));
    let mut program = place.serve(1024).await;
    let mut client = Client::new(program.channel().await);
    let running = begin(&mut client).await.unwrap();
    let held = asked(&api).await;

    program.leave_descriptors(4).await;
    let mut many = Vec::new();
    for _ in 0..200 {
        many.push(UnixStream::connect(place.socket()).await.unwrap());
    }
    program.says("Connections cannot be accepted").await;
    // A call that needs a descriptor and has none is told so; one that has its own
    // goes on, and both over the connection that was there before.
    let starved = begin(&mut client).await.unwrap();
    assert_eq!(outcome(starved).await, Outcome::Failed);
    answer(held).await;
    assert_eq!(outcome(running).await, Outcome::Succeeded);

    drop(many);
    program.says("Connections are accepted again").await;
    let mut another = Client::new(program.channel().await);
    let later = begin(&mut another).await.unwrap();
    answer(asked(&api).await).await;
    assert_eq!(outcome(later).await, Outcome::Succeeded);
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
}

/// A cgroup of the test's own. It goes when it is dropped.
struct Group(PathBuf);

/// Files of a cgroup, and what is written into them.
type Files<'a> = &'a [(&'a str, &'a str)];

impl Group {
    /// One of this controller, with these files written in version 1 or else those in
    /// version 2; `None` where none can be made here, with a line that says so.
    fn new(controller: &str, one: Files<'_>, two: Files<'_>) -> Option<Self> {
        let made = Self::make(controller, one, two);
        if let Err(error) = &made {
            // Where everything has to be there, nothing is left out in silence.
            let must_be_there = Process.variable("SIDECALL_TESTS_STRICT") != Variable::Missing;
            assert!(!must_be_there, "no cgroup of {controller} can be made here: {error}");
            let line = format!("left out: no cgroup of {controller} can be made here: {error}\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
        }
        made.ok()
    }

    fn make(controller: &str, one: Files<'_>, two: Files<'_>) -> std::io::Result<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let (parent, files) = match root.join(controller) {
            parent if parent.exists() => (parent, one),
            _ => {
                let given = fs::read_to_string(root.join("cgroup.subtree_control"))?;
                if !given.split_whitespace().any(|given| given == controller) {
                    return Err(std::io::Error::other("it is given to no group below the root"));
                }
                (root.to_owned(), two)
            }
        };
        let name = format!("sidecall-test-{controller}-{}", std::process::id());
        let group = Self(parent.join(name));
        fs::create_dir(&group.0)?;
        for (file, text) in files {
            fs::write(group.0.join(file), text)?;
        }
        Ok(group)
    }

    /// The shell's way into it.
    fn enter(&self) -> String {
        format!("echo $$ > {}/cgroup.procs", self.0.display())
    }

    /// Bytes in use.
    fn used(&self) -> u64 {
        let read = |file| fs::read_to_string(self.0.join(file));
        let text = read("memory.usage_in_bytes").or_else(|_| read("memory.current")).unwrap();
        text.trim().parse().unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its processes are killed when they are dropped, and gone a moment later.
        for _ in 0..1000 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::yield_now();
        }
    }
}

/// A process in the group that fills it with so many bytes.
async fn ballast(group: &Group, bytes: u64) -> Child {
    let fill = format!(
        "{}; {{ head -c {bytes} /dev/zero; echo filled >&2; exec cat; }} | exec tail -c {bytes}",
        group.enter()
    );
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(fill)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = [0; 7];
    let read = child.stderr.as_mut().unwrap().read_exact(&mut said);
    timeout(LONG, read).await.expect("it does not fill").unwrap();
    child
}

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn where_memory_is_short_new_turns_are_refused_until_it_is_there_again() {
    let limit = (160 * MIB).to_string();
    let (one, two) = ([("memory.limit_in_bytes", &*limit)], [("memory.max", &*limit)]);
    let Some(group) = Group::new("memory", &one, &two) else { return };
    let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = Place::new(&format!("http://{}", api.local_addr().unwrap()));
    let mut program: Program = place.serve_after(&group.enter()).await;
    let mut client = Client::new(program.channel().await);
    let running = begin(&mut client).await.unwrap();
    let held = asked(&api).await;

    // Another process of the group takes the memory: 90 % with what the server has.
    let room = 144 * MIB - group.used();
    let mut full = ballast(&group, room).await;
    let refused = loop {
        match begin(&mut client).await {
            Err(refused) => break refused,
            // Not all of it was written yet.
            Ok(events) => {
                answer(asked(&api).await).await;
                assert_eq!(outcome(events).await, Outcome::Succeeded);
            }
        }
    };
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.message().contains("of 160 MiB of memory are in use"), "{refused}");
    assert!(refused.get_error_details().retry_info().is_some(), "{refused}");
    program.says("Memory is short").await;
    let told = client.status(StatusRequest::default()).await.unwrap().into_inner();
    let memory = told.process.unwrap().memory.unwrap();
    assert_eq!((memory.max_bytes, memory.shed_at_percent), (160 * MIB, 85), "{memory:?}");
    assert!(memory.short && memory.refused > 0, "{memory:?}");
    assert!(memory.used_bytes > 128 * MIB, "{memory:?}");

    // What runs goes on, and while nothing else does, one turn is taken.
    answer(held).await;
    assert_eq!(outcome(running).await, Outcome::Succeeded);
    let alone = loop {
        // The server sees a moment later than its caller that a turn is over.
        if let Ok(events) = begin(&mut client).await {
            break events;
        }
    };
    let held = asked(&api).await;
    assert_eq!(begin(&mut client).await.unwrap_err().code(), Code::ResourceExhausted);

    full.kill().await.unwrap();
    // `tail` ends as what it reads from does.
    drop(full);
    let taken = async {
        loop {
            if let Ok(events) = begin(&mut client).await {
                break events;
            }
        }
    };
    let taken = timeout(LONG, taken).await.expect("turns are refused for ever");
    program.says("There is memory again").await;
    answer(held).await;
    answer(asked(&api).await).await;
    assert_eq!(outcome(alone).await, Outcome::Succeeded);
    assert_eq!(outcome(taken).await, Outcome::Succeeded);
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
}

/// What a process has of memory, by the name that its system gives it, in MiB.
fn has_memory(program: &Program, name: &str) -> u64 {
    let pid = program.child.id().unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let kib: u64 = line.trim_matches([':', ' ', '\t', 'k', 'B']).parse().unwrap();
    kib >> 10
}

/// So many turns whose results are this text, and are there all at once.
async fn at_once(count: usize, text: &str, api: &TcpListener, client: &Client) {
    let mut turns = Vec::new();
    let mut answers = Vec::new();
    let (last, most) = text.as_bytes().split_last().unwrap();
    for number in 0..count {
        // Those that are alike would be one.
        let input = format!("{{\"number\":{number}}}");
        turns.push(begin_with(&mut client.clone(), input).await.unwrap());
        let mut stream = asked(api).await;
        stream.write_all(head(text.len()).as_bytes()).await.unwrap();
        stream.write_all(most).await.unwrap();
        answers.push(stream);
    }
    for mut stream in answers {
        stream.write_all(&[*last]).await.unwrap();
    }
    for turn in turns {
        assert_eq!(outcome(turn).await, Outcome::Succeeded);
    }
}

#[tokio::test]
async fn what_large_results_took_is_given_back_though_nothing_comes_after_them() {
    let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = Place::new(&format!("http://{}", api.local_addr().unwrap()));
    let mut program = place.serve(1024).await;
    let client = Client::new(program.channel().await);
    let before = has_memory(&program, "VmRSS");

    // Of two sizes: an allocator may keep them apart.
    let large = [100 << 10, 6 << 20].map(|bytes| format!("\"{}\"", "x".repeat(bytes)));
    for text in large.iter().flat_map(|text| [text; 2]) {
        at_once(12, text, &api, &client).await;
    }
    let most = has_memory(&program, "VmHWM");
    assert!(most > before + 48, "{most} MiB at most, {before} MiB before");
    let is_given_back = async {
        while has_memory(&program, "VmRSS") > before + 24 {
            // The system tells nobody.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let is_given_back = timeout(LONG, is_given_back).await.is_ok();
    let now = has_memory(&program, "VmRSS");
    assert!(is_given_back, "{now} MiB, {most} MiB at most, {before} MiB before");
    program.signal("TERM");
    assert_eq!(program.ends().await.code(), Some(0));
}

/// Ready when so many threads of the server run its work. One that was just begun for
/// something else has its parent's name until it has its own.
async fn has_workers(program: &Program, count: usize) {
    let counted = async {
        while workers(program) != count {
            tokio::task::yield_now().await;
        }
    };
    let is_so = timeout(LONG, counted).await.is_ok();
    assert!(is_so, "there are {} and not {count}", workers(program));
}

fn workers(program: &Program) -> usize {
    let tasks = format!("/proc/{}/task", program.child.id().unwrap());
    let names = fs::read_dir(tasks)
        .unwrap()
        .map(|task| fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default());
    names.filter(|name| name.trim() == "tokio-rt-worker").count()
}

#[tokio::test]
async fn there_are_as_many_threads_as_cpus_may_be_used_or_as_are_set() {
    let place = Place::new("http://127.0.0.1:1");
    let config = place.0.path().join("sidecall.yaml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.clone() + "bounds: {threads: 3}\n").unwrap();
    has_workers(&place.serve(1024).await, 3).await;

    fs::write(&config, text).unwrap();
    let one = [("cpu.cfs_quota_us", "50000"), ("cpu.cfs_period_us", "100000")];
    let Some(group) = Group::new("cpu", &one, &[("cpu.max", "50000 100000")]) else { return };
    has_workers(&place.serve_after(&group.enter()).await, 1).await;
}
