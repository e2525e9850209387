//! What is made of an answer.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use secrecy::SecretString;

use super::{
    answer, name,
    peer::{Peer, endpoint, meet},
};
use crate::{
    backend::{
        Error, Reply,
        http::{ApiSettings, Auth, Method},
    },
    model::{Content, FailureCode, RetryAdvice, Secrets, Sent},
};

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn json(reply: &Reply) -> &str {
    match reply.content.as_slice() {
        [Content::Json(json)] => json.as_str(),
        other => panic!("no JSON: {other:?}"),
    }
}

#[tokio::test]
async fn an_answer_becomes_the_content_that_its_type_names() {
    let text = |text: &str| vec![Content::Text(text.into())];
    let document = |kind: &str, data: &'static [u8]| {
        vec![Content::Document { media_type: kind.into(), data: data.into() }]
    };
    let png = Content::Image { media_type: "image/png".into(), data: b"\x89PNG"[..].into() };
    let cases: Vec<(&str, &[u8], Vec<Content>)> = vec![
        ("text/plain", "grün".as_bytes(), text("grün")),
        ("text/plain; charset=ISO-8859-1", b"gr\xfcn", text("grün")),
        ("text/plain", b"gr\xfcn", text("gr\u{fffd}n")),
        ("text/html", b"", vec![]),
        ("text/csv", b"\xef\xbb\xbf", vec![]),
        ("application/xml", b"<a/>", text("<a/>")),
        ("image/svg+xml", b"<svg/>", text("<svg/>")),
        ("Image/PNG", b"\x89PNG", vec![png]),
        ("application/pdf", b"%PDF", document("application/pdf", b"%PDF")),
        ("", b"plain", text("plain")),
        ("", b"\xff\x00", document("application/octet-stream", b"\xff\x00")),
        ("application/json", b"", vec![]),
    ];
    let peer = Peer::bind().await;
    for (kind, body, content) in cases {
        let bytes = answer(&format!("200 OK\r\nconnection: close\r\ncontent-type: {kind}"), body);
        let (result, _) = meet(&peer.get(), peer.answer(bytes)).await;
        assert_eq!(result.unwrap().content, content, "{kind} {body:?}");
    }
}

#[tokio::test]
async fn json_keeps_its_bytes_and_is_checked() {
    let peer = Peer::bind().await;
    for kind in ["application/json", "application/hal+json; charset=utf-8", "text/json"] {
        let body = br#" {"id": 12345678901234567890123, "price": 1.10} "#;
        let (result, _) = meet(
            &peer.get(),
            peer.answer(answer(&format!("200 OK\r\ncontent-type: {kind}"), body)),
        )
        .await;
        assert_eq!(json(&result.unwrap()).as_bytes(), body);
    }
    for body in [&b"{\"a\":"[..], b"<html>", b"\"\xff\"", b"{} {}"] {
        let head = "200 OK\r\ncontent-type: application/json";
        let (result, _) = meet(&peer.get(), peer.answer(answer(head, body))).await;
        let error = result.unwrap_err();
        assert_eq!((error.code, error.sent), (FailureCode::ResultInvalid, Sent::Answered));
        assert!(error.message.contains("says that it is JSON and is not"), "{}", error.message);
    }
}

