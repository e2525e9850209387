//! The exporter against collectors that do not behave, in paused time.

use std::sync::Mutex;

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use tokio::time::advance;

use super::*;

/// What a collector does with a message.
#[derive(Clone, Copy, Debug)]
enum Behaviour {
    Takes,
    Refuses,
    NeverAnswers,
}

#[derive(Clone, Debug)]
struct Collector {
    behaviour: Behaviour,
    messages: Arc<Mutex<Vec<usize>>>,
}

impl SpanExporter for Collector {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.messages.lock().unwrap().push(batch.len());
        match self.behaviour {
            Behaviour::Takes => Ok(()),
            Behaviour::Refuses => Err(OTelSdkError::InternalFailure("no".to_owned())),
            Behaviour::NeverAnswers => std::future::pending().await,
        }
    }
}

struct Stage {
    tracer: Tracer,
    room: Room,
    messages: Arc<Mutex<Vec<usize>>>,
    ending: CancellationToken,
    within: oneshot::Sender<Duration>,
    sending: tokio::task::JoinHandle<()>,
}

impl Stage {
    fn set(behaviour: Behaviour, queue: usize) -> Self {
        let (tracer, items, room) =
            Tracer::new(1.0, queue, &crate::telemetry::capture::Settings::default());
        let messages = Arc::default();
        let collector = Collector { behaviour, messages: Arc::clone(&messages) };
        let sending = Sending {
            exporter: collector,
            maker: Arc::new(Maker::new(&[], Default::default())),
            items,
            room: room.clone(),
            timeout: Duration::from_secs(10),
            delay: Duration::from_secs(1),
            spans: Vec::new(),
            captured_bytes: 0,
            under_way: 0,
            telling: Telling::new("http://c:4317", Default::default()),
        };
        let ending = CancellationToken::new();
        let (within, rest) = oneshot::channel();
        let sending = crate::drain::Drain::new().spawn(sending.run(ending.clone(), rest));
        Self { tracer, room, messages, ending, within, sending }
    }

    fn spans(&self, count: usize) {
        for _ in 0..count {
            drop(self.tracer.rpc(&HeaderMap::new(), "m").1);
        }
    }

    /// Spans in the queue.
    fn waiting(&self) -> usize {
        self.room.waiting()
    }

    fn messages(&self) -> Vec<usize> {
        self.messages.lock().unwrap().clone()
    }

    async fn end(self, within: Duration) -> (Room, Vec<usize>) {
        self.within.send(within).unwrap();
        self.ending.cancel();
        self.sending.await.unwrap();
        let messages = self.messages.lock().unwrap().clone();
        (self.room, messages)
    }
}

/// Time passes, and everybody notices.
async fn pass(time: Duration) {
    settle().await;
    advance(time).await;
    settle().await;
}

async fn settle() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn spans_that_come_together_leave_together() {
    let stage = Stage::set(Behaviour::Takes, 1000);
    stage.spans(3);
    pass(Duration::from_millis(900)).await;
    assert!(stage.messages().is_empty(), "they wait for more");
    stage.spans(2);
    pass(Duration::from_millis(100)).await;
    assert_eq!(stage.messages(), [5]);
    stage.spans(600);
    let (room, messages) = stage.end(Duration::from_secs(1)).await;
    assert_eq!(messages, [5, MESSAGE_SPANS_MAX, 88]);
    assert_eq!((room.dropped(), room.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_message_s_worth_leaves_before_its_time_and_less_wakes_nobody() {
    let stage = Stage::set(Behaviour::Takes, 10_000);
    stage.spans(1);
    settle().await;
    assert_eq!(stage.waiting(), 0, "the first is taken up");
    stage.spans(MESSAGE_SPANS_MAX - 1);
    settle().await;
    assert_eq!(stage.waiting(), MESSAGE_SPANS_MAX - 1, "nobody looks at the next");
    stage.spans(1);
    settle().await;
    assert_eq!((stage.messages(), stage.waiting()), (vec![MESSAGE_SPANS_MAX], 0));
    pass(Duration::from_secs(1)).await;
    assert_eq!(stage.messages(), [MESSAGE_SPANS_MAX, 1], "the rest is in time");
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_nobody_who_does_not_answer() {
    let stage = Stage::set(Behaviour::NeverAnswers, 100);
    stage.spans(1);
    pass(Duration::from_secs(2)).await;
    let before = clock::now();
    stage.spans(50);
    let (room, _) = stage.end(Duration::from_millis(200)).await;
    assert_eq!(clock::now() - before, Duration::from_millis(200));
    assert_eq!(room.waiting(), 0);
    assert_eq!(room.dropped(), 51, "what is left is counted");
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_hangs_holds_up_nobody_and_what_is_lost_is_counted() {
    let stage = Stage::set(Behaviour::NeverAnswers, 100);
    stage.spans(60);
    pass(Duration::from_secs(2)).await;
    // The first message is on its way; a hundred more find room, and no more.
    stage.spans(150);
    assert_eq!(stage.room.dropped(), 50);
    pass(Duration::from_secs(10)).await;
    assert_eq!(stage.room.dropped(), 50 + 60, "the message was given up");
    let _ = stage.end(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_collector_refuses_is_counted() {
    let stage = Stage::set(Behaviour::Refuses, 100);
    stage.spans(7);
    let (room, messages) = stage.end(Duration::from_secs(1)).await;
    assert_eq!(messages, [7]);
    assert_eq!(room.dropped(), 7);
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_is_gone_leaves_no_thread_behind() {
    let stage = Stage::set(Behaviour::NeverAnswers, 100);
    stage.spans(1);
    drop(stage.within);
    stage.ending.cancel();
    stage.sending.await.unwrap();
}

#[test]
fn an_endpoint_that_is_none_is_refused() {
    let maker = Maker::new(&[], Default::default());
    let (settings, resource) = (Settings::new("no endpoint"), Resource::builder_empty().build());
    let error = Exporter::start(&settings, &resource, 1.0, maker, None).unwrap_err();
    assert!(error.to_string().starts_with("telemetry.otlp: "), "{error}");
}
