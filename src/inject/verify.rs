//! Whether a changed text says what the old one said, and the changes, and
//! nothing else.
//!
//! The text is edited as text. That it came out right is not believed: it is
//! read again and held against the tree that it was to become.

use super::{
    edit::{Edit, Edits},
    render::Value,
    tree::{Form, Id, Kind, Node, Scalar, Tree},
};

/// Whether `new` is `old` with these changes.
pub(super) fn is_as_planned(old: &Tree<'_>, edits: &Edits, new: &Tree<'_>) -> bool {
    let pairs = old.documents.iter().zip(&new.documents);
    old.documents.len() == new.documents.len()
        && pairs.into_iter().all(|(o, n)| Check { old, edits, new }.node(*o, *n))
}

/// Whether a node says the same in both trees.
pub(super) fn is_same(old: &Tree<'_>, o: Id, new: &Tree<'_>, n: Id) -> bool {
    Check { old, edits: &Edits::new(), new }.node(o, n)
}

struct Check<'a, 't> {
    old: &'a Tree<'t>,
    edits: &'a Edits,
    new: &'a Tree<'t>,
}

/// What a place is to hold.
#[derive(Clone, Copy)]
enum Part<'a> {
    Old(Id),
    Added(&'a Value),
}

impl Check<'_, '_> {
    fn node(&self, o: Id, n: Id) -> bool {
        let (old, new) = (self.old.node(o), self.new.node(n));
        if name(old) != name(new) || tag(old) != tag(new) {
            return false;
        }
        let edits = self.edits.get(&o).map_or(&[][..], Vec::as_slice);
        for edit in edits {
            match edit {
                Edit::Fill(value) => return self.is_value(n, value),
                Edit::Empty(text) => {
                    let written = self.new.slice(new.body, new.end);
                    return written == text.trim() && !matches!(new.kind, Kind::Alias(_));
                }
                _ => {}
            }
        }
        match (&old.kind, &new.kind) {
            (Kind::Scalar(a), Kind::Scalar(b)) => a == b,
            (Kind::Alias(a), Kind::Alias(b)) => name(self.old.node(*a)) == name(self.new.node(*b)),
            (Kind::Sequence { items: a, .. }, Kind::Sequence { items: b, .. }) => {
                let expected = items(a, edits);
                expected.len() == b.len()
                    && expected.into_iter().zip(b).all(|(part, n)| self.part(part, *n))
            }
            (Kind::Mapping { entries: a, .. }, Kind::Mapping { entries: b, .. }) => {
                let gone = dropped(edits);
                let kept = a.iter().enumerate().filter(|(at, _)| !gone.contains(at));
                let kept = kept.map(|(_, entry)| (Key::Old(entry.key), Part::Old(entry.value)));
                let added = edits.iter().filter_map(|edit| match edit {
                    Edit::Key(key, value) => Some((Key::Added(key), Part::Added(value))),
                    _ => None,
                });
                let expected: Vec<_> = kept.chain(added).collect();
                expected.len() == b.len()
                    && expected.into_iter().zip(b).all(|((key, value), entry)| {
                        let is_key = match key {
                            Key::Old(o) => self.node(o, entry.key),
                            Key::Added(text) => self.new.as_text(entry.key) == Some(text),
                        };
                        is_key && self.part(value, entry.value)
                    })
            }
            _ => false,
        }
    }

    fn part(&self, part: Part<'_>, n: Id) -> bool {
        match part {
            Part::Old(o) => self.node(o, n),
            Part::Added(value) => {
                let node = self.new.node(n);
                node.anchor.is_none() && node.tag.is_none() && self.is_value(n, value)
            }
        }
    }

