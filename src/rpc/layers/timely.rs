//! The message of an RPC that has one has a while to come, whole and with its end.
//!
//! Its head was let in, and holds a stream; whoever withholds the rest could hold as many
//! as there are for as long as its connection stays. The first message of a stream of
//! them has the same time, and is waited for where it is read.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Request;
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep_until};
use tonic::{Status, body::Body};

use crate::{
    clock::{self, Instant},
    rpc::{service::FIRST_MESSAGE, status},
    schedule::{Refusal, Violation},
};

/// The RPCs of the service whose requests are streams of messages.
const STREAMED: [&str; 2] = ["/ExecuteStream", "/ServeTools"];

/// The same request, whose message fails where it does not come in time.
pub(super) fn timely(request: Request<Body>) -> Request<Body> {
    if STREAMED.iter().any(|method| request.uri().path().ends_with(method)) {
        return request;
    }
    request.map(|body| Body::new(Timely::new(body)))
}

/// A body that ends in time, or fails.
struct Timely<B> {
    body: B,
    until: Instant,
    /// Made when there is something to wait for: mostly all of it is there.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> Timely<B> {
    /// Its time begins.
    fn new(body: B) -> Self {
        Self { body, until: clock::now() + FIRST_MESSAGE, timer: None }
    }
}

impl<B> http_body::Body for Timely<B>
where
    B: http_body::Body<Error = Status> + Unpin,
{
    type Data = B::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        // First what is there: it may be this process that was late.
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        let until = self.until;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Some(Err(late())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn late() -> Status {
    status::refused(Refusal::Invalid(vec![Violation {
        field: "message".to_owned(),
        description: format!("did not come whole within {FIRST_MESSAGE:?} of the request's head"),
    }]))
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, time::Duration};

    use bytes::Bytes;
    use http_body_util::BodyExt;
    use tonic::Code;

    use super::*;
    use crate::proto;

    /// One byte a second, and then nothing.
    struct Slow {
        pieces: VecDeque<Pin<Box<Sleep>>>,
    }

    impl http_body::Body for Slow {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            let Some(next) = self.pieces.front_mut() else { return Poll::Pending };
            ready!(next.as_mut().poll(context));
            self.pieces.pop_front();
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    fn slow(bytes: u64) -> Slow {
        let at = |second| Box::pin(sleep_until(clock::now() + Duration::from_secs(second)));
        Slow { pieces: (1..=bytes).map(at).collect() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_has_so_long_however_much_of_it_comes() {
        for bytes in [0, 3, 100] {
            let (began, mut body) = (clock::now(), Timely::new(slow(bytes)));
            let mut came = 0;
            let late = loop {
                match body.frame().await.unwrap() {
                    Ok(_) => came += 1,
                    Err(late) => break late,
                }
            };
            assert_eq!(began.elapsed(), FIRST_MESSAGE, "{bytes} bytes");
            // What comes in the last moment has come.
            assert_eq!(came, bytes.min(FIRST_MESSAGE.as_secs()));
            assert_eq!(late.code(), Code::InvalidArgument);
            assert!(late.message().contains("within 10s of the request's head"), "{late:?}");
        }
    }

    #[test]
    fn streams_of_messages_are_those_of_the_service() {
        let pool = prost_reflect::DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
        let mut streamed: Vec<String> = pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .filter(|method| method.is_client_streaming())
            .map(|method| format!("/{}", method.name()))
            .collect();
        streamed.sort();
        assert_eq!(streamed, STREAMED);
    }
}
