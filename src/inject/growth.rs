//! Asks for what is to come into a pod, and keeps the record of what was there.

use super::{
    edit::Edit,
    record::Record,
    render::Value,
    tree::{Id, Tree},
};

/// Changes that add, asked for one after the other.
pub(super) struct Growth<'a, 't> {
    pub(super) tree: &'a Tree<'t>,
    /// What was asked for.
    pub(super) asked: Vec<(Id, Edit)>,
    /// What was there.
    pub(super) record: Record,
}

impl Growth<'_, '_> {
    /// Adds items to the list under a key, before the item of this number or after
    /// all. `place` is the key's name in the record.
    pub(super) fn list(
        &mut self,
        map: Id,
        key: &str,
        place: &str,
        before: Option<usize>,
        values: Vec<Value>,
    ) -> Result<(), String> {
        let tree = self.tree;
        let Some(found) = tree.get(map, key) else {
            return self.key(map, key, place, Value::List(values));
        };
        match tree.items(found) {
            Some([]) => self.fill(found, place, Value::List(values)),
            Some(_) => {
                self.asked.push((found, Edit::Items(before, values)));
                Ok(())
            }
            None if tree.is_null(found) => self.fill(found, place, Value::List(values)),
            None => Err(self.is_no(found, key, "list")),
        }
    }

    /// Adds entries to the mapping under a key.
    pub(super) fn entries(
        &mut self,
        map: Id,
        key: &str,
        place: &str,
        entries: Vec<(String, Value)>,
    ) -> Result<(), String> {
        let tree = self.tree;
        let Some(found) = tree.get(map, key) else {
            return self.key(map, key, place, Value::Map(entries));
        };
        match tree.entries(found) {
            Some([]) => self.fill(found, place, Value::Map(entries)),
            Some(_) => {
                let asked = entries.into_iter();
                let asked = asked.map(|(key, value)| (found, Edit::Key(key, value)));
                self.asked.extend(asked);
                Ok(())
            }
            None if tree.is_null(found) => self.fill(found, place, Value::Map(entries)),
            None => Err(self.is_no(found, key, "mapping")),
        }
    }

    /// Adds a key that is not there.
    fn key(&mut self, map: Id, key: &str, place: &str, value: Value) -> Result<(), String> {
        self.record.absent.push(place.to_owned());
        self.asked.push((map, Edit::Key(key.to_owned(), value)));
        Ok(())
    }

    /// Writes in the place of nothing.
    fn fill(&mut self, id: Id, place: &str, value: Value) -> Result<(), String> {
        let tree = self.tree;
        let node = tree.node(id);
        // What is between is told where it is not the usual space.
        let from = tree.value_from(id).filter(|from| {
            let between = tree.slice(*from, node.body.max(*from));
            node.parent.is_some_and(|parent| !tree.is_flow(parent))
                && between.trim().is_empty()
                && between != " "
        });
        let was = tree.slice(from.unwrap_or(node.body), node.end.max(node.body));
        self.record.was.insert(place.to_owned(), was.to_owned());
        self.asked.push((id, Edit::Fill(value)));
        Ok(())
    }

    fn is_no(&self, id: Id, key: &str, what: &str) -> String {
        let line = self.tree.line(self.tree.node(id).start);
        format!("`{key}` (line {line}) is no {what}")
    }
}
