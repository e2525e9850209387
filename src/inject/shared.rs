//! Who else reads what is to be changed.
//!
//! An anchor's text is read wherever an alias repeats it. A change there is a
//! change for every reader, so it is made only where every reader asked for the
//! same one; it is then written once.

use std::collections::BTreeMap;

use super::{
    edit::{Edit, Edits},
    tree::{Id, Tree},
};

/// A change that a workload asks for, by the workload's number.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Who asks.
    pub(super) workload: usize,
    /// What is to change.
    pub(super) node: Id,
    /// How.
    pub(super) edit: Edit,
}

/// A change that was asked for, and by whom, once for each time.
struct Asked<'a> {
    edit: &'a Edit,
    workloads: Vec<usize>,
}

/// The changes that all of `requests` come to. Otherwise the workloads that ask
/// for one that others would see, and why it cannot be made.
pub(super) fn agreed(tree: &Tree<'_>, requests: &[Request]) -> Result<Edits, (Vec<usize>, String)> {
    let mut asked: BTreeMap<Id, Vec<Asked<'_>>> = BTreeMap::new();
    for request in requests {
        let of_node = asked.entry(request.node).or_default();
        match of_node.iter_mut().find(|asked| *asked.edit == request.edit) {
            Some(asked) => asked.workloads.push(request.workload),
            None => {
                let workloads = vec![request.workload];
                of_node.push(Asked { edit: &request.edit, workloads });
            }
        }
    }
    let mut readers = Readers { tree, counts: BTreeMap::new() };
    for (node, of_node) in &asked {
        for Asked { edit, workloads } in of_node {
            let count = match key_of(tree, *node, edit) {
                Some(key) if readers.are_apart(*node, key, &asked) => readers.of_value(*node),
                _ => readers.of(*node),
            };
            if workloads.len() as u64 != count {
                return Err((workloads.clone(), why(tree, *node)));
            }
        }
    }
    let mut edits = Edits::new();
    for (node, of_node) in asked {
        let of_node = of_node.into_iter().map(|asked| asked.edit.clone());
        edits.insert(node, together(of_node));
    }
    Ok(edits)
}

/// What is taken out of one node is taken out at once.
fn together(edits: impl Iterator<Item = Edit>) -> Vec<Edit> {
    let mut all = Vec::new();
    let mut gone = Vec::new();
    for edit in edits {
        match edit {
            Edit::Drop(places) => gone.extend(places),
            other => all.push(other),
        }
    }
    if !gone.is_empty() {
        all.push(Edit::Drop(gone));
    }
    all
}

/// The key that comes into a mapping or goes from it.
fn key_of<'a>(tree: &'a Tree<'_>, map: Id, edit: &'a Edit) -> Option<&'a str> {
    match edit {
        Edit::Key(key, _) => Some(key),
        Edit::Drop(gone) => match gone.as_slice() {
            [at] => tree.as_text(tree.entries(map)?.get(*at)?.key),
            _ => None,
        },
        _ => None,
    }
}

/// In how many places of a document a node is read, aliases followed.
struct Readers<'a, 't> {
    tree: &'a Tree<'t>,
    counts: BTreeMap<Id, u64>,
}

impl Readers<'_, '_> {
    fn of(&mut self, id: Id) -> u64 {
        if let Some(count) = self.counts.get(&id) {
            return *count;
        }
        let mut count = self.of_parent(id);
        // An alias stands after what it repeats, never inside: this comes to an end.
        for alias in self.tree.node(id).aliases.clone() {
            count = count.saturating_add(self.of_parent(alias));
        }
        self.counts.insert(id, count);
        count
    }

    fn of_parent(&mut self, id: Id) -> u64 {
        self.tree.node(id).parent.map_or(1, |parent| self.of(parent))
    }

    /// The same without the places that take it in by `<<`.
    fn of_value(&mut self, id: Id) -> u64 {
        let mut count = self.of_parent(id);
        for alias in self.tree.node(id).aliases.clone() {
            if self.merging(alias).is_none() {
                count = count.saturating_add(self.of_parent(alias));
            }
        }
        count
    }

    /// The mapping that takes an alias in by `<<`.
    fn merging(&self, alias: Id) -> Option<Id> {
        let tree = self.tree;
        let parent = tree.node(alias).parent?;
        let (value, map) = match tree.items(parent) {
            Some(_) => (parent, tree.node(parent).parent?),
            None => (alias, parent),
        };
        let mut entries = tree.entries(map)?.iter();
        entries.find(|entry| entry.value == value && tree.is_merge(entry.key)).map(|_| map)
    }

