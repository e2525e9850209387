//! What a batch says in the log.

use std::io;

use http::HeaderMap;
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt};

use super::*;
use crate::telemetry::log;

/// Lines for a test to read.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

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
    let written = Written::default();
    let writer = written.clone();
    let lines = log::lines(format, move || writer.clone(), false);
    let subscriber = tracing_subscriber::registry().with(LevelFilter::DEBUG).with(lines);
    let _logging = tracing::subscriber::set_default(subscriber);
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", traceparent.parse().unwrap());
    let world = world(&[("get", Script::Fails(1))]);
    let context = propagate::Context::of(&headers);
    world.run(Submission { context, ..turn(&["get"]) }).await;
    let bytes = written.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
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
