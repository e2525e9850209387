//! A turn's stream, gathered into what a client makes of it.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, stream::BoxStream};
use prost::Message;
use sidecall::proto::v1::{
    BatchAccepted, BatchEvent, BatchSummary, ExecuteBatchResponse, ExecuteStreamResponse, Failure,
    FailureCode, Outcome, ToolResult, batch_event::Event, content, result_part,
};
use tokio::time::timeout;
use tonic::{Status, Streaming};

use super::{PATIENCE, promises};

/// Events as they come, each with the bytes of its message.
type Messages = BoxStream<'static, Result<(usize, Option<BatchEvent>), Status>>;

/// A turn under way.
pub(crate) struct Running {
    stream: Messages,
    /// What came so far.
    pub(crate) seen: Vec<BatchEvent>,
    message_bytes_max: usize,
}

impl Running {
    pub(crate) fn new(stream: Streaming<ExecuteBatchResponse>) -> Self {
        let event = |message: ExecuteBatchResponse| (message.encoded_len(), message.event);
        Self::of(stream.map(move |message| message.map(event)).boxed())
    }

    /// Of a turn that is still being written.
    pub(crate) fn of_stream(stream: Streaming<ExecuteStreamResponse>) -> Self {
        let event = |message: ExecuteStreamResponse| (message.encoded_len(), message.event);
        Self::of(stream.map(move |message| message.map(event)).boxed())
    }

    fn of(stream: Messages) -> Self {
        Self { stream, seen: Vec::new(), message_bytes_max: 0 }
    }

    /// The next event, or how the stream ended.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Status> {
        let Ok(message) = timeout(PATIENCE, self.stream.next()).await else {
            panic!("the stream never went on: {:#?}", self.seen)
        };
        let Some((bytes, event)) = message.transpose()? else { return Ok(None) };
        self.message_bytes_max = self.message_bytes_max.max(bytes);
        let event = event.unwrap();
        self.seen.push(event.clone());
        Ok(Some(event.event.unwrap()))
    }

    /// Ready once an event is the one that is looked for.
    pub(crate) async fn until(&mut self, is_it: impl Fn(&Event) -> bool) -> Event {
        loop {
            match self.next().await.unwrap() {
                Some(event) if is_it(&event) => return event,
                Some(_) => {}
                None => panic!("the stream ended before: {:#?}", self.seen),
            }
        }
    }

    /// Ready once the call is terminal.
    pub(crate) async fn until_finished(&mut self, call_id: &str) -> ToolResult {
        let event = self
            .until(|event| {
                matches!(event, Event::CallFinished(finished)
                    if finished.result.as_ref().is_some_and(|result| result.call_id == call_id))
            })
            .await;
        let Event::CallFinished(finished) = event else { unreachable!() };
        finished.result.unwrap()
    }

    /// Ready once the call at this place has its place in the plan, too.
    pub(crate) async fn until_planned(&mut self, index: u32) {
        self.until(|event| matches!(event, Event::CallPlanned(planned) if planned.index == index))
            .await;
    }

    /// Ready once an attempt of the call begins.
    pub(crate) async fn until_started(&mut self, call_id: &str) {
        self.until(|event| matches!(event, Event::Started(started) if started.call_id == call_id))
            .await;
    }

    /// Takes the stream to its end and holds it to every promise.
    pub(crate) async fn finish(mut self) -> Ran {
        while self.next().await.unwrap().is_some() {}
        let ran = Ran::gather(self.seen, self.message_bytes_max);
        promises::assert_kept(&ran);
        ran
    }

    /// Goes away.
    pub(crate) fn hang_up(self) {}
}

/// A turn that ended, with the promises kept.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) events: Vec<BatchEvent>,
    pub(crate) accepted: BatchAccepted,
    /// In completion order, with what came in parts put together.
    pub(crate) finished: Vec<ToolResult>,
    /// JSON text of each item, in call order.
    pub(crate) bundle: Vec<String>,
    pub(crate) summary: BatchSummary,
    pub(crate) message_bytes_max: usize,
}

