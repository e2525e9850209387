//! `ExecuteStream`'s requests as a turn that comes step by step.
//!
//! What a model can get wrong is its call's affair here as everywhere; what is told
//! here are the caller's faults. The first ends the stream.

use std::{
    collections::{HashMap, hash_map::Entry},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use prost::Message;
use sha2::{Digest, Sha256};
use tokio_stream::Stream;
use tonic::{Code, Status};

use super::Faults;
use crate::{
    clock::Instant,
    format::Frame,
    model::json,
    policy::Caller,
    proto::v1::{self, execute_stream_request::Step},
    rpc::stream::SharedFrame,
    schedule::{Arrival, Refusal, Submission, Violation, arrivals::Begun},
    telemetry::propagate,
};

/// Requests that are read one after the other before anybody else has a turn.
const BURST_MAX: u32 = 128;

/// A turn that will come.
#[derive(Debug)]
pub(in crate::rpc) struct Opening {
    /// Without calls.
    pub(in crate::rpc) submission: Submission,
    /// As its bundle will be.
    pub(in crate::rpc) frame: Frame,
}

/// What the first request opens. The RPC `began` then, and its deadline allows the
/// batch so much from there.
///
/// # Errors
///
/// [`Refusal::Invalid`] with every fault.
pub(in crate::rpc) fn open(
    first: Option<v1::ExecuteStreamRequest>,
    (began, allowed): (Instant, Option<Duration>),
    now: Instant,
    context: propagate::Context,
    caller: &Arc<Caller>,
) -> Result<Opening, Refusal> {
    let Some(Step::Open(open)) = first.and_then(|request| request.step) else {
        let mut faults = Faults::default();
        faults.add("step", "a stream begins with `open`");
        return Err(Refusal::Invalid(faults.found));
    };
    // A batch whose id is made here cannot be sent again. Of one that can, the
    // calls are not known yet.
    let fingerprint = match &*open.batch_id {
        "" => [0; 32],
        _ => Sha256::new()
            .chain_update("ExecuteStream")
            .chain_update(open.encode_to_vec())
            .finalize()
            .into(),
    };
    let ends = allowed.and_then(|allowed| began.checked_add(allowed));
    let mut faults = Faults::within("open.");
    let shape = open.shape;
    let submission = faults.submission(open.into(), ends, now, caller);
    let frame = faults.shape(shape).map(Frame::new).unwrap_or_default();
    faults.none()?;
    Ok(Opening { submission: Submission { fingerprint, context, ..submission }, frame })
}

impl From<v1::StreamOpen> for v1::ExecuteBatchRequest {
    /// Says the same of its turn, but for the calls.
    fn from(open: v1::StreamOpen) -> Self {
        let v1::StreamOpen {
            batch_id,
            session_id,
            references,
            ordering,
            on_disconnect,
            timeout,
            call_timeout,
            shape: _,
        } = open;
        Self {
            batch_id,
            session_id,
            references,
            ordering,
            on_disconnect,
            timeout,
            call_timeout,
            turn: None,
        }
    }
}

/// The steps after the first, as they come. Ends after a fault.
#[derive(Debug)]
pub(in crate::rpc) struct Steps<R> {
    requests: R,
    turn: Turn,
    frame: SharedFrame,
    is_over: bool,
}

impl<R> Steps<R> {
    /// The turn whose steps are `requests`; what its bundle repeats of it goes into
    /// `frame`.
    pub(in crate::rpc) fn new(requests: R, frame: SharedFrame) -> Self {
        Self { requests, turn: Turn::default(), frame, is_over: false }
    }
}

impl<R> Stream for Steps<R>
where
    R: Stream<Item = Result<v1::ExecuteStreamRequest, Status>> + Unpin,
{
    type Item = Arrival;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Arrival>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if self.turn.is_in_a_row(BURST_MAX) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = match Pin::new(&mut self.requests).poll_next(context) {
            Poll::Pending => {
                self.turn.in_a_row = 0;
                return Poll::Pending;
            }
            Poll::Ready(next) => next,
        };
        let this = &mut *self;
        let arrival = match next {
            None => None,
            Some(Ok(request)) => Some(
                this.turn
                    .take(request, &this.frame)
                    .unwrap_or_else(|violations| Arrival::Broken(Refusal::Invalid(violations))),
            ),
            Some(Err(status)) => this.turn.lost(&status),
        };
        this.is_over = matches!(arrival, None | Some(Arrival::Broken(_)));
        Poll::Ready(arrival)
    }
}

/// What the caller has said so far.
#[derive(Debug, Default)]
struct Turn {
    /// Requests so far, the first not counted.
    steps: usize,
    /// Those that were read without a pause.
    in_a_row: u32,
    /// By the caller's own number.
    blocks: HashMap<u32, Block>,
    is_committed: bool,
}

#[derive(Debug)]
struct Block {
    index: usize,
    has_ended: bool,
}

