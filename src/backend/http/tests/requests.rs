//! What is sent of an input.

use secrecy::SecretString;

use super::{
    LONG, OK, answer, name,
    peer::{Peer, Received, begin, meet, settings},
    request, text,
};
use crate::{
    backend::http::{
        Api, ApiSettings, Auth, Body, Endpoint, HeaderValue, JsonTemplate, Method, RequestSettings,
    },
    model::{FailureCode, Sent},
};

/// What arrives of an input at the peer.
async fn sent(request: RequestSettings, input: &str) -> Received {
    let peer = Peer::bind().await;
    let api = Api::try_new(settings(&format!("http://127.0.0.1:{}/v2", peer.port()))).unwrap();
    let endpoint = Endpoint::new(api, request);
    let (attempt, _) = begin(&endpoint, input, LONG);
    let (result, (_, received)) = tokio::join!(attempt, peer.answer(OK));
    result.unwrap();
    received
}

#[tokio::test]
async fn a_request_is_made_of_its_templates() {
    let body =
        serde_json::json!({"order": "{order_id}", "cents": "{cents}", "why": "because {why}"});
    let refund = RequestSettings {
        query: vec![
            ("tag".to_owned(), text("{tags}")),
            ("a b".to_owned(), text("x{order_id}&y")),
            ("absent".to_owned(), text("{absent}")),
        ],
        headers: vec![(name("X-Region"), text("{region}")), (name("X-Gone"), text("{absent}"))],
        body: Some(Body::Json(JsonTemplate::try_new(&body).unwrap())),
        ..request(Method::Post, "/orders/{order_id}/refunds")
    };
    let input = r#"{"order_id": "o/1", "tags": ["a&b", 1.10], "region": "eu west", "cents": 1E+2,
        "why": "\"broken\""}"#;
    let message = {
        let api = Api::try_new(settings("http://127.0.0.1:1")).unwrap();
        let (attempt, _) = begin(&Endpoint::new(api, refund.clone()), input, LONG);
        attempt.await.unwrap_err()
    };
    assert_eq!((message.code, message.sent), (FailureCode::InvalidInput, Sent::No));

    let received = sent(refund, &input.replace("o/1", "o 1")).await;
    assert_eq!(
        received.line(),
        "POST /v2/orders/o%201/refunds?tag=a%26b&tag=1.10&a%20b=xo%201%26y HTTP/1.1"
    );
    assert_eq!(received.body, r#"{"cents":1E+2,"order":"o 1","why":"because \"broken\""}"#);
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert_eq!(received.header("x-region"), Some("eu west"));
    assert_eq!(received.header("x-gone"), None);
    assert!(received.header("user-agent").unwrap().starts_with("sidecall/"));
}

#[tokio::test]
async fn forms_texts_and_absent_bodies_are_sent_as_what_they_are() {
    let fields = vec![("a".to_owned(), text("{a}")), ("b c".to_owned(), text("{b}"))];
    let form = RequestSettings { body: Some(Body::Form(fields)), ..request(Method::Put, "/f") };
    let received = sent(form.clone(), r#"{"a": "1&b=2+3", "b": ["x", "y"]}"#).await;
    assert_eq!(received.body, "a=1%26b%3D2%2B3&b%20c=x&b%20c=y");
    assert_eq!(received.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(sent(form, "{}").await.body, "");

    let note = RequestSettings {
        headers: vec![(name("content-type"), text("text/markdown"))],
        body: Some(Body::Text(text("# {title}\n{n}"))),
        ..request(Method::Patch, "")
    };
    let received = sent(note, r#"{"title": "Größe", "n": 1.0}"#).await;
    assert_eq!((received.line(), received.body.as_str()), ("PATCH /v2 HTTP/1.1", "# Größe\n1.0"));
    assert_eq!(received.header("content-type"), Some("text/markdown"));

    let absent = RequestSettings {
        body: Some(Body::Json(JsonTemplate::string("{body}").unwrap())),
        ..request(Method::Delete, "/d")
    };
    let received = sent(absent, "{}").await;
    assert_eq!(received.body, "");
    assert_eq!(received.header("content-type"), None);
}

#[tokio::test]
async fn a_value_cannot_become_a_header() {
    let endpoint = Endpoint::new(
        Api::try_new(settings("http://127.0.0.1:1")).unwrap(),
        RequestSettings {
            headers: vec![(name("X-Region"), text("{region}"))],
            ..request(Method::Get, "")
        },
    );
    // U+560A and U+560D end in the bytes of a line feed and a carriage return.
    for value in
        ["a\\r\\nX-Admin: 1", "a\\nb", "a\\u0000", "a\\tb", "\\u007f", "\u{560a}\u{560d}", "\u{85}"]
    {
        let (attempt, mark) = begin(&endpoint, &format!(r#"{{"region": "{value}"}}"#), LONG);
        let error = attempt.await.unwrap_err();
        assert_eq!(
            (error.code, error.sent, mark.get()),
            (FailureCode::InvalidInput, Sent::No, Sent::No)
        );
        assert!(
            error.message.contains("`region` becomes the header `x-region`"),
            "{}",
            error.message
        );
    }
    let (attempt, _) = begin(&endpoint, "{}", LONG);
    assert_eq!(attempt.await.unwrap_err().code, FailureCode::Unavailable, "an absent one is fine");
}

#[tokio::test]
async fn an_address_that_is_too_long_is_the_inputs_fault() {
    let endpoint = Endpoint::new(
        Api::try_new(settings("http://127.0.0.1:1")).unwrap(),
        RequestSettings {
            query: vec![("q".to_owned(), text("{q}"))],
            ..request(Method::Get, "/s")
        },
    );
    let (attempt, _) = begin(&endpoint, &format!(r#"{{"q": "{}"}}"#, "x".repeat(70_000)), LONG);
    let error = attempt.await.unwrap_err();
    assert_eq!(error.code, FailureCode::InvalidInput);
    assert!(error.message.contains("70005 bytes"), "{}", error.message);
}

#[tokio::test]
async fn headers_and_credentials_of_the_api_are_sent_and_never_shown() {
    let peer = Peer::bind().await;
    let auth = Auth::bearer(&SecretString::from("canary-token")).unwrap();
    let api = ApiSettings {
        headers: vec![
            (name("X-Team"), HeaderValue::try_new("blue").unwrap()),
            (name("X-Tool"), HeaderValue::try_new("api").unwrap()),
            (name("Authorization"), HeaderValue::try_new("none").unwrap()),
        ],
        auth: Some(auth),
        ..peer.settings()
    };
    let headers = vec![(name("x-tool"), text("tool")), (name("authorization"), text("stolen"))];
    let settings = RequestSettings { headers, ..request(Method::Get, "/x") };
    let endpoint = Endpoint::new(Api::try_new(api).unwrap(), settings);
    assert!(!format!("{endpoint:?}").contains("canary"), "{endpoint:?}");

    let echo = answer("403 Forbidden\r\ncontent-type: text/plain", b"Bearer canary-token may not");
    let (result, (_, received)) = meet(&endpoint, peer.answer(echo)).await;
    assert_eq!(received.header("authorization"), Some("Bearer canary-token"));
    assert_eq!(received.head.to_lowercase().matches("authorization:").count(), 1);
    assert_eq!(received.head.to_lowercase().matches("\r\nhost: 127.0.0.1:").count(), 1);
    assert_eq!(received.header("x-team"), Some("blue"));
    assert_eq!(received.header("x-tool"), Some("tool"));
    let error = result.unwrap_err();
    assert!(error.message.ends_with("It said: [redacted] may not"), "{}", error.message);
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}
