//! Schemas that let a reference stand where a value is due.
//!
//! A tool's own schema says what its input is once references are resolved. A
//! model that is held to it, by a strict mode or by what it reads, could not
//! write a reference where a number is due. The widened schema lets it: every
//! input that was valid stays valid, and so is each in which a value below the
//! root was replaced by a reference. What is resolved is still held against the
//! tool's own schema.
//!
//! Nothing is added at the root and nothing is shared under `$defs`: some models
//! refuse an input schema whose root holds more than its properties.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::Value;

use self::node::Node;
use super::reader::string;
use crate::model::{
    Json,
    json::{elements, members},
};

mod flat;
mod node;

/// A string that is one reference and nothing else.
const WHOLE: &str = r#"{"type":"string","pattern":"^\\$\\{.+\\}$"}"#;

/// A string with a reference in it: text is inserted into text.
const WITHIN: &str = r#"{"type":"string","pattern":"\\$\\{.+\\}"}"#;

/// A reference as an object. Its key is only required, not declared: some readers
/// take every `$ref` key for a schema's own.
const OBJECT: &str = r#"{"type":"object","required":["$ref"]}"#;

/// Keys that say something about a value and nothing about which are valid.
const ANNOTATIONS: [&str; 8] = [
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$comment",
];

/// A schema with references allowed for every value below its root.
///
/// Where all inputs are closed objects with every field required, as strict modes
/// want them, only strings are added: an object with an optional `default` is not
/// theirs to take. A schema whose own references cannot be followed through the
/// change stays as it is.
pub fn widened(schema: &str) -> Cow<'_, str> {
    let mut widening =
        Widening { places: BTreeMap::new(), strict: is_strict(schema), is_lost: false };
    let node = widening.in_place(schema, "", "", &[]);
    let text = node.to_text(&widening.places);
    if widening.is_lost || text.is_lost {
        return Cow::Borrowed(schema);
    }
    // A schema may be nested as deep as is read, and is deeper now.
    match Json::try_new(text.json) {
        Ok(json) if leads_somewhere(&json, &text.targets) => Cow::Owned(json.as_str().to_owned()),
        _ => Cow::Borrowed(schema),
    }
}

fn leads_somewhere(schema: &Json, targets: &BTreeSet<String>) -> bool {
    targets.iter().all(|target| schema.value().pointer(target).is_some())
}

/// Whether the root is closed and requires all that it names.
fn is_strict(schema: &str) -> bool {
    let Ok(schema) = serde_json::from_str::<Value>(schema) else { return false };
    let required = schema.get("required").and_then(Value::as_array);
    let is_required =
        |name: &String| required.is_some_and(|names| names.iter().any(|other| other == name));
    schema.get("additionalProperties") == Some(&Value::Bool(false))
        && schema
            .get("properties")
            .and_then(Value::as_object)
            .is_some_and(|properties| !properties.is_empty() && properties.keys().all(is_required))
}

/// One walk through a schema. Places are JSON pointers, `old` in the schema and
/// `new` in what becomes of it.
struct Widening {
    /// Where each schema within the schema stands now.
    places: BTreeMap<String, String>,
    strict: bool,
    /// It names places in a way that the walk does not follow.
    is_lost: bool,
}

