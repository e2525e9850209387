use super::*;
use crate::{
    cli::waterfall::{below::below, line::line, script, table::table},
    proto::v1,
};

const LOOK: Look = Look { width: 80, unicode: true, color: false };

fn drawn(events: &[(u64, v1::BatchEvent)], now_ms: u64, look: &Look) -> String {
    let mut waterfall = Waterfall::default();
    for (seen_ms, event) in events {
        if *seen_ms <= now_ms {
            waterfall.apply(event, Duration::from_millis(*seen_ms));
        }
    }
    let mut lines = frame(&waterfall, Duration::from_millis(now_ms), look, usize::MAX);
    lines.extend(below(&waterfall, look));
    for line in &lines {
        assert!(look.color || line.width() < look.width, "{} of {line}", line.width());
        assert!(look.unicode || line.is_ascii(), "{line}");
    }
    lines.join("\n")
}

#[test]
fn a_finished_turn_is_drawn_in_80_columns() {
    insta::assert_snapshot!(drawn(&script::gather(), 1000, &LOOK));
}

#[test]
fn a_finished_turn_is_drawn_in_120_columns() {
    insta::assert_snapshot!(drawn(&script::gather(), 1000, &Look { width: 120, ..LOOK }));
}

#[test]
fn a_turn_is_drawn_while_it_lasts() {
    let events = script::gather();
    let frames = [0, 90, 230, 430, 580].map(|now| format!("{now}\n{}", drawn(&events, now, &LOOK)));
    insta::assert_snapshot!(frames.join("\n\n"));
}

#[test]
fn a_failure_and_what_it_takes_along_are_told_apart_by_mark_and_message() {
    insta::assert_snapshot!(drawn(&script::failure(), 1000, &LOOK));
}

#[test]
fn waiting_for_a_token_is_told_from_waiting_for_a_place_and_summed_up() {
    let ascii = Look { unicode: false, ..LOOK };
    let drawn = [LOOK, ascii].map(|look| drawn(&script::rated(), 1000, &look));
    insta::assert_snapshot!(drawn.join("\n\n"));
}

#[test]
fn a_wait_for_a_token_is_seen_as_such_as_soon_as_it_is_over() {
    let drawn = drawn(&script::rated(), 110, &LOOK);
    let row = |nth: usize| drawn.lines().nth(nth).unwrap();
    assert!(row(1).contains("▸ get_quote#2 ▒") || row(1).contains("✓ get_quote#2 ▒"), "{drawn}");
    assert!(row(2).contains("▸ get_quote#3 ▒") && row(2).contains('█'), "{drawn}");
    // What the last one waits for is known when it starts.
    assert!(row(3).contains("◌ get_quote#4 ░") && !row(3).contains('▒'), "{drawn}");
}

#[test]
fn a_result_that_is_not_of_the_calls_own_run_says_where_it_is_from() {
    insta::assert_snapshot!(drawn(&script::shared(), 1000, &LOOK));
}

#[test]
fn a_call_that_was_answered_at_once_has_a_mark_and_no_bar() {
    insta::assert_snapshot!(drawn(&script::at_once(), 1000, &LOOK));
    let mut waterfall = Waterfall::default();
    for (seen_ms, event) in script::at_once() {
        waterfall.apply(&event, Duration::from_millis(seen_ms));
    }
    assert_eq!(table(&waterfall, &LOOK), [""; 0], "there are no figures of no time");
}

#[test]
fn without_unicode_only_ascii_is_drawn() {
    let look = Look { unicode: false, ..LOOK };
    let frames = [drawn(&script::gather(), 430, &look), drawn(&script::failure(), 1000, &look)];
    insta::assert_snapshot!(frames.join("\n\n"));
}