#[tokio::test]
async fn answers_without_a_body_are_answers() {
    let peer = Peer::bind().await;
    let (result, _) = meet(&peer.post(), peer.answer("HTTP/1.1 204 No Content\r\n\r\n")).await;
    assert!(result.unwrap().content.is_empty());
    // Of the resource itself, whatever the coding that it would travel in.
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\netag: \"7\"\r\n\r\n";
    let (result, (_, received)) =
        meet(&endpoint(peer.settings(), Method::Head), peer.answer(head)).await;
    assert_eq!(received.header("accept-encoding"), Some("identity"));
    let reply = result.unwrap();
    assert_eq!(json(&reply), r#"{"content-length":"999999999","etag":"\"7\"","status":200}"#);
}

#[tokio::test]
async fn compressed_answers_are_read_and_damaged_ones_refused() {
    let peer = Peer::bind().await;
    let head = "200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip";
    let whole = gzip(br#"{"a": 1}"#);
    let (result, (_, received)) = meet(&peer.get(), peer.answer(answer(head, &whole))).await;
    assert_eq!(json(&result.unwrap()), r#"{"a": 1}"#);
    assert!(received.header("accept-encoding").unwrap().contains("gzip"));

    for (head, body, says) in [
        (head, &whole[..whole.len() - 9], "cannot be decompressed"),
        (head, b"not gzip", "cannot be decompressed"),
        ("200 OK\r\ncontent-encoding: compress", &b"x"[..], "encoded as `compress`"),
    ] {
        let (result, _) = meet(&peer.get(), peer.answer(answer(head, body))).await;
        let error = result.unwrap_err();
        assert_eq!((error.code, error.sent), (FailureCode::ResultInvalid, Sent::Answered));
        assert!(error.message.contains(says), "{}", error.message);
    }
}

#[tokio::test]
async fn no_answer_is_larger_than_the_api_may_send() {
    let peer = Peer::bind().await;
    let settings = ApiSettings { response_bytes_max: 1000.try_into().unwrap(), ..peer.settings() };
    let get = || endpoint(settings.clone(), Method::Get);
    let exact = answer("200 OK\r\ncontent-type: text/plain", &[b'x'; 1000]);
    let (result, _) = meet(&get(), peer.answer(exact)).await;
    assert_eq!(result.unwrap().content, [Content::Text("x".repeat(1000).into())]);

    let declared = "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n".to_owned().into_bytes();
    let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    chunked.extend(b"1f4\r\n".iter().chain(&[b'x'; 500]).chain(b"\r\n").cycle().take(3 * 507));
    for bytes in [declared, chunked] {
        // The connection is given up: what else comes is not read.
        let (result, ()) = meet(&get(), async {
            let (connection, _) = peer.answer(bytes).await;
            connection.closed().await;
        })
        .await;
        too_large(result);
    }
    let bomb = answer("200 OK\r\ncontent-encoding: gzip", &gzip(&[0; 100_000]));
    assert!(bomb.len() < 1000, "its wire size is allowed");
    too_large(meet(&get(), peer.answer(bomb)).await.0);
}

fn too_large(result: Result<Reply, Error>) {
    let error = result.unwrap_err();
    assert_eq!((error.code, error.sent), (FailureCode::ResultTooLarge, Sent::Answered));
    assert!(error.message.contains("more than 1000 bytes"), "{}", error.message);
}

#[tokio::test]
async fn an_endless_answer_ends_at_the_bound() {
    let peer = Peer::bind().await;
    let settings =
        ApiSettings { response_bytes_max: (1 << 20).try_into().unwrap(), ..peer.settings() };
    let (result, ()) = meet(&endpoint(settings, Method::Get), async {
        let (mut connection, _) = peer.answer("HTTP/1.1 200 OK\r\n\r\n").await;
        connection.flood(&[b'x'; 64 << 10]).await;
    })
    .await;
    assert_eq!(result.unwrap_err().code, FailureCode::ResultTooLarge);
}

#[tokio::test]
async fn a_head_without_an_end_is_not_read_to_its_end() {
    let peer = Peer::bind().await;
    let (result, ()) = meet(&peer.get(), async {
        let (mut connection, _) = peer.answer("HTTP/1.1 200 OK\r\nx: ").await;
        connection.flood(&[b'y'; 64 << 10]).await;
    })
    .await;
    assert_eq!(result.unwrap_err().code, FailureCode::BackendError);
}

#[tokio::test]
async fn a_peer_that_breaks_off_leaves_an_unknown_outcome() {
    use FailureCode::{BackendError, Unavailable};
    let peer = Peer::bind().await;
    let heads = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(1000));
    for (bytes, code, says) in [
        (heads.as_str(), BackendError, "not HTTP"),
        ("", Unavailable, "before it answered"),
        ("HTTP/1.1 200 OK\r\ncontent-le", Unavailable, "before it answered"),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", BackendError, "not HTTP"),
        ("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", BackendError, "not HTTP"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab",
            Unavailable,
            "answered 200 and broke off",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            Unavailable,
            "answered 200 and broke off",
        ),
    ] {
        let (result, ()) = meet(&peer.post(), async { drop(peer.answer(bytes).await) }).await;
        let error = result.unwrap_err();
        assert_eq!((error.code, error.sent), (code, Sent::Maybe), "{bytes:?} {error:?}");
        assert!(error.message.contains(says), "{}", error.message);
    }
}

#[tokio::test]
async fn redirects_are_not_followed_and_not_shown() {
    let (peer, other) = (Peer::bind().await, Peer::bind().await);
    let auth = Auth::header(name("X-Api-Key"), &SecretString::from("canary-key")).unwrap();
    let settings = ApiSettings { auth: Some(auth), ..peer.settings() };
    for status in [301, 302, 303, 307, 308] {
        let head = format!(
            "{status} Elsewhere\r\nlocation: http://user:canary@127.0.0.1:{}/x",
            other.port()
        );
        let (result, _) =
            meet(&endpoint(settings.clone(), Method::Get), peer.answer(answer(&head, b""))).await;
        let error = result.unwrap_err();
        assert_eq!((error.code, error.retry), (FailureCode::BackendError, RetryAdvice::Never));
        assert!(error.message.contains(&format!("answered {status}")), "{}", error.message);
        assert!(!error.message.contains("127.0.0.1"), "{}", error.message);
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
    assert!(other.is_unvisited());
}

#[tokio::test]
async fn an_error_quotes_the_beginning_of_what_the_backend_said() {
    let peer = Peer::bind().await;
    let long = format!("{{\"error\": \"{}\"}}", "ä".repeat(40_000));
    for (head, body, end) in [
        (
            "application/problem+json",
            br#"{"detail": "no such order"}"#.as_slice(),
            r#"It said: {"detail": "no such order"}"#,
        ),
        ("text/plain", b"a\x1b[31m\r\nb\0", "It said: a[31m\nb"),
        ("application/json", long.as_bytes(), "\u{e4} [\u{2026}]"),
        ("application/octet-stream", b"secret", "check the identifiers."),
        ("text/plain", b" ", "check the identifiers."),
    ] {
        let bytes = answer(&format!("404 Not Found\r\ncontent-type: {head}"), body);
        let (result, _) = meet(&peer.get(), peer.answer(bytes)).await;
        let error = result.unwrap_err();
        assert_eq!(error.code, FailureCode::ToolError);
        assert!(error.message.ends_with(end), "{}", error.message);
        assert!(error.message.len() < 2300, "{}", error.message.len());
    }
}

#[tokio::test]
async fn an_error_quotes_no_secret_whoever_s_it_is_and_however_it_is_spelt() {
    let peer = Peer::bind().await;
    let auth = Auth::basic("user", &SecretString::from("canary/own")).unwrap();
    let secrets = Secrets::new(["canary/own", "canary-other"]);
    let settings = ApiSettings { auth: Some(auth), secrets, ..peer.settings() };
    // Each on a connection of its own.
    let endpoint = || endpoint(settings.clone(), Method::Get);
    let before = "x".repeat(2040);
    for (body, end) in [
        ("you sent canary/own".to_owned(), "It said: you sent [redacted]"),
        ("Basic dXNlcjpjYW5hcnkvb3du, no".to_owned(), "It said: [redacted], no"),
        (r#"{"sent":"canary\/own"}"#.to_owned(), r#"{"sent":"[redacted]"}"#),
        ("?key=canary%2fown&a=1".to_owned(), "?key=[redacted]&a=1"),
        ("not canary-other's".to_owned(), "It said: not [redacted]'s"),
        // It is cut after 2048 bytes, within the secret.
        (format!("{before}canary-other and more"), "x[redacted] [\u{2026}]"),
    ] {
        let bytes = answer("401 Unauthorized\r\ncontent-type: text/plain", body.as_bytes());
        let (result, _) = meet(&endpoint(), peer.answer(bytes)).await;
        let error = result.unwrap_err();
        assert!(error.message.ends_with(end), "{}", error.message);
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
    // Nor of one that breaks off.
    let head = "HTTP/1.1 500 Oh\r\ncontent-type: text/plain\r\ncontent-length: 99\r\n\r\n";
    let bytes = format!("{head}it was canary-oth");
    let (result, ()) = meet(&endpoint(), async { drop(peer.answer(bytes).await) }).await;
    let error = result.unwrap_err();
    assert!(error.message.ends_with("It said: it was [redacted]"), "{}", error.message);
}
