//! Processes beside the bench: started, watched through `/proc`, and ended with
//! whoever holds them.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use sidecall::clock::{self, Instant};

/// Time after which a process that does not serve counts as broken.
const START_MAX: Duration = Duration::from_secs(10);
/// Between two looks at a socket that nobody serves yet.
const LOOK: Duration = Duration::from_micros(100);

/// A child process. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Just before exec.
    started: Instant,
}

/// What a process holds of the machine's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// All resident pages, those of the program's file included.
    pub(crate) rss_mib: f64,
    /// Those that no file backs.
    pub(crate) anonymous_mib: f64,
}

impl Process {
    /// Starts `program`, with nothing of our environment.
    pub(crate) fn start<A: AsRef<OsStr>>(
        program: &Path,
        args: impl IntoIterator<Item = A>,
    ) -> anyhow::Result<Self> {
        let started = clock::now();
        let child = Command::new(program)
            .args(args)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { child, started })
    }

    /// The first line that it prints.
    pub(crate) fn line(&mut self) -> anyhow::Result<String> {
        let out = self.child.stdout.as_mut().context("its output was taken")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Waits until it speaks HTTP/2 on `socket`; how long that took from its
    /// start. A socket takes connections before anybody accepts them, so what
    /// counts is the server's first frame.
    pub(crate) fn serves(&mut self, socket: &Path) -> anyhow::Result<Duration> {
        loop {
            if greeted(socket) {
                return Ok(self.started.elapsed());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended before it served on {}: {status}", socket.display());
            }
            if self.started.elapsed() > START_MAX {
                bail!("it does not serve on {}", socket.display());
            }
            thread::sleep(LOOK);
        }
    }

    /// Stops it where it is: it keeps its sockets, and answers nothing any more.
    pub(crate) fn stop(&self) -> anyhow::Result<()> {
        let id = Pid::from_raw(i32::try_from(self.child.id())?);
        Ok(signal::kill(id, Signal::SIGSTOP)?)
    }

    /// Processor time of all its threads that live: nanoseconds, where `stat`
    /// counts in hundredths of a second.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let mut nanos = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let stat = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanos += stat
                .split_whitespace()
                .next()
                .context("an empty schedstat")?
                .parse::<u64>()
                .context("schedstat is not what it was")?;
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// What it holds at the moment.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let maps = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let mib = |key: &str| -> anyhow::Result<f64> {
            let kib: f64 = maps
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .and_then(|line| line.split_whitespace().next())
                .with_context(|| format!("smaps_rollup says nothing of {key}"))?
                .parse()?;
            Ok(kib / 1024.0)
        };
        Ok(Memory { rss_mib: mib("Rss:")?, anonymous_mib: mib("Anonymous:")? })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether whoever accepts on `socket` answers HTTP/2's preface and an empty
/// SETTINGS frame with a frame of its own (RFC 9113, section 3.4).
fn greeted(socket: &Path) -> bool {
    const SETTINGS: u8 = 4;
    let hello = || -> std::io::Result<u8> {
        let mut stream = greet(socket)?;
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        Ok(head[3])
    };
    hello().is_ok_and(|kind| kind == SETTINGS)
}

/// A connection that has said HTTP/2's preface and an empty SETTINGS frame.
pub(crate) fn greet(socket: &Path) -> std::io::Result<UnixStream> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(START_MAX))?;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")?;
    Ok(stream)
}