#[test]
fn colours_only_repeat_what_the_marks_say() {
    let colored = drawn(&script::failure(), 1000, &Look { color: true, ..LOOK });
    insta::assert_snapshot!(colored.replace('\u{1b}', "␛"));
    assert_eq!(
        anstream::adapter::strip_str(&colored).to_string(),
        drawn(&script::failure(), 1000, &LOOK)
    );
}

#[test]
fn figures_say_where_the_time_went_attempt_by_attempt() {
    let told = |events: &[(u64, v1::BatchEvent)], look: &Look| {
        let mut waterfall = Waterfall::default();
        for (seen_ms, event) in events {
            waterfall.apply(event, Duration::from_millis(*seen_ms));
        }
        let lines = table(&waterfall, look);
        assert!(lines.iter().all(|line| line.width() < look.width), "{lines:?}");
        lines.join("\n")
    };
    let narrow = Look { width: 60, ..LOOK };
    let figures = [
        told(&script::failure(), &LOOK),
        told(&script::rated(), &LOOK),
        told(&script::failure(), &narrow),
    ];
    insta::assert_snapshot!(figures.join("\n"));
}

#[test]
fn each_event_is_a_line_where_nothing_can_be_drawn_over() {
    for (name, events) in
        [("failure", script::failure()), ("rated", script::rated()), ("shared", script::shared())]
    {
        let mut waterfall = Waterfall::default();
        let mut lines = Vec::new();
        for (seen_ms, event) in events {
            let seen = Duration::from_millis(seen_ms);
            waterfall.apply(&event, seen);
            lines.extend(line(&waterfall, &event, seen, &LOOK));
        }
        insta::assert_snapshot!(format!("lines_of_{name}"), lines.join("\n"));
    }
}

#[test]
fn of_too_many_rows_those_that_have_most_to_say_are_drawn() {
    let mut waterfall = Waterfall::default();
    for (seen_ms, event) in script::wide(40, 12) {
        waterfall.apply(&event, Duration::from_millis(seen_ms));
    }
    let lines = frame(&waterfall, Duration::from_millis(60), &LOOK, 10);
    assert_eq!(lines.len(), 11);
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn failures_that_say_the_same_are_told_once() {
    let mut plan = script::plan(&[("get_page", 10); 5], &[]);
    for at in [0, 2, 3] {
        plan.calls[at].fault = Some(v1::Failure { message: "closed".into(), ..Default::default() });
    }
    plan.calls[4].fault = Some(v1::Failure { message: "elsewhere".into(), ..Default::default() });
    assert_eq!(
        below(&Waterfall::planned(&plan), &LOOK),
        [
            "  ✗ get_page#1 and 2 more: unspecified",
            "    closed",
            "  ✗ get_page#5: unspecified",
            "    elsewhere"
        ]
    );
}

#[test]
fn what_a_tool_is_called_cannot_reach_the_terminal() {
    let mut plan = script::plan(&[("\u{1b}[2J\u{7}x", 10)], &[]);
    plan.calls[0].fault =
        Some(v1::Failure { message: "\u{1b}]0;t\u{7}".into(), ..Default::default() });
    let waterfall = Waterfall::planned(&plan);
    let mut lines = frame(&waterfall, Duration::ZERO, &LOOK, 9);
    lines.extend(below(&waterfall, &LOOK));
    assert!(lines.iter().all(|line| !line.contains(['\u{1b}', '\u{7}'])), "{lines:?}");
}

#[test]
fn times_are_short_and_never_round_to_another_unit() {
    for (us, says) in [
        (0, "0 ms"),
        (49, "<0.1 ms"),
        (9_949, "9.9 ms"),
        (9_951, "10 ms"),
        (999_499, "999 ms"),
        (999_501, "1.00 s"),
        (9_996_000, "10.0 s"),
        (99_960_000, "1 m 40 s"),
        (3_599_600_000, "1 h 00 m"),
        (7_260_000_000, "2 h 01 m"),
    ] {
        assert_eq!(text(Duration::from_micros(us)), says, "{us}");
    }
}