impl Ran {
    fn gather(events: Vec<BatchEvent>, message_bytes_max: usize) -> Self {
        let mut accepted = None;
        let mut summary = None;
        let mut finished = Vec::new();
        let mut bundle: Vec<String> = Vec::new();
        let mut continues = false;
        let mut parts: BTreeMap<(u32, u32), Vec<u8>> = BTreeMap::new();
        for event in &events {
            match event.event.clone().unwrap() {
                Event::Accepted(event) => accepted = Some(event),
                Event::ResultPart(part) => {
                    let bytes = match part.piece.unwrap() {
                        result_part::Piece::Text(text) => text.into_bytes(),
                        result_part::Piece::Data(data) => data.to_vec(),
                    };
                    parts.entry((part.index, part.content_index)).or_default().extend(bytes);
                }
                Event::CallFinished(event) => {
                    let mut result = event.result.unwrap();
                    put_together(&mut result, &mut parts);
                    finished.push(result);
                }
                Event::BundlePart(part) => {
                    let index = part.first_index as usize;
                    let mut items = part.items.into_iter();
                    if continues {
                        assert_eq!(index, bundle.len() - 1, "the continuation of another item");
                        bundle.last_mut().unwrap().push_str(&items.next().unwrap());
                    } else {
                        assert_eq!(index, bundle.len(), "a gap in the bundle");
                    }
                    bundle.extend(items);
                    continues = part.last_item_continues;
                }
                Event::BatchFinished(event) => summary = event.summary,
                Event::CallPlanned(_)
                | Event::Started(_)
                | Event::Progress(_)
                | Event::Retrying(_) => {}
            }
        }
        assert!(!continues, "the bundle's last item never ended");
        assert!(parts.is_empty(), "parts of no result: {:?}", parts.keys());
        Self {
            events,
            accepted: accepted.unwrap(),
            finished,
            bundle,
            summary: summary.unwrap(),
            message_bytes_max,
        }
    }

    /// The call's result.
    #[track_caller]
    pub(crate) fn result(&self, call_id: &str) -> &ToolResult {
        self.finished
            .iter()
            .find(|result| result.call_id == call_id)
            .unwrap_or_else(|| panic!("no result of {call_id}: {:#?}", self.finished))
    }

    /// The text or JSON that the model sees of the call; blocks on lines.
    #[track_caller]
    pub(crate) fn text(&self, call_id: &str) -> String {
        text_of(self.result(call_id))
    }

    /// Why the call did not succeed.
    #[track_caller]
    pub(crate) fn failure(&self, call_id: &str) -> &Failure {
        let result = self.result(call_id);
        result.failure.as_ref().unwrap_or_else(|| panic!("it succeeded: {result:#?}"))
    }

    /// The call succeeded and said this.
    #[track_caller]
    pub(crate) fn assert_succeeded(&self, call_id: &str, text: &str) {
        let result = self.result(call_id);
        assert_eq!(result.outcome(), Outcome::Succeeded, "{result:#?}");
        assert_eq!(text_of(result), text);
    }

    /// The call failed with this code, and its message says these things.
    #[track_caller]
    pub(crate) fn assert_failed(&self, call_id: &str, code: FailureCode, says: &[&str]) {
        let failure = self.failure(call_id);
        assert_eq!(failure.code(), code, "{failure:#?}");
        for says in says {
            assert!(failure.message.contains(says), "{:?} lacks {says:?}", failure.message);
        }
    }

    /// Call ids in completion order.
    pub(crate) fn completion_order(&self) -> Vec<&str> {
        self.finished.iter().map(|result| result.call_id.as_str()).collect()
    }

    /// How long the batch took, by its own summary.
    pub(crate) fn duration(&self) -> Duration {
        self.summary.duration.unwrap().try_into().unwrap()
    }

    /// How many calls came to this outcome.
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        self.finished.iter().filter(|result| result.outcome() == outcome).count()
    }
}

/// The text or JSON that the model sees; blocks on lines.
pub(crate) fn text_of(result: &ToolResult) -> String {
    let blocks = result.content.iter().map(|content| match content.block.as_ref().unwrap() {
        content::Block::Text(text) | content::Block::Json(text) => text.clone(),
        other => format!("{other:?}"),
    });
    blocks.collect::<Vec<_>>().join("\n")
}

fn put_together(result: &mut ToolResult, parts: &mut BTreeMap<(u32, u32), Vec<u8>>) {
    for (at, content) in result.content.iter_mut().enumerate() {
        if !content.in_parts {
            continue;
        }
        let whole = parts.remove(&(result.index, u32::try_from(at).unwrap())).unwrap();
        match content.block.as_mut().unwrap() {
            content::Block::Text(text) | content::Block::Json(text) => {
                assert!(text.is_empty(), "a value in parts and at once");
                *text = String::from_utf8(whole).unwrap();
            }
            content::Block::Image(blob) | content::Block::Document(blob) => {
                assert!(blob.data.is_empty(), "a value in parts and at once");
                blob.data = whole.into();
            }
            content::Block::Link(_) => panic!("a link in parts"),
        }
    }
}