impl Turn {
    fn is_in_a_row(&mut self, max: u32) -> bool {
        self.in_a_row += 1;
        if self.in_a_row > max {
            self.in_a_row = 0;
            return true;
        }
        false
    }

    /// What a request means.
    fn take(
        &mut self,
        request: v1::ExecuteStreamRequest,
        frame: &SharedFrame,
    ) -> Result<Arrival, Vec<Violation>> {
        self.steps += 1;
        let mut faults = Faults::default();
        let arrival = if self.is_committed {
            faults.add("step", "follows `commit`, which is the last");
            None
        } else {
            match request.step {
                None => {
                    faults.add("step", "is missing, or one that this server does not know");
                    None
                }
                Some(Step::Open(_)) => {
                    faults.add("open", "is the second of its stream, which has one");
                    None
                }
                Some(Step::ToolUseBegun(begun)) => self.begin(begun, frame, &mut faults),
                Some(Step::InputFragment(fragment)) => {
                    let index = self.open_block(fragment.block, "input_fragment", &mut faults);
                    index.map(|index| Arrival::Fragment { index, text: fragment.json })
                }
                Some(Step::ToolUseEnded(ended)) => {
                    let index = self.open_block(ended.block, "tool_use_ended", &mut faults);
                    if let Some(block) = self.blocks.get_mut(&ended.block) {
                        block.has_ended = true;
                    }
                    index.map(|index| Arrival::Ended { index })
                }
                Some(Step::Commit(_)) => {
                    self.is_committed = true;
                    Some(Arrival::Committed)
                }
            }
        };
        match arrival {
            Some(arrival) if faults.found.is_empty() => Ok(arrival),
            _ => Err(self.placed(faults)),
        }
    }

    fn begin(
        &mut self,
        begun: v1::ToolUseBegun,
        frame: &SharedFrame,
        faults: &mut Faults,
    ) -> Option<Arrival> {
        let v1::ToolUseBegun { block, tool_use, block_json } = begun;
        let Some(tool_use) = tool_use else {
            faults.add("tool_use_begun.tool_use", "is missing: it names the tool");
            return None;
        };
        let index = self.blocks.len();
        match self.blocks.entry(block) {
            Entry::Occupied(first) => faults.add(
                "tool_use_begun.block",
                format!(
                    "{block} is also that of the call at place {}; every call has its own",
                    first.get().index
                ),
            ),
            Entry::Vacant(free) => {
                free.insert(Block { index, has_ended: false });
            }
        }
        let begun = frame.begin(&tool_use.id, &block_json);
        let begun = begun.map_err(|message| faults.add("tool_use_begun.tool_use.id", message));
        faults.tool(|| "tool_use_begun.tool_use.name".to_owned(), &tool_use.name);
        let timeout = faults.timeout("tool_use_begun.tool_use.timeout", tool_use.timeout);
        if !block_json.is_empty() && json::members(&block_json).is_none() {
            faults.add("tool_use_begun.block_json", "is no JSON object: a block is one");
        }
        let (id, series) = begun.ok().filter(|_| faults.found.is_empty())?;
        // What the bundle repeats, one way or the other.
        let extra_bytes = block_json.len() + tool_use.id.len();
        Some(Arrival::Begun(Begun {
            id,
            tool: frame.tool(&tool_use.name),
            input: tool_use.input_json,
            depends_on: tool_use.depends_on,
            timeout,
            series,
            extra_bytes,
        }))
    }

    /// The place in the turn of a call that has begun and not ended.
    fn open_block(&self, block: u32, step: &str, faults: &mut Faults) -> Option<usize> {
        let found = self.blocks.get(&block);
        match found {
            None => faults.add(
                format!("{step}.block"),
                format!("{block} is that of no call: `tool_use_begun` comes first"),
            ),
            Some(block_of) if block_of.has_ended => faults.add(
                format!("{step}.block"),
                format!("{block} is that of a call whose input is complete"),
            ),
            Some(_) => {}
        }
        found.filter(|block| !block.has_ended).map(|block| block.index)
    }

    /// Nothing more can be read.
    fn lost(&self, status: &Status) -> Option<Arrival> {
        let mut faults = Faults::default();
        match status.code() {
            Code::OutOfRange | Code::ResourceExhausted => {
                return Some(Arrival::Broken(Refusal::TooLarge(status.message().to_owned())));
            }
            Code::Internal | Code::InvalidArgument | Code::Unimplemented => {
                faults.add("step", format!("cannot be read: {}", status.message()));
            }
            // Its caller has gone.
            _ => return None,
        }
        Some(Arrival::Broken(Refusal::Invalid(self.placed(faults))))
    }

    /// The faults with the place of the request that has them: `open` is the 1st.
    fn placed(&self, faults: Faults) -> Vec<Violation> {
        let place = self.steps + 1;
        let placed = |Violation { field, description }| Violation {
            field,
            description: format!("{description} (in request {place} of the stream)"),
        };
        faults.found.into_iter().map(placed).collect()
    }
}

#[cfg(test)]
mod tests;
