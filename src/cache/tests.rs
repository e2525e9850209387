use std::{sync::Arc, time::Duration};

use tokio::time::advance;

use super::*;
use crate::{clock, model::Json};

const TTL: Duration = Duration::from_secs(30);

struct Fixture {
    cache: Cache,
    writes: Arc<Writes>,
    tenant: Tenant,
}

fn cache(change: impl FnOnce(&mut Settings)) -> Fixture {
    let mut settings = Settings::new(TTL);
    change(&mut settings);
    let writes = Arc::new(Writes::default());
    Fixture { cache: Cache::new(settings, Arc::clone(&writes)), writes, tenant: Tenant::local() }
}

fn count(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

fn input(name: &str) -> Digest {
    Json::from_value(&name.into()).digest()
}

fn text(text: &str) -> Vec<Content> {
    vec![Content::Text(text.into())]
}

impl Fixture {
    /// What an attempt that begins now remembers.
    fn ask(&self) -> (Instant, Mark) {
        (clock::now(), self.writes.mark())
    }

    fn put(&self, name: &str, content: &str, asked: (Instant, Mark)) {
        self.cache.put((&self.tenant, input(name)), &text(content), asked, clock::now());
    }

    fn get(&self, name: &str) -> Option<Vec<Content>> {
        self.cache.get(&self.tenant, input(name), clock::now())
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_holds_for_its_time_from_when_it_was_asked_for() {
    let cache = cache(|_| {});
    assert_eq!(cache.get("a"), None);
    let asked = cache.ask();
    advance(Duration::from_secs(10)).await;
    cache.put("a", "1", asked);
    advance(Duration::from_nanos(19_999_999_999)).await;
    assert_eq!(cache.get("a"), Some(text("1")));
    assert_eq!(cache.get("b"), None);
    advance(Duration::from_nanos(1)).await;
    assert_eq!(cache.get("a"), None);
    assert_eq!(cache.cache.status(), Status { entries: 0, bytes: 0, hits: 1, misses: 3 });

    // One that took longer than that is over before it is there.
    let asked = cache.ask();
    advance(TTL).await;
    cache.put("a", "1", asked);
    assert_eq!(cache.cache.status().entries, 0);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_never_gets_the_answer_of_another() {
    let mut cache = cache(|_| {});
    cache.put("a", "1", cache.ask());
    cache.tenant = Tenant::try_new("other").unwrap();
    assert_eq!(cache.get("a"), None);
    cache.put("a", "2", cache.ask());
    assert_eq!(cache.get("a"), Some(text("2")));
    cache.tenant = Tenant::local();
    assert_eq!(cache.get("a"), Some(text("1")));
}

#[tokio::test(start_paused = true)]
async fn a_write_ends_every_answer_of_its_api_when_it_begins_and_when_it_ends() {
    let cache = cache(|_| {});
    cache.put("a", "old", cache.ask());
    let write = cache.writes.begin();
    assert_eq!(cache.get("a"), None);
    assert_eq!(cache.cache.status().entries, 0);

    // Who knows whether it saw the write.
    let asked = cache.ask();
    cache.put("a", "either", asked);
    assert_eq!(cache.get("a"), None);
    drop(write);
    cache.put("a", "either", asked);
    assert_eq!(cache.get("a"), None);

    cache.put("a", "new", cache.ask());
    assert_eq!(cache.get("a"), Some(text("new")));
}

#[tokio::test(start_paused = true)]
async fn what_was_read_while_somebody_wrote_is_not_kept() {
    let cache = cache(|_| {});
    let asked = cache.ask();
    drop(cache.writes.begin());
    cache.put("a", "old", asked);
    assert_eq!(cache.get("a"), None);
}

#[tokio::test(start_paused = true)]
async fn the_answer_that_was_used_the_longest_ago_makes_room() {
    let cache = cache(|settings| settings.entries_max = count(2));
    cache.put("a", "1", cache.ask());
    cache.put("b", "2", cache.ask());
    assert!(cache.get("a").is_some());
    cache.put("c", "3", cache.ask());
    assert!(cache.get("a").is_some() && cache.get("c").is_some());
    assert_eq!(cache.get("b"), None);

    // The same input again takes no room of others.
    cache.put("c", "4", cache.ask());
    assert_eq!((cache.get("a"), cache.get("c")), (Some(text("1")), Some(text("4"))));
}

#[tokio::test(start_paused = true)]
async fn answers_have_no_more_bytes_than_allowed() {
    let cache = cache(|settings| settings.bytes_max = count(3 * (ENTRY_BYTES + 100)));
    let answer = "x".repeat(100);
    for name in ["a", "b", "c", "d"] {
        cache.put(name, &answer, cache.ask());
        assert!(cache.cache.status().bytes <= 3 * (ENTRY_BYTES + 100));
    }
    assert_eq!(cache.get("a"), None);
    assert!(["b", "c", "d"].iter().all(|name| cache.get(name).is_some()));

    // One that takes more than all of it is not kept, and drives nobody out.
    cache.put("e", &"x".repeat(3 * (ENTRY_BYTES + 100)), cache.ask());
    assert_eq!(cache.cache.status().entries, 3);
    // One that takes half of it drives out as many as it must.
    cache.put("e", &"x".repeat(500), cache.ask());
    assert_eq!((cache.cache.status().entries, cache.get("b")), (1, None));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_over_goes_when_room_is_asked_for() {
    let cache = cache(|_| {});
    cache.put("a", "1", cache.ask());
    advance(TTL).await;
    cache.put("b", "2", cache.ask());
    assert_eq!(cache.cache.status().entries, 1);
}

#[tokio::test(start_paused = true)]
async fn it_keeps_text_and_not_what_was_parsed_of_it() {
    let cache = cache(|_| {});
    let json = Json::from_backend(r#"{"price":1.10}"#.to_owned()).unwrap();
    let content = [Content::Json(json.clone())];
    cache.cache.put((&cache.tenant, input("a")), &content, cache.ask(), clock::now());
    // Whoever reads a hit parses its own.
    for _ in 0..2 {
        let hit = cache.get("a").unwrap();
        let [Content::Json(hit)] = &*hit else { panic!("{hit:?}") };
        assert!(!hit.is_parsed());
        assert_eq!((hit.as_str(), hit.value()), (json.as_str(), json.value()));
    }
}

#[test]
fn nothing_of_an_answer_is_shown_to_a_log() {
    let cache = cache(|_| {});
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        cache.put("a", "canary", cache.ask());
    });
    let shown = format!("{:?}", cache.cache);
    assert!(shown.contains("entries: 1") && !shown.contains("canary"), "{shown}");
}
