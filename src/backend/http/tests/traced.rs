//! What an attempt carries on of a trace, and what it says of itself.

use std::{num::NonZeroU32, sync::Arc};

use super::{
    LONG, OK, name,
    peer::{Peer, settings},
    request, text,
};
use crate::{
    backend::{
        Attempt, Backend, ProgressMark, SentMark, Whose,
        http::{Api, Endpoint, HeaderValue, Method, RequestSettings},
    },
    clock,
    model::Json,
    telemetry::{
        outgoing::{Http, Outgoing, Target},
        propagate::Context,
    },
};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn attempt(trace: &Arc<Outgoing>) -> Attempt {
    Attempt {
        input: Json::try_new(r#"{"id": "canary-7", "state": "canary-8"}"#).unwrap(),
        number: NonZeroU32::MIN,
        deadline: clock::now() + LONG,
        key: None,
        sent: SentMark::default(),
        trace: Some(Arc::clone(trace)),
        progress: ProgressMark::default(),
        whose: Whose::nobodys(),
    }
}

fn outgoing() -> Arc<Outgoing> {
    let mut headers = http::HeaderMap::new();
    headers.insert("traceparent", PARENT.parse().unwrap());
    Arc::new(Outgoing::new(Context::of(&headers).carried(None)))
}

#[tokio::test]
async fn an_attempt_says_where_it_went_without_what_it_was_given() {
    let peer = Peer::bind().await;
    let api = Api::try_new(settings(&format!("http://127.0.0.1:{}/v2", peer.port()))).unwrap();
    let request = RequestSettings {
        query: vec![("state".to_owned(), text("{state}")), ("page".to_owned(), text("1"))],
        headers: vec![(name("traceparent"), text("{id}"))],
        ..request(Method::Get, "/customers/{id}/orders")
    };
    let trace = outgoing();
    let endpoint = Endpoint::new(api, request);
    let not_found = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    let (result, (_, received)) =
        tokio::join!(endpoint.attempt(attempt(&trace)), peer.answer(not_found));
    result.unwrap_err();
    assert_eq!(received.header("traceparent"), Some(PARENT));
    let url = "/v2/customers/{id}/orders?state={state}&page=1";
    assert_eq!(
        trace.target().map(|target| (**target).clone()),
        Some(Target::Http(Http {
            method: "GET".into(),
            template: "/v2/customers/{id}/orders".into(),
            url: format!("http://127.0.0.1:{}{url}", peer.port()).into(),
            address: "127.0.0.1".into(),
            port: peer.port(),
        }))
    );
    assert_eq!(trace.status(), Some(404));
}

#[tokio::test]
async fn an_attempt_that_met_nobody_has_no_status() {
    let port = Peer::bind().await.port();
    let mut settings = settings(&format!("http://127.0.0.1:{port}"));
    settings.headers = vec![(name("X-A"), HeaderValue::try_new("b").unwrap())];
    let endpoint = Endpoint::new(Api::try_new(settings).unwrap(), request(Method::Get, "/x"));
    let trace = outgoing();
    endpoint.attempt(attempt(&trace)).await.unwrap_err();
    assert!(trace.target().is_some() && trace.status().is_none());
}

#[tokio::test]
async fn a_request_carries_nothing_of_a_trace_that_is_not_there() {
    let peer = Peer::bind().await;
    let api = Api::try_new(settings(&format!("http://127.0.0.1:{}", peer.port()))).unwrap();
    let endpoint = Endpoint::new(api, request(Method::Get, "/x"));
    let nothing = Arc::new(Outgoing::default());
    let (result, (_, received)) =
        tokio::join!(endpoint.attempt(attempt(&nothing)), peer.answer(OK));
    result.unwrap();
    assert_eq!(received.header("traceparent"), None);
}