    fn is_value(&self, n: Id, value: &Value) -> bool {
        match (value, &self.new.node(n).kind) {
            (Value::Text(text), Kind::Scalar(scalar)) => scalar.text == *text,
            (Value::Number(number), Kind::Scalar(Scalar { text, form: Form::Plain })) => {
                *text == number.to_string()
            }
            (Value::Bool(fact), Kind::Scalar(Scalar { text, form: Form::Plain })) => {
                *text == fact.to_string()
            }
            (Value::List(values), Kind::Sequence { items, .. }) => {
                values.len() == items.len()
                    && values.iter().zip(items).all(|(value, n)| self.is_value(*n, value))
            }
            (Value::Map(values), Kind::Mapping { entries, .. }) => {
                values.len() == entries.len()
                    && values.iter().zip(entries).all(|((key, value), entry)| {
                        self.new.as_text(entry.key) == Some(key)
                            && self.is_value(entry.value, value)
                    })
            }
            _ => false,
        }
    }
}

enum Key<'a> {
    Old(Id),
    Added(&'a str),
}

fn name(node: &Node) -> Option<&str> {
    node.anchor.as_ref().map(|(_, name)| name.as_str())
}

fn tag(node: &Node) -> Option<&str> {
    node.tag.as_ref().map(|(_, _, tag)| tag.as_str())
}

fn dropped(edits: &[Edit]) -> Vec<usize> {
    let gone = edits.iter().filter_map(|edit| match edit {
        Edit::Drop(gone) => Some(gone.as_slice()),
        _ => None,
    });
    gone.flatten().copied().collect()
}

/// What a list is to hold.
fn items<'a>(old: &[Id], edits: &'a [Edit]) -> Vec<Part<'a>> {
    let gone = dropped(edits);
    let mut expected = Vec::with_capacity(old.len() + edits.len());
    let add = |expected: &mut Vec<Part<'a>>, place: Option<usize>| {
        for edit in edits {
            if let Edit::Items(before, values) = edit
                && *before == place
            {
                expected.extend(values.iter().map(Part::Added));
            }
        }
    };
    for (at, item) in old.iter().enumerate() {
        add(&mut expected, Some(at));
        if !gone.contains(&at) {
            expected.push(Part::Old(*item));
        }
    }
    add(&mut expected, None);
    expected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inject::parse::parse;

    /// Whether `new` passes for the old text with `key: [1]` added and `gone` taken out.
    fn passes(new: &str) -> bool {
        let old = parse("a: &x !!str b\ngone: 1\nc: [*x, 'd', e]\n").unwrap();
        let add = Edit::Key("key".to_owned(), Value::List(vec![1.into()]));
        let edits = Edits::from([(old.documents[0], vec![add, Edit::Drop(vec![1])])]);
        is_as_planned(&old, &edits, &parse(new).unwrap())
    }

    #[test]
    fn only_what_was_planned_passes() {
        assert!(passes("a: &x !!str b\nc: [*x, 'd', e]\nkey: [1]\n"));
        assert!(passes("# another look\n{a: &x !!str b, c: [*x, \"d\", e], key: [1]}\n"));
        for wrong in [
            "a: &x !!str b\ngone: 1\nc: [*x, 'd', e]\nkey: [1]\n",
            "a: &x !!str b\nc: [*x, 'd', e]\n",
            "a: &x !!str b\nc: [*x, 'd', e]\nkey: ['1']\n",
            "a: &x !!str b\nc: [*x, 'd', e]\nkey: &k [1]\n",
            "a: &x !!str b\nc: [*x, 'd', e]\nkey: [1]\nmore: 1\n",
            "c: ['b', 'd', e]\na: &x !!str b\nkey: [1]\n",
            "a: &x b\nc: [*x, 'd', e]\nkey: [1]\n",
            "a: &y !!str b\nc: [*y, 'd', e]\nkey: [1]\n",
            "a: &x !!str b\nc: [b, 'd', e]\nkey: [1]\n",
            "a: &x !!str b\nc: [*x, d, e]\nkey: [1]\n",
            "a: &x !!str b\nc: [*x, e, 'd']\nkey: [1]\n",
            "a: &x !!str b\nc: [*x, 'd', e]\nkey: [1]\n---\n",
        ] {
            assert!(!passes(wrong), "{wrong}");
        }
    }
}
