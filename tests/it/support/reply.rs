//! What a peer answers, and when.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::{Frame, SizeHint};
use tokio::sync::watch;

use super::peer::Open;

/// Holds answers back until the test opens it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Gate(watch::Sender<bool>);

impl Gate {
    /// A closed gate.
    pub(crate) fn closed() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Lets everything through from now on.
    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    pub(super) async fn passed(&self) {
        self.0.subscribe().wait_for(|open| *open).await.unwrap();
    }
}

/// What happens before the answer's head.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Wait(Duration),
    Gate(Gate),
    Hang,
    Cut,
}

/// What happens after the answer's body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Whole,
    /// The body never ends.
    Hang,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Bytes,
    steps: Vec<Step>,
    end: End,
}

impl Reply {
    /// An answer of this status, content type and body.
    pub(crate) fn new(status: u16, media_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            headers: vec![(CONTENT_TYPE.to_string(), media_type.to_owned())],
            body: body.into(),
            steps: Vec::new(),
            end: End::Whole,
        }
    }

    /// 200 with this JSON text.
    pub(crate) fn json(text: impl Into<String>) -> Self {
        Self::new(200, "application/json", text.into())
    }

    /// A plain text.
    pub(crate) fn text(status: u16, text: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text.to_owned())
    }

    /// Never an answer.
    pub(crate) fn hang() -> Self {
        Self::json("{}").step(Step::Hang)
    }

    /// The connection is cut after the request was read.
    pub(crate) fn cut() -> Self {
        Self::json("{}").step(Step::Cut)
    }

    /// With one more header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As an API that takes so long.
    pub(crate) fn after(self, latency: Duration) -> Self {
        self.step(Step::Wait(latency))
    }

    /// Once the gate is open.
    pub(crate) fn behind(self, gate: &Gate) -> Self {
        self.step(Step::Gate(gate.clone()))
    }

    /// The body never ends.
    pub(crate) fn endless(mut self) -> Self {
        self.end = End::Hang;
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    pub(super) fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// The answer, which tells `open` once it was handed over whole.
    pub(super) fn respond(self, mut open: Option<Box<Open>>) -> Response<Body> {
        if self.body.is_empty() && self.end == End::Whole {
            open.take().as_deref_mut().map(Open::answered);
        }
        let mut response = Response::new(Body { data: self.body, end: self.end, open });
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            let name = http::HeaderName::try_from(name).unwrap();
            response.headers_mut().append(name, HeaderValue::try_from(value).unwrap());
        }
        response
    }
}

/// An answer's body, given in pieces of 64 KiB.
pub(super) struct Body {
    data: Bytes,
    end: End,
    open: Option<Box<Open>>,
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.data.len().min(64 * 1024);
        let piece = self.data.split_to(next);
        if self.data.is_empty() && self.end == End::Whole {
            if let Some(open) = &mut self.open {
                open.answered();
            }
            self.open = None;
        }
        match (piece.is_empty(), self.end) {
            (false, _) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            (true, End::Whole) => Poll::Ready(None),
            (true, End::Hang) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.end == End::Whole
    }

    fn size_hint(&self) -> SizeHint {
        match self.end {
            End::Whole => SizeHint::with_exact(self.data.len() as u64),
            End::Hang => SizeHint::default(),
        }
    }
}
