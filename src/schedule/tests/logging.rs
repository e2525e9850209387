//! What a batch says in the log.

use std::io;

use http::HeaderMap;
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt};

use super::*;
use crate::telemetry::log;

/// Lines for a test to read.
#[derive(Clone, Default)]
pub(in crate::schedule) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    /// Takes down all that this thread logs, for people.
    pub(in crate::schedule) fn logs(&self) -> tracing::subscriber::DefaultGuard {
        self.logs_as(log::Format::Human)
    }

    fn logs_as(&self, format: log::Format) -> tracing::subscriber::DefaultGuard {
        let writer = self.clone();
        let lines = log::lines(format, move || writer.clone(), false);
        let subscriber = tracing_subscriber::registry().with(LevelFilter::DEBUG).with(lines);
        tracing::subscriber::set_default(subscriber)
    }

    /// What was taken down.
    pub(in crate::schedule) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines of a batch whose call fails.
async fn lines(format: log::Format, traceparent: &str) -> String {
    logged(format, traceparent, Script::Fails(1)).await
}

/// The lines of a batch whose tool does this, and that is left after a while.
async fn logged(format: log::Format, traceparent: &str, script: Script) -> String {
    let written = Written::default();
    let _logging = written.logs_as(format);
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", traceparent.parse().unwrap());
    let world = world(&[("get", script)]);
    let context = propagate::Context::of(&headers);
    let deadline = Some(clock::now() + Duration::from_secs(5));
    world.run(Submission { context, deadline, ..turn(&["get"]) }).await;
    written.text()
}

#[tokio::test(start_paused = true)]
async fn what_breaks_while_it_is_dropped_is_told_with_its_trace_s_id() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let told = logged(log::Format::Human, parent, Script::PanicsWhenDropped).await;
    let line = told.lines().find(|line| line.contains("broke while it was dropped")).unwrap();
    assert!(line.contains("trace.id=\"0af7651916cd43dd8448eb211c80319c\""), "{line}");
}

#[tokio::test(start_paused = true)]
async fn what_is_said_of_a_batch_has_its_id_and_its_trace_s() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let human = lines(log::Format::Human, parent).await;
    assert!(human.contains("An attempt failed"), "{human}");
    assert!(human.contains(" trace.id=0af7651916cd43dd8448eb211c80319c"), "{human}");
    assert!(human.contains(" batch.id="), "{human}");
    let json = lines(log::Format::Json, parent).await;
    assert!(json.contains(r#""trace.id":"0af7651916cd43dd8448eb211c80319c""#), "{json}");
    assert!(json.contains(r#""batch.id":""#), "{json}");
    // Where nobody traces, no trace is made up.
    let untraced = lines(log::Format::Json, "none").await;
    assert!(untraced.contains("An attempt failed") && !untraced.contains("trace.id"), "{untraced}");
}