impl Widening {
    /// A schema of a value that a reference may stand for.
    fn value<'s>(&mut self, source: &'s str, old: &str, new: &str) -> Node<'s> {
        let Some(members) = members(source) else {
            // `true` takes references already, and `false` forbids the field.
            return Node::Source(source);
        };
        let (notes, rules): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|(key, _)| ANNOTATIONS.contains(&&**key));
        let forms = self.forms(&rules);
        if rules.is_empty() || forms.is_empty() {
            return self.in_place(source, old, new, &[]);
        }
        let mut branches = match &rules[..] {
            [(key, text)] if is_choice(key, text) => {
                self.places.insert(old.to_owned(), new.to_owned());
                self.branches(text, &format!("{old}/{key}"), &format!("{new}/anyOf"))
            }
            _ => vec![self.in_place(source, old, &format!("{new}/anyOf/0"), &ANNOTATIONS)],
        };
        branches.extend(forms.into_iter().map(Node::Source));
        let notes = notes.into_iter().map(|(key, text)| (key, Node::Source(text)));
        let choice = (Cow::Borrowed("anyOf"), Node::Array(branches));
        Node::Object(notes.chain([choice]).collect())
    }

    /// The forms of a reference that these rules do not let pass themselves.
    fn forms(&self, rules: &[(Cow<'_, str>, &str)]) -> Vec<&'static str> {
        let types = rules.iter().find(|(key, _)| key == "type").map(|(_, text)| types(text));
        let may_be =
            |name: &str| types.as_ref().is_none_or(|types| types.iter().any(|other| other == name));
        let may_be_any = |name: &str| types.is_some() && may_be(name) && rules.len() == 1;
        let mut forms = Vec::new();
        if !may_be_any("string") {
            forms.push(if may_be("string") { WITHIN } else { WHOLE });
        }
        if !self.strict && !may_be_any("object") {
            forms.push(OBJECT);
        }
        forms
    }

    /// A schema that holds for the same value as the one it stands in: what is
    /// below is widened, the value itself is not.
    fn in_place<'s>(
        &mut self,
        source: &'s str,
        old: &str,
        new: &str,
        left_out: &[&str],
    ) -> Node<'s> {
        self.places.insert(old.to_owned(), new.to_owned());
        let Some(members) = members(source) else { return Node::Source(source) };
        let get = |name: &str| members.iter().find(|(key, _)| key == name).map(|&(_, text)| text);
        let is_kept_if = get("if").is_some_and(flat::is_flat);
        let has_any_of = get("anyOf").is_some();
        let mut kept = Vec::with_capacity(members.len());
        for (key, text) in &members {
            let (old, new) = (format!("{old}/{}", escaped(key)), format!("{new}/{}", escaped(key)));
            let node = match &**key {
                key if left_out.contains(&key) => continue,
                // The root's own name is of no use to a reference below that leads out.
                "$dynamicRef" | "$recursiveRef" => self.lost(text),
                "$id" if old.matches('/').count() > 1 => self.lost(text),
                "properties" | "patternProperties" => self.values_by_name(text, &old, &new),
                "additionalProperties" | "additionalItems" | "contains" => {
                    self.value(text, &old, &new)
                }
                "items" | "prefixItems" => match elements(text) {
                    Some(items) => Node::Array(self.list(&items, &old, &new, Self::value)),
                    None => self.value(text, &old, &new),
                },
                "$defs" | "definitions" | "dependentSchemas" | "dependencies" => {
                    self.in_place_by_name(text, &old, &new)
                }
                "allOf" | "anyOf" => Node::Array(self.branches(text, &old, &new)),
                // With references in them, several branches may fit.
                "oneOf" if !flat::are_flat(text) => {
                    if !has_any_of {
                        let new = format!("{}anyOf", new.trim_end_matches("oneOf"));
                        let branches = self.branches(text, &old, &new);
                        kept.push((Cow::Borrowed("anyOf"), Node::Array(branches)));
                    }
                    continue;
                }
                // What is below cannot be told from a reference, so that nothing
                // can be forbidden by it, or made to depend on it.
                "not" | "if" if !flat::is_flat(text) => continue,
                "then" | "else" if !is_kept_if => continue,
                "then" | "else" => self.in_place(text, &old, &new, &[]),
                "enum" | "const" if flat::has_containers(text) => continue,
                "unevaluatedProperties" | "unevaluatedItems" | "maxContains" => continue,
                "$ref" => Node::Reference(text),
                _ => Node::Source(text),
            };
            kept.push((key.clone(), node));
        }
        Node::Object(kept)
    }

    fn lost<'s>(&mut self, source: &'s str) -> Node<'s> {
        self.is_lost = true;
        Node::Source(source)
    }

    fn branches<'s>(&mut self, source: &'s str, old: &str, new: &str) -> Vec<Node<'s>> {
        let branches = elements(source).unwrap_or_default();
        self.list(&branches, old, new, |this, text, old, new| this.in_place(text, old, new, &[]))
    }

    fn list<'s>(
        &mut self,
        sources: &[&'s str],
        old: &str,
        new: &str,
        mut each: impl FnMut(&mut Self, &'s str, &str, &str) -> Node<'s>,
    ) -> Vec<Node<'s>> {
        let sources = sources.iter().enumerate();
        sources
            .map(|(n, text)| each(self, text, &format!("{old}/{n}"), &format!("{new}/{n}")))
            .collect()
    }

    fn values_by_name<'s>(&mut self, source: &'s str, old: &str, new: &str) -> Node<'s> {
        let members = members(source).unwrap_or_default().into_iter();
        let widened = members.map(|(name, text)| {
            let place = escaped(&name);
            let node = self.value(text, &format!("{old}/{place}"), &format!("{new}/{place}"));
            (name, node)
        });
        Node::Object(widened.collect())
    }

    fn in_place_by_name<'s>(&mut self, source: &'s str, old: &str, new: &str) -> Node<'s> {
        let members = members(source).unwrap_or_default().into_iter();
        let widened = members.map(|(name, text)| {
            let place = escaped(&name);
            let (old, new) = (format!("{old}/{place}"), format!("{new}/{place}"));
            // Draft-07's `dependencies` may list names instead.
            let node = match elements(text) {
                Some(_) => Node::Source(text),
                None => self.in_place(text, &old, &new, &[]),
            };
            (name, node)
        });
        Node::Object(widened.collect())
    }
}

/// Whether a value's only rule is a choice that the forms of a reference can join.
fn is_choice(key: &str, text: &str) -> bool {
    key == "anyOf" || (key == "oneOf" && !flat::are_flat(text))
}

/// The types that a `type` names.
fn types(source: &str) -> Vec<Cow<'_, str>> {
    match elements(source) {
        Some(names) => names.into_iter().filter_map(string).collect(),
        None => string(source).into_iter().collect(),
    }
}

/// A key as a token of a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
