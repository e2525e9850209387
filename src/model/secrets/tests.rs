//! No secret that is known is left in a text.

use base64::{Engine, prelude::BASE64_STANDARD};
use proptest::prelude::*;

use super::*;

fn shown(secret: &str, text: &str) -> String {
    Secrets::new([secret]).redact(text).into_owned()
}

#[test]
fn a_secret_is_found_in_every_form_that_it_takes_on_its_way() {
    let secret = "p\u{e4}ss/w&rd \"7+'";
    let json = serde_json::to_string(secret).unwrap();
    let escaped = "p\\u00e4ss/w&rd \\\"7+'";
    for text in [
        secret.to_owned(),
        format!("before{secret}after"),
        json.clone(),
        serde_json::to_string(&format!("{{\"a\":{json}}}")).unwrap(),
        escaped.to_owned(),
        json.replace('/', "\\/"),
        format!("{secret:?}"),
        "p\u{e4}ss/w&amp;rd &quot;7+&#39;".to_owned(),
        "p%C3%A4ss%2Fw%26rd%20%227%2B%27".to_owned(),
        "p%c3%a4ss%2fw%26rd%20%227%2b%27".to_owned(),
        "p%C3%A4ss%2Fw%26rd+%227%2B%27".to_owned(),
        "p%C3%A4ss/w&rd%20%227+'".to_owned(),
        BASE64_STANDARD.encode(secret),
        BASE64_STANDARD.encode(format!("user:{secret}")),
        BASE64_STANDARD.encode(format!("u:{secret}:more")),
        BASE64_STANDARD.encode(format!("us:{secret}")).replace('+', "-").replace('/', "_"),
        "70c3a473732f772672642022372b27".to_owned(),
        "70C3A473732F772672642022372B27".to_owned(),
    ] {
        assert!(shown(secret, &text).contains(REDACTED), "{text}");
        assert!(Secrets::new([secret]).are_in(&text), "{text}");
    }
}

#[test]
fn a_text_without_a_secret_is_left_as_it_is() {
    let secrets = Secrets::new(["canary-1"]);
    for text in ["", "canary", "canary-2", "CANARY-1"] {
        assert!(matches!(secrets.redact(text), Cow::Borrowed(same) if same == text));
    }
    let none = Secrets::default();
    assert!(none.is_empty() && !none.are_in("canary-1"));
    assert_eq!(none.redact_cut("canary-1"), "canary-1");
}

#[test]
fn what_names_its_scheme_is_known_without_it() {
    assert_eq!(
        shown("Bearer canary-1", "the token canary-1 is bad"),
        "the token [redacted] is bad"
    );
    assert_eq!(shown("Bearer canary-1", "Bearer canary-1"), "[redacted]");
    // Two words are no scheme and its credentials.
    assert_eq!(shown("correct horse", "a horse"), "a horse");
}

#[test]
fn what_is_too_short_to_be_told_from_other_text_is_not_sought() {
    assert!(Secrets::new(["abc", "", " "]).is_empty());
    assert_eq!(shown("abcd", "an abcd"), "an [redacted]");
}

#[test]
fn the_beginning_of_a_secret_at_the_end_of_a_text_that_was_cut_goes() {
    let secrets = Secrets::new(["canary-1", "other"]);
    for (text, cut) in [
        ("it is canary-", "it is [redacted]"),
        ("it is c", "it is [redacted]"),
        ("it is", "it is"),
        ("canary-1 and cana", "[redacted] and [redacted]"),
        ("canary-1cana", "[redacted][redacted]"),
        ("canary-1", "[redacted]"),
        ("", ""),
    ] {
        assert_eq!(secrets.redact_cut(text), cut, "{text}");
    }
    // What one ends with may be what another begins with.
    assert_eq!(Secrets::new(["canary-1", "1234"]).redact_cut("canary-1"), "[redacted]");
}

#[test]
fn the_longest_of_several_goes_whole_and_nothing_is_made_of_what_is_left() {
    let secrets = Secrets::new(["canary", "canary-and-more"]);
    assert_eq!(secrets.redact("a canary-and-more b"), "a [redacted] b");
    // The mark itself may be one, or the end of one.
    assert_eq!(shown("redacted", "a redacted b"), REDACTED);
    assert_eq!(Secrets::new(["abcd", "x[re"]).redact("xabcd"), REDACTED);
}

#[test]
fn one_more_is_known_beside_the_others_and_none_is_shown() {
    let secrets = Secrets::new(["canary-1"]).with("canary-2");
    assert_eq!(secrets.redact("canary-1 canary-2"), "[redacted] [redacted]");
    assert_eq!(format!("{secrets:?}"), "Secrets(2)");
}

proptest! {
    // Each cuts its text at every place.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_secret_survives_wherever_it_stands(
        secrets in proptest::collection::vec(".{4,24}", 1..4),
        pieces in proptest::collection::vec(".{0,12}", 1..6),
        places in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
    ) {
        let known = Secrets::new(&secrets);
        let mut text = String::new();
        for (at, piece) in pieces.iter().enumerate() {
            text.push_str(piece);
            if let Some(place) = places.get(at) {
                let secret: &String = place.get(&secrets);
                text.push_str(secret);
            }
        }
        let shown = known.redact(&text);
        for secret in secrets.iter().map(|secret| secret.trim()).filter(|s| s.len() >= 4) {
            prop_assert!(shown == REDACTED || !shown.contains(secret), "{shown:?} {secret:?}");
        }
        // Cut anywhere, no beginning of one is left at the end.
        for end in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            let cut = known.redact_cut(&text[..end]);
            for secret in secrets.iter().map(|secret| secret.trim()).filter(|s| s.len() >= 4) {
                prop_assert!(cut == REDACTED || !cut.contains(secret));
                for (length, _) in secret.char_indices().skip(2) {
                    prop_assert!(
                        cut.ends_with(REDACTED) || !cut.ends_with(&secret[..length]),
                        "{cut:?} {secret:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_comes_to_be_secret_is_known_to_all_who_asked_before() {
    let running = Secrets::new(["canary-1"]);
    let (asked_before, own) = (running.clone(), running.with("canary-own"));
    let (first, second) = (Secrets::new(["canary-1"]), Secrets::new(["canary-2"]));
    running.become_all_of(&second, &first);
    assert_eq!(asked_before.redact("canary-1 canary-2"), "[redacted] [redacted]");
    assert!(!own.are_in("canary-2"), "one that was made of it is another");
    running.become_all_of(&Secrets::default(), &second);
    assert!(asked_before.are_in("canary-2") && !asked_before.are_in("canary-1"));
    assert_eq!(running, second);
    running.become_all_of(&Secrets::default(), &Secrets::default());
    assert!(asked_before.is_empty());
}
