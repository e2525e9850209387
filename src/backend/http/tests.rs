//! Whole attempts against scripted peers.

use std::time::Duration;

use super::{HeaderName, Method, PathTemplate, RequestSettings, TextTemplate};

mod answers;
mod connections;
mod http2;
mod peer;
mod requests;
mod traced;

/// More time than any test takes.
const LONG: Duration = Duration::from_secs(20);
/// Time that a test lets run out.
const SHORT: Duration = Duration::from_millis(100);
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn name(name: &str) -> HeaderName {
    HeaderName::try_new(name).unwrap()
}

fn request(method: Method, path: &str) -> RequestSettings {
    RequestSettings::new(method, PathTemplate::try_new(path).unwrap())
}

fn text(template: &str) -> TextTemplate {
    TextTemplate::try_new(template).unwrap()
}
