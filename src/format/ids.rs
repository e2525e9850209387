//! The ids by which a turn's calls are known here.

use std::collections::{HashMap, HashSet};

use super::reader::Ids;
use crate::model::CallId;

/// Most characters that are kept of an id which cannot stand as it is.
const KEPT_CHARS_MAX: usize = 96;

/// The ids by which the calls are known here: the provider's where it can be one
/// of ours and is the first of its kind, else one made of it, else `call_N`. No
/// two are the same, and the same turn has the same ones again.
pub(super) fn call_ids<'w>(written: impl Iterator<Item = Option<&'w str>> + Clone) -> Vec<CallId> {
    let mut free = Free::default();
    let own: Vec<Option<CallId>> = written.clone().map(|id| free.own(id?)).collect();
    let ids = own.into_iter().zip(written).enumerate();
    ids.map(|(place, (own, written))| {
        own.unwrap_or_else(|| free.made(written.unwrap_or_default(), place))
    })
    .collect()
}

/// The ids of a turn whose calls come one by one: what a later call is called
/// changes none that was given.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    /// What the calls' provider holds of ids; `None` where the caller wrote the
    /// calls itself, who reads the same ids that it wrote.
    grammar: Option<Ids>,
    free: Free,
    /// As they came.
    written: HashSet<Box<str>>,
    calls: usize,
}

impl Given {
    /// Of calls from a provider.
    pub(super) fn of(ids: Ids) -> Self {
        Self { grammar: Some(ids), ..Self::default() }
    }

    /// The grammar, where the calls are a provider's.
    pub(super) const fn grammar(&self) -> Option<Ids> {
        self.grammar
    }

    /// The id of the next call, whose own is `written`: empty where it has none.
    ///
    /// # Errors
    ///
    /// Why no answer to it could be told from another's.
    pub(super) fn next(&mut self, written: &str) -> Result<CallId, String> {
        let place = self.calls;
        self.calls += 1;
        if written.is_empty() {
            return Ok(self.free.made(written, place));
        }
        let is_first = self.written.insert(written.into());
        match self.grammar {
            None | Some(Ids::Unique) if !is_first => {
                Err(format!("{written:?} is also that of an earlier call"))
            }
            None => {
                let id = CallId::try_new(written).map_err(|error| error.to_string())?;
                self.free.own(written).ok_or_else(|| {
                    format!(
                        "{:?} was given to an earlier call that came without an id; send one \
                         with every call, or with none",
                        id.as_str()
                    )
                })
            }
            Some(_) => {
                let own = self.free.own(written);
                Ok(own.unwrap_or_else(|| self.free.made(written, place)))
            }
        }
    }
}

/// Ids that no other call has.
#[derive(Clone, Debug, Default)]
struct Free {
    taken: HashSet<CallId>,
    /// The number that each base was last told apart by.
    numbers: HashMap<CallId, usize>,
}

impl Free {
    /// That id, if it can be one of ours and no call has it.
    fn own(&mut self, written: &str) -> Option<CallId> {
        CallId::try_new(written).ok().filter(|id| self.taken.insert(id.clone()))
    }

    /// One made of that id, else of the call's place.
    fn made(&mut self, written: &str, place: usize) -> CallId {
        let base = made_of(written).unwrap_or_else(|| CallId::positional(place + 1));
        let mut id = base.clone();
        while !self.taken.insert(id.clone()) {
            let number = self.numbers.entry(base.clone()).or_insert(1);
            *number += 1;
            // A base leaves room for any number.
            id = CallId::try_new(format!("{base}_{number}")).unwrap_or(id);
        }
        id
    }
}