    /// Whether every mapping that takes this one in by `<<` has the key itself,
    /// or is to get it: then it does not see whether this one has it.
    fn are_apart(&self, map: Id, key: &str, asked: &BTreeMap<Id, Vec<Asked<'_>>>) -> bool {
        let mut merging = self.tree.node(map).aliases.iter().filter_map(|id| self.merging(*id));
        merging.all(|map| {
            let gets = asked.get(&map).into_iter().flatten();
            let mut gets = gets.filter_map(|asked| key_of(self.tree, map, asked.edit));
            self.tree.own(map, key).is_some() || gets.any(|gets| gets == key)
        })
    }
}

/// Which alias is in the way.
fn why(tree: &Tree<'_>, id: Id) -> String {
    let mut around = std::iter::successors(Some(id), |id| tree.node(*id).parent);
    let shared = around.find(|id| !tree.node(*id).aliases.is_empty()).unwrap_or(id);
    let node = tree.node(shared);
    let name = node.anchor.as_ref().map_or("&?", |(_, name)| name.as_str());
    let lines: Vec<String> =
        node.aliases.iter().map(|alias| tree.line(tree.node(*alias).start).to_string()).collect();
    format!(
        "what would change stands behind the anchor `{name}` (line {}), which is repeated on line {}, \
         where it must not change: write it out there",
        tree.line(node.start),
        lines.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inject::parse::parse;

    /// Asks for an item in the list under each of these keys' `list`; gives how many
    /// changes that comes to.
    fn changes(text: &str, keys: &[&str]) -> Result<usize, String> {
        let tree = parse(text).unwrap();
        let requests = keys.iter().enumerate().map(|(workload, key)| Request {
            workload,
            node: tree.at(tree.documents[0], &[key, "list"]).unwrap(),
            edit: Edit::Items(None, vec![1.into()]),
        });
        let edits = agreed(&tree, &requests.collect::<Vec<_>>()).map_err(|(_, why)| why)?;
        Ok(edits.values().map(Vec::len).sum())
    }

    /// The same with another key for each mapping.
    fn keys(text: &str, keys: &[&str]) -> Result<usize, String> {
        let tree = parse(text).unwrap();
        let requests = keys.iter().enumerate().map(|(workload, key)| Request {
            workload,
            node: tree.at(tree.documents[0], &[key]).unwrap(),
            edit: Edit::Key("new".to_owned(), 1.into()),
        });
        let edits = agreed(&tree, &requests.collect::<Vec<_>>()).map_err(|(_, why)| why)?;
        Ok(edits.values().map(Vec::len).sum())
    }

    const LISTS: &str = "a: {list: &l [1]}\nb: {list: *l}\nc: {list: [1]}\n";

    #[test]
    fn what_all_readers_ask_for_is_written_once() {
        assert_eq!(changes(LISTS, &["a", "b"]), Ok(1));
        assert_eq!(changes(LISTS, &["a", "b", "c"]), Ok(2));
        assert_eq!(changes(LISTS, &["c"]), Ok(1));
    }

    #[test]
    fn what_some_readers_do_not_ask_for_is_refused() {
        for keys in [&["a"][..], &["b"], &["a", "c"], &["a", "b", "b"]] {
            let why = changes(LISTS, keys).unwrap_err();
            assert!(why.contains("`&l` (line 1)") && why.contains("on line 2"), "{why}");
        }
        // An alias of what is around it counts as well, and so does `<<`.
        for text in ["a: &a {list: [1]}\nb: *a\n", "a: &a {list: [1]}\nb: {<<: *a, c: 1}\n"] {
            assert_eq!(changes(text, &["a", "b"]), Ok(1), "{text}");
            assert!(changes(text, &["a"]).is_err(), "{text}");
        }
        assert!(changes("a: &a {list: [1]}\nb: &b [*a, *a]\nc: *b\n", &["a"]).is_err());
    }

    #[test]
    fn a_key_may_come_where_those_that_merge_it_have_their_own() {
        let text = "a: &a {x: 1}\nb: {<<: *a, y: 1}\n";
        assert_eq!(keys(text, &["a", "b"]), Ok(2));
        assert_eq!(keys("a: &a {x: 1}\nb: {<<: [*a], new: 2}\n", &["a"]), Ok(1));
        assert!(keys(text, &["a"]).is_err());
        assert_eq!(keys(text, &["b"]), Ok(1));
        assert!(keys("a: &a {x: 1}\nb: {<<: *a, new: 1}\nc: *a\n", &["a"]).is_err());
    }
}
