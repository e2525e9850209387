//! A turn that runs, followed to its end.

use std::{pin::pin, time::Duration};

use super::{
    client::{Client, Error},
    refusal::Refusal,
    waterfall::Show,
};
use crate::{
    clock,
    proto::v1::{self, batch_event::Event},
};

/// Between two frames of what is drawn over.
const FRAME: Duration = Duration::from_millis(40);

/// What a turn came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ran {
    /// JSON text of the bundle's items, in call order.
    pub(crate) bundle: Vec<String>,
    /// Counts and times.
    pub(crate) summary: v1::BatchSummary,
}

impl Ran {
    /// Whether every call succeeded.
    pub(crate) fn is_well(&self) -> bool {
        self.summary.succeeded == self.summary.calls
    }

    /// The bundle as one JSON array, an item a line, each as it came.
    pub(crate) fn bundle_json(&self) -> String {
        if self.bundle.is_empty() {
            return "[]".to_owned();
        }
        format!("[\n  {}\n]", self.bundle.join(",\n  "))
    }

    fn take(&mut self, part: &v1::BundlePart) {
        let first = part.first_index as usize;
        for (at, item) in part.items.iter().enumerate() {
            match self.bundle.get_mut(first + at) {
                // The part before left it open.
                Some(open) => open.push_str(item),
                None => self.bundle.push(item.clone()),
            }
        }
    }
}

/// Sends a turn and shows it until its last event. Going away early cancels it.
pub(crate) async fn follow(
    client: &mut Client,
    request: v1::ExecuteBatchRequest,
    show: &mut Show<'_>,
) -> Result<Ran, Error> {
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    let response = tokio::select! {
        response = client.rpc.execute_batch(request) => response,
        _ = &mut interrupted => return Err(Error::Interrupted),
    };
    let mut stream = response.map_err(|status| client.refused(&status))?.into_inner();
    let mut ran = Ran::default();
    let mut frames = tokio::time::interval(FRAME);
    let start = clock::now();
    loop {
        let message = tokio::select! {
            biased;
            message = stream.message() => message,
            _ = &mut interrupted => {
                show.end(start.elapsed())?;
                return Err(Error::Interrupted);
            }
            _ = frames.tick(), if show.is_live() => {
                show.tick(start.elapsed())?;
                continue;
            }
        };
        let event = match message {
            Ok(Some(response)) => response.event.unwrap_or_default(),
            Ok(None) => return cut("the stream ended", show, start.elapsed()),
            Err(status) => {
                return cut(&Refusal::from(&status).to_string(), show, start.elapsed());
            }
        };
        show.event(&event, start.elapsed())?;
        match event.event {
            Some(Event::BundlePart(part)) => ran.take(&part),
            Some(Event::BatchFinished(finished)) => {
                ran.summary = finished.summary.unwrap_or_default();
                show.end(start.elapsed())?;
                return Ok(ran);
            }
            _ => {}
        }
    }
}

fn cut(cause: &str, show: &mut Show<'_>, now: Duration) -> Result<Ran, Error> {
    show.end(now)?;
    Err(Error::Cut(cause.to_owned()))
}

#[cfg(test)]
mod tests;
