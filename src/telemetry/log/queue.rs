//! The way of lines to stderr, which nobody waits in.
//!
//! Whoever logs runs calls, too: a reader of stderr that stalls must not stop it. So
//! a thread of its own writes, and what finds no room is dropped and counted. A
//! line says how many they were, where they would have stood.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

use super::Format;

/// How lines wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// Most bytes that wait, with those that are being written.
    pub(super) bytes_max: usize,
    /// How long the end waits for what has not been written.
    pub(super) end_within: Duration,
}

impl Default for Settings {
    /// Some thousand lines, and an end that nobody who restarts a process notices.
    fn default() -> Self {
        Self { bytes_max: 1 << 20, end_within: Duration::from_secs(1) }
    }
}

/// Takes lines, and never waits. Cheap to clone.
#[derive(Clone)]
pub(super) struct Queue(Arc<Shared>);

/// The thread that writes. Dropped, it writes what waits, as far as the time suffices.
pub(super) struct Writing(Queue);

struct Shared {
    settings: Settings,
    state: Mutex<State>,
    /// Tells the thread that there is something to do, and the end that all is done.
    changed: Condvar,
    dropped: Arc<AtomicU64>,
    /// The line that says that so many were dropped.
    notice: fn(u64, Format) -> String,
    form: Format,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    /// Bytes of those and of the one that is being written.
    bytes: usize,
    /// Lines that were dropped and that no line tells of yet.
    untold: u64,
    is_writing: bool,
    is_ending: bool,
}

impl Queue {
    /// Starts the thread, which writes to `to`.
    pub(super) fn start(
        to: impl Write + Send + 'static,
        settings: Settings,
        form: Format,
        notice: fn(u64, Format) -> String,
    ) -> io::Result<(Self, Writing)> {
        let queue = Self(Arc::new(Shared {
            settings,
            state: Mutex::default(),
            changed: Condvar::new(),
            dropped: Arc::default(),
            notice,
            form,
        }));
        let writing = queue.clone();
        let thread = std::thread::Builder::new().name("log".to_owned());
        thread.spawn(move || writing.write_to(to))?;
        Ok((queue.clone(), Writing(queue)))
    }

