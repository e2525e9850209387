//! What the model sees of a result: whole where it fits, cut as what it is
//! where it does not, and never without saying so.

use bytes::Bytes;
use serde_json::Value;
use sidecall::proto::v1::{Outcome, batch_event::Event, content};

use crate::support::{
    Reply, Turn, World,
    tools::{BASE, base_with},
};

fn read(id: &str) -> Turn {
    Turn::one("read", &format!(r#"{{"id":"{id}"}}"#))
}

#[tokio::test]
async fn ten_megabytes_arrive_in_parts_through_stubs_that_take_four() {
    let yaml = BASE
        .replace("  read:\n", "  read:\n    max_bytes: 16MiB\n")
        .replace("url: \"{peer}\"", "url: \"{peer}\", response_bytes: 16MiB");
    let world = World::start(&yaml).await;
    // A character of four bytes stands at every seam that could cut it.
    let text = "𝄞é€x".repeat(1_048_576);
    let json = format!(r#"{{"text":{},"n":1.10}}"#, serde_json::to_string(&text).unwrap());
    world.peer.on("GET /read/text", Reply::text(200, &text));
    world.peer.on("GET /read/json", Reply::json(json.clone()));
    for (id, whole) in [("text", &text), ("json", &json)] {
        let ran = world.run(&read(id)).await;
        ran.assert_succeeded("a", whole);
        assert!(ran.bundle[0].len() > 10_000_000);
        let parts =
            ran.events.iter().filter(|event| matches!(event.event, Some(Event::ResultPart(_))));
        assert!(parts.count() > 3);
    }
    world.end().await;
}

#[tokio::test]
async fn a_result_over_the_tools_bound_is_cut_as_what_it_is_and_says_so() {
    let yaml = BASE.replace("  read:\n", "  read:\n    max_bytes: 2KiB\n");
    let world = World::start(&yaml).await;
    let text = format!("HEAD{}TAIL", "x".repeat(100_000));
    let rows = (0..2000).map(|n| format!(r#"{{"row":{n}}}"#)).collect::<Vec<_>>().join(",");
    let json = format!(r#"{{"rows":[{rows}],"total":2000}}"#);
    world.peer.on("GET /read/text", Reply::text(200, &text));
    world.peer.on("GET /read/json", Reply::json(json.clone()));
    for (id, whole) in [("text", &text), ("json", &json)] {
        let ran = world.run(&read(id)).await;
        let result = ran.result("a");
        assert_eq!(result.outcome(), Outcome::Succeeded);
        let truncation = result.truncation.as_ref().unwrap();
        assert_eq!(truncation.whole_bytes as usize, whole.len());
        let seen = ran.text("a");
        assert!(seen.len() <= 2048, "{} bytes", seen.len());
        if id == "text" {
            assert!(seen.starts_with("HEAD") && seen.trim_end().ends_with("TAIL"), "{seen}");
        } else {
            // The promises say that it is JSON; and the first row is in it.
            assert!(seen.contains(r#""row":0"#), "{seen}");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn what_fits_its_bound_arrives_as_the_bytes_that_were_sent() {
    let world = World::start(&base_with("defaults: {max_bytes: 4KiB}\n")).await;
    for (at, text) in [
        r#"{"b": 1.10, "a" : [1e2, 12345678901234567890], "z":"\u00e9"}"#.to_owned(),
        "[]".to_owned(),
        "12345678901234567890.000".to_owned(),
        format!("[{}]", "1,".repeat(2000) + "1"),
    ]
    .into_iter()
    .enumerate()
    {
        world.peer.on(&format!("GET /read/{at}"), Reply::json(text.clone()));
        let ran = world.run(&read(&at.to_string())).await;
        ran.assert_succeeded("a", &text);
        assert!(ran.result("a").truncation.is_none());
        let block: Value = serde_json::from_str(&ran.bundle[0]).unwrap();
        let content = &block["content"];
        let shown = content.as_str().or_else(|| content[0]["text"].as_str()).unwrap();
        assert_eq!(shown, text);
    }
    world.end().await;
}

#[tokio::test]
async fn images_and_documents_arrive_as_blocks_of_their_kind() {
    let world = World::start(BASE).await;
    let png = Bytes::from_static(b"\x89PNG\r\n\x1a\n\x00\x01\x02\xff");
    let pdf = Bytes::from_static(b"%PDF-1.7\n\xff\xfe");
    world.peer.on("GET /read/png", Reply::new(200, "image/png", png.clone()));
    world.peer.on("GET /read/pdf", Reply::new(200, "application/pdf", pdf.clone()));
    for (id, kind, bytes) in [("png", "image", png), ("pdf", "document", pdf)] {
        let ran = world.run(&read(id)).await;
        let (content::Block::Image(blob) | content::Block::Document(blob)) =
            ran.result("a").content[0].block.clone().unwrap()
        else {
            panic!("{:?}", ran.result("a"))
        };
        assert_eq!(blob.data, bytes);
        let block: Value = serde_json::from_str(&ran.bundle[0]).unwrap();
        assert_eq!(block["content"][0]["type"], kind, "{block}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_compressed_answer_is_bounded_by_what_it_unpacks_to() {
    use std::io::Write;
    let yaml = BASE.replace("url: \"{peer}\"", "url: \"{peer}\", response_bytes: 1MiB");
    let world = World::start(&yaml).await;
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let small = gzip(br#"{"n":1.10}"#);
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 100_000);
    for (id, body) in [("small", small), ("bomb", bomb)] {
        let reply = Reply::new(200, "application/json", body).header("content-encoding", "gzip");
        world.peer.on(&format!("GET /read/{id}"), reply);
    }
    world.run(&read("small")).await.assert_succeeded("a", r#"{"n":1.10}"#);
    let ran = world.run(&read("bomb")).await;
    ran.assert_failed("a", sidecall::proto::v1::FailureCode::ResultTooLarge, &["1048576 bytes"]);
    world.end().await;
}
