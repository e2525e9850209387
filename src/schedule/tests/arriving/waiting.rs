//! What a call of a turn that is still coming waits for.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_reference_waits_until_its_call_has_come_and_reads_what_ended_long_ago() {
    let world = world(&[
        ("early", Script::Answers(10, r#"{"x":1}"#)),
        ("late", Script::Answers(10, r#"{"x":2}"#)),
        ("join", Script::Echoes(10)),
    ]);
    let (mut pen, running) = world.open();
    pen.write("early", "{}").await;
    pen.write("join", r#"{"a":"${early.x}","b":"${late.x}"}"#).await;
    tokio::time::sleep(MS(500)).await;
    assert_eq!(world.sent(), ["early"]);
    pen.write("late", "{}").await;
    tokio::time::sleep(MS(500)).await;
    assert_eq!(world.sent(), ["early", "late", "join"], "without a commit");
    pen.commit().await;
    let told = world.told(running).await;
    assert_eq!(told.json(1), r#"{"a":1,"b":2}"#);
}

#[tokio::test(start_paused = true)]
async fn text_that_might_become_a_reference_waits_for_the_whole_turn() {
    for (comes, expected) in [(false, r#""see ${late.x}""#), (true, r#""see 7""#)] {
        let world =
            world(&[("late", Script::Answers(10, r#"{"x":7}"#)), ("get", Script::Echoes(1))]);
        let (mut pen, running) = world.open();
        pen.write("get", r#"{"v":"see ${late.x}"}"#).await;
        settle().await;
        assert!(world.sent().is_empty());
        if comes {
            pen.write("late", "{}").await;
        }
        pen.commit().await;
        let told = world.told(running).await;
        assert_eq!(told.json(0), format!(r#"{{"v":{expected}}}"#));
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_meant_is_settled_by_the_commit_for_all_that_have_not_begun() {
    let world = world(&[
        ("get", Script::Answers(10, r#"{"x":1}"#)),
        ("read", Script::Echoes(1)),
        ("do_it", Script::Echoes(1)),
    ]);
    let (mut pen, running) = world.open();
    pen.write("get", r#"{"n":1}"#).await;
    pen.write("read", r#"{"v":"${get.x}"}"#).await;
    pen.write("do_it", r#"{"v":"${get.x}"}"#).await;
    tokio::time::sleep(MS(100)).await;
    // Now the name is that of two.
    pen.write("get", r#"{"n":2}"#).await;
    pen.write("read", r#"{"v":"${nobody.x}"}"#).await;
    pen.write("read", r#"{"v":"${6.x}"}"#).await;
    pen.commit().await;
    let told = world.told(running).await;
    use Outcome::{Failed, Succeeded};
    assert_eq!(told.outcomes(), [Succeeded, Succeeded, Failed, Succeeded, Failed, Failed]);
    assert_eq!(told.json(1), r#"{"v":1}"#, "it had begun with the one that there was");
    assert!(told.failure(2).1.contains("`get` is called 2 times"), "{:?}", told.failure(2));
    assert!(told.failure(4).1.contains("is no call of this turn"), "{:?}", told.failure(4));
    assert!(told.failure(5).1.contains("needs its own result"), "{:?}", told.failure(5));
    assert_eq!(world.calls().get("do_it"), None);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_complete_is_known_by_name_and_blocks_nobody() {
    let world = world(&[("get", Script::Echoes(10)), ("join", Script::Echoes(10))]);
    let (mut pen, running) = world.open();
    let first = pen.begin("get", "").await;
    pen.write("join", r#"{"v":"${get}"}"#).await;
    pen.write("join", r#"{"v":3}"#).await;
    tokio::time::sleep(MS(100)).await;
    assert_eq!(world.sent(), ["join"], "in what order inputs are complete matters to nobody");
    for piece in ["{\"a\":\"\\ud8", "3d\\u", "de00\"", "}"] {
        pen.say(Arrival::Fragment { index: first, text: piece.into() }).await;
    }
    pen.end(first).await;
    tokio::time::sleep(MS(100)).await;
    pen.commit().await;
    let told = world.told(running).await;
    assert_eq!(told.order(), [2, 0, 1]);
    assert_eq!(told.json(1), r#"{"v":{"a":"\ud83d\ude00"}}"#);
    assert_eq!(told.results[0].timings.blocked, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn reads_wait_for_writes_of_the_same_that_stand_before_them() {
    use crate::locks::{Claims, Pattern};
    let key = || vec![Pattern::try_new("order/{id}").unwrap()];
    let world = world_of(
        settings(),
        &[("get", Script::Echoes(10)), ("do_it", Script::Echoes(10))],
        |tool| {
            tool.claims = match tool.name.as_str() {
                "get" => Claims::new(key(), vec![]),
                _ => Claims::new(vec![], key()),
            }
        },
    );
    let (mut pen, running) = world.open();
    pen.write("get", r#"{"id":1,"n":0}"#).await;
    pen.write("do_it", r#"{"id":1}"#).await;
    pen.write("get", r#"{"id":1,"n":2}"#).await;
    pen.write("get", r#"{"id":2}"#).await;
    // Nobody knows yet what this one will write.
    let open = pen.begin("do_it", r#"{"id":"#).await;
    pen.write("get", r#"{"id":3}"#).await;
    pen.write("get", r#"{"id":4}"#).await;
    tokio::time::sleep(MS(100)).await;
    assert_eq!(world.sent(), ["get", "get"]);
    pen.say(Arrival::Fragment { index: open, text: "3}".into() }).await;
    pen.end(open).await;
    tokio::time::sleep(MS(100)).await;
    assert_eq!(world.sent().len(), 3, "that of order 4");
    pen.commit().await;
    let told = world.told(running).await;
    assert_eq!(told.outcomes(), [Outcome::Succeeded; 7]);
    assert_eq!(told.order(), [0, 3, 6, 1, 4, 2, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_comes_after_others_waits_for_the_whole_turn() {
    let world = world_of(
        settings(),
        &[("get", Script::Echoes(10)), ("last", Script::Echoes(10))],
        |tool| {
            if tool.name.as_str() == "last" {
                tool.after = vec![ToolName::try_new("get").unwrap()];
            }
        },
    );
    let (mut pen, running) = world.open();
    pen.write("get", r#"{"n":0}"#).await;
    pen.write("last", "{}").await;
    tokio::time::sleep(MS(100)).await;
    pen.write("get", r#"{"n":1}"#).await;
    settle().await;
    pen.commit().await;
    assert_eq!(world.told(running).await.order(), [0, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn an_ordered_turn_keeps_its_order_while_it_comes_and_stops_at_the_first_failure() {
    let tools = [
        ("slow", Script::Echoes(100)),
        ("fast", Script::Echoes(1)),
        ("do_it", Script::Echoes(1)),
        ("bad", Script::Fails(1)),
    ];
    let world = world(&tools);
    let ordered = Submission { ordering: Ordering::Ordered, ..submission(Vec::new()) };
    let (mut pen, running) = world.open_with(ordered).unwrap();
    for tool in ["slow", "fast"] {
        pen.write(tool, "{}").await;
    }
    tokio::time::sleep(MS(50)).await;
    assert_eq!(world.sent(), ["slow"]);
    tokio::time::sleep(MS(100)).await;
    for tool in ["do_it", "fast", "bad", "slow"] {
        pen.write(tool, r#"{"n":2}"#).await;
    }
    tokio::time::sleep(MS(100)).await;
    assert_eq!(world.sent(), ["slow", "fast"], "the write waits, and so do those behind it");
    pen.commit().await;
    let told = world.told(running).await;
    use Outcome::{Failed, Skipped, Succeeded};
    assert_eq!(told.outcomes(), [Succeeded, Succeeded, Succeeded, Succeeded, Failed, Skipped]);
    assert_eq!(told.order(), [0, 1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_read_leaves_undone_is_skipped() {
    let world = world(&[
        ("bad", Script::Fails(10)),
        ("get", Script::Echoes(10)),
        ("do_it", Script::Echoes(10)),
    ]);
    let (mut pen, running) = world.open();
    pen.write("bad", "{}").await;
    pen.write("get", r#"{"v":"${bad}"}"#).await;
    pen.write("do_it", r#"{"v":"${get}"}"#).await;
    pen.write("get", r#"{"v":{"$ref":"bad","default":5}}"#).await;
    tokio::time::sleep(MS(100)).await;
    pen.commit().await;
    let told = world.told(running).await;
    use Outcome::{Failed, Skipped, Succeeded};
    assert_eq!(told.outcomes()[..2], [Failed, Skipped]);
    // `get` is the name of two by now.
    assert_eq!(told.outcomes()[2..], [Failed, Succeeded]);
    assert_eq!(told.json(3), r#"{"v":5}"#);
    assert_eq!(world.sent(), ["bad", "get"]);
}