/// What can be kept of an id.
fn made_of(written: &str) -> Option<CallId> {
    let kept = written.chars().take(KEPT_CHARS_MAX).map(|character| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => character,
        _ => '_',
    });
    CallId::try_new(kept.collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(written: &[Option<&str>]) -> Vec<String> {
        call_ids(written.iter().copied()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_id_that_can_stand_does_and_others_are_made_of_what_came() {
        let long = "x".repeat(129);
        let written = [
            Some("functions.get_user:0"),
            Some("functions_get_user_0"),
            Some("a"),
            Some("a"),
            None,
            Some(""),
            Some("call_5"),
            Some(&*long),
            Some("größe"),
            Some("a_2"),
        ];
        let cut = "x".repeat(KEPT_CHARS_MAX);
        let expected = [
            "functions_get_user_0_2",
            "functions_get_user_0",
            "a",
            "a_3",
            "call_5_2",
            "call_6",
            "call_5",
            &cut,
            "gr__e",
            "a_2",
        ];
        assert_eq!(ids(&written), expected);
    }

    proptest! {
        #[test]
        fn no_two_calls_have_the_same_id_whatever_the_provider_wrote(
            written in prop::collection::vec(
                prop::option::of("[ab._]{0,3}|call_[1-9](_[2-4])?|\\PC{0,140}"), 0..40,
            ),
        ) {
            let written: Vec<_> = written.iter().map(Option::as_deref).collect();
            let ids = call_ids(written.iter().copied());
            prop_assert_eq!(&ids, &call_ids(written.iter().copied()));
            prop_assert_eq!(ids.len(), written.len());
            prop_assert_eq!(ids.iter().collect::<HashSet<_>>().len(), written.len());
            for (place, id) in ids.iter().enumerate() {
                let own = written[place].filter(|own| CallId::try_new(*own).is_ok());
                let is_first = own.is_some() && !written[..place].contains(&written[place]);
                prop_assert!(!is_first || Some(id.as_str()) == own);
            }
        }
    }

    /// What each call is called when they come one by one.
    fn given(mut given: Given, written: &[&str]) -> Vec<Result<String, String>> {
        written.iter().map(|written| given.next(written).map(|id| id.to_string())).collect()
    }

    #[test]
    fn calls_that_come_one_by_one_never_share_an_id() {
        for (grammar, written, expected) in [
            (Ids::Repeatable, &["a", "a", "a_2", "x.y:0"][..], &["a", "a_2", "a_2_2", "x_y_0"][..]),
            (
                Ids::Optional,
                &["", "call_1", "call_3", ""],
                &["call_1", "call_1_2", "call_3", "call_4"],
            ),
            (Ids::Optional, &["call_2", "", "call_2"], &["call_2", "call_2_2", "call_2_3"]),
            (Ids::Unique, &["", "call_1", "a.b", "a_b"], &["call_1", "call_1_2", "a_b", "a_b_2"]),
        ] {
            let ids = given(Given::of(grammar), written);
            let ids: Vec<_> = ids.into_iter().map(Result::unwrap).collect();
            assert_eq!(ids, expected, "{grammar:?}");
        }
        assert_eq!(given(Given::default(), &["call_2", ""])[1].as_deref(), Ok("call_2_2"));
    }

    #[test]
    fn an_id_is_refused_where_its_answer_could_not_be_told_from_another() {
        let typed = Given::default;
        for (given_so_far, written, says) in [
            (Given::of(Ids::Unique), ["a.b", "a.b"], r#""a.b" is also that of an earlier call"#),
            (typed(), ["a", "a"], r#""a" is also that of an earlier call"#),
            (typed(), ["", "call_1"], r#""call_1" was given to an earlier call that came without"#),
            (typed(), ["a", "a.b"], "the call id holds '.'"),
        ] {
            let ids = given(given_so_far, &written);
            assert!(ids[0].is_ok());
            let refused = ids[1].as_ref().unwrap_err();
            assert!(refused.starts_with(says), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn calls_that_come_one_by_one_are_told_apart_whatever_came(
            written in prop::collection::vec("[ab._]{0,3}|call_[1-9](_[2-4])?|\\PC{0,140}", 0..40),
        ) {
            let mut given = Given::of(Ids::Repeatable);
            let ids: Vec<_> = written.iter().map(|written| given.next(written).unwrap()).collect();
            prop_assert_eq!(ids.iter().collect::<HashSet<_>>().len(), written.len());
        }
    }
}
