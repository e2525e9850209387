//! Text with slots, for queries, headers, forms and text bodies.

use std::{borrow::Cow, fmt};

use super::{Fault, Input, Piece, Slot, as_text, pieces};
use crate::model::json;

/// Text with slots. Where any of its slots has no value, the whole text has
/// none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TextTemplate(Vec<Piece>);

impl TextTemplate {
    /// Reads a text.
    ///
    /// # Errors
    ///
    /// A brace that is neither doubled nor a slot's.
    pub fn try_new(text: &str) -> Result<Self, Fault> {
        Ok(Self(pieces(text)?.into_iter().map(|(_, piece)| piece).collect()))
    }

    /// Its slots, in order.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Slot(slot) => Some(slot),
            Piece::Literal(_) => None,
        })
    }

    /// The slot that it is, where it is nothing else.
    pub fn only_slot(&self) -> Option<&Slot> {
        match self.0.as_slice() {
            [Piece::Slot(slot)] => Some(slot),
            _ => None,
        }
    }

    /// The text for `input`; `None` where a slot has no value.
    pub(in crate::backend::http) fn render<'a>(
        &'a self,
        input: &Input<'a>,
    ) -> Option<Cow<'a, str>> {
        match self.0.as_slice() {
            [] => Some(Cow::Borrowed("")),
            [Piece::Literal(literal)] => Some(Cow::Borrowed(literal)),
            [Piece::Slot(slot)] => input.text(slot),
            pieces => {
                let mut out = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Literal(literal) => out.push_str(literal),
                        Piece::Slot(slot) => out.push_str(&input.text(slot)?),
                    }
                }
                Some(Cow::Owned(out))
            }
        }
    }

    /// Gives `take` the text for `input`, or each element where it is one slot
    /// that holds a list. Elements that are `null` are no values.
    pub(in crate::backend::http) fn render_each<'a>(
        &'a self,
        input: &Input<'a>,
        mut take: impl FnMut(&str),
    ) {
        let list = self.only_slot().and_then(|slot| input.get(slot)).and_then(json::elements);
        match list {
            Some(elements) => elements.into_iter().filter_map(as_text).for_each(|text| take(&text)),
            None => {
                if let Some(text) = self.render(input) {
                    take(&text);
                }
            }
        }
    }
}

/// With its slots, for people.
impl fmt::Display for TextTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| piece.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, input: &str) -> Option<String> {
        let template = TextTemplate::try_new(template).unwrap();
        template.render(&Input::new(input).unwrap()).map(Cow::into_owned)
    }

    fn each(template: &str, input: &str) -> Vec<String> {
        let mut out = Vec::new();
        TextTemplate::try_new(template)
            .unwrap()
            .render_each(&Input::new(input).unwrap(), |text| out.push(text.to_owned()));
        out
    }

    #[test]
    fn a_text_whose_slot_has_no_value_has_none() {
        for input in ["{}", r#"{"a": null}"#, r#"{"b": 1}"#] {
            assert_eq!(render("{a}", input), None);
            assert_eq!(render("x{a}y", input), None);
            assert!(each("{a}", input).is_empty());
        }
    }

    #[test]
    fn a_value_is_never_read_as_a_template() {
        assert_eq!(render("{a}-{b}", r#"{"a": "{b}", "b": "${a}"}"#).unwrap(), "{b}-${a}");
    }

    #[test]
    fn values_are_written_as_they_came() {
        let input = r#"{"s": "x\"y", "n": 1.10, "t": true, "o": {"k": [1.0]}, "e": ""}"#;
        assert_eq!(render("{s}|{n}|{t}|{o}|{e}", input).unwrap(), r#"x"y|1.10|true|{"k": [1.0]}|"#);
        assert_eq!(render("{{{n}}}", input).unwrap(), "{1.10}");
        assert_eq!(render("", input).unwrap(), "");
    }

    #[test]
    fn only_a_slot_alone_gives_the_elements_of_a_list() {
        let input = r#"{"l": ["a", 1.10, null, [2]], "e": []}"#;
        assert_eq!(each("{l}", input), ["a", "1.10", "[2]"]);
        assert_eq!(each("x{l}", input), [r#"x["a", 1.10, null, [2]]"#]);
        assert!(each("{e}", input).is_empty());
    }
}