    /// Counts the lines that were dropped.
    pub(super) fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.0.dropped)
    }

    /// Takes a line, where there is room for it.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.state();
        let notice = match state.untold {
            0 => Vec::new(),
            untold => self.notice(untold),
        };
        let bytes = state.bytes + notice.len() + line.len();
        // A line that alone is longer than the bound finds an empty queue some time.
        if bytes > self.0.settings.bytes_max && state.bytes > 0 {
            state.untold += 1;
            drop(state);
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.bytes = bytes;
        if !notice.is_empty() {
            state.untold = 0;
            state.lines.push_back(notice);
        }
        state.lines.push_back(line.to_vec());
        drop(state);
        self.0.changed.notify_all();
    }

    fn notice(&self, lines: u64) -> Vec<u8> {
        (self.0.notice)(lines, self.0.form).into_bytes()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Line by line until the end.
    fn write_to(&self, mut to: impl Write) {
        let mut state = self.state();
        loop {
            let line = match state.lines.pop_front() {
                Some(line) => line,
                // Nobody may log for long: what was dropped is told of now.
                None if state.untold > 0 => {
                    let line = self.notice(std::mem::take(&mut state.untold));
                    state.bytes += line.len();
                    line
                }
                None if state.is_ending => return,
                None => {
                    let woken = self.0.changed.wait(state);
                    state = woken.unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
            };
            state.is_writing = true;
            drop(state);
            // There is nowhere to tell of a stderr that is gone.
            let _ = to.write_all(&line).and_then(|()| to.flush());
            state = self.state();
            state.is_writing = false;
            state.bytes = state.bytes.saturating_sub(line.len());
            self.0.changed.notify_all();
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let Shared { settings, changed, .. } = &*self.0.0;
        let mut state = self.0.state();
        state.is_ending = true;
        changed.notify_all();
        let is_open =
            |state: &mut State| state.is_writing || !state.lines.is_empty() || state.untold > 0;
        // Whatever has no reader by then has none.
        let _ended = changed.wait_timeout_while(state, settings.end_within, is_open);
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self)
    }
}

/// Takes one line, which comes in one piece.
pub(super) struct Line<'a>(&'a Queue);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Takes a line whenever the test lets it, and tells of it.
    struct Reader {
        lets: mpsc::Receiver<()>,
        took: mpsc::SyncSender<String>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // A test that is gone reads no more.
            let _ = self.took.send(String::from_utf8(bytes.to_vec()).unwrap());
            let _ = self.lets.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Stage {
        queue: Queue,
        writing: Writing,
        lets: mpsc::SyncSender<()>,
        took: mpsc::Receiver<String>,
    }

    /// Longer than what is waited for takes.
    const LONG: Duration = Duration::from_secs(30);

    fn stage(bytes_max: usize, end_within: Duration) -> Stage {
        let (lets, let_go) = mpsc::sync_channel(100);
        let (took, taken) = mpsc::sync_channel(100);
        let settings = Settings { bytes_max, end_within };
        let notice = |lines, _| format!("<{lines}>");
        let to = Reader { lets: let_go, took };
        let (queue, writing) = Queue::start(to, settings, Format::Human, notice).unwrap();
        Stage { queue, writing, lets, took: taken }
    }

    #[test]
    fn a_reader_that_stalls_holds_nobody_up_and_hears_later_what_it_missed() {
        let Stage { queue, lets, took, writing } = stage(12, LONG);
        let next = || {
            lets.send(()).unwrap();
            took.recv().unwrap()
        };
        queue.push(b"aaaa");
        assert_eq!(took.recv().unwrap(), "aaaa");
        // What is being written counts, too.
        for line in ["bbbb", "cccc", "dddd", "eeee"] {
            queue.push(line.as_bytes());
        }
        assert_eq!(queue.dropped().load(Ordering::Relaxed), 2);
        assert_eq!(next(), "bbbb");
        queue.push(b"ffff");
        assert_eq!(next(), "cccc");
        // Where lines were dropped is where it is said.
        queue.push(b"gggg");
        assert_eq!([next(), next()], ["<3>", "gggg"]);
        for line in ["hhhh", "iiii", "jjjj"] {
            queue.push(line.as_bytes());
        }
        assert_eq!([next(), next()], ["hhhh", "iiii"]);
        assert_eq!(next(), "<1>", "told of, though nobody logs any more");
        assert_eq!(queue.dropped().load(Ordering::Relaxed), 4);
        lets.send(()).unwrap();
        drop(writing);
        assert_eq!(queue.state().bytes, 0);
    }

    #[test]
    fn a_line_longer_than_the_bound_is_written_once_nothing_else_waits() {
        let Stage { queue, lets, took, writing } = stage(4, LONG);
        queue.push(b"longer than that");
        queue.push(b"b");
        assert_eq!(took.recv().unwrap(), "longer than that");
        lets.send(()).unwrap();
        assert_eq!(took.recv().unwrap(), "<1>");
        lets.send(()).unwrap();
        drop(writing);
    }

    #[test]
    fn the_end_writes_what_waits_and_waits_for_no_reader_who_stalls() {
        let Stage { queue, lets, took, writing } = stage(100, LONG);
        for line in ["a", "b", "c"] {
            queue.push(line.as_bytes());
            lets.send(()).unwrap();
        }
        drop(writing);
        assert_eq!(took.iter().collect::<String>(), "abc", "and the thread is gone");

        let Stage { queue, lets, took, writing } = stage(100, Duration::from_millis(10));
        queue.push(b"a");
        drop(writing);
        assert_eq!(took.recv().unwrap(), "a");
        drop(lets);
    }
}
