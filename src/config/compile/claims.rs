//! `reads:` and `writes:` of tools: slots that the input has, and each key once.

use super::slots::{self, Found};
use crate::{
    config::{
        declared::{
            claim::{Key, Resources},
            tool::{Input, Tool},
        },
        file::{Decoder, Placed, scalar::OneOf},
    },
    locks::Claims,
    model::Effect,
};

/// Reports slots that no property declares, keys that stand there twice, and a
/// tool that writes and would change nothing; warns of keys that hang on an
/// optional property.
pub(super) fn check(input: &Input, tool: &Tool, decoder: &mut Decoder<'_>) {
    let schema = input.source.value();
    let (Some(reads), Some(writes)) = (&tool.reads, &tool.writes) else { return };
    for key in reads.iter().chain(writes) {
        slots::refuse_undeclared(schema, &key.value.slots, decoder);
        for Placed { value: slot, place } in &key.value.slots {
            if matches!(slots::find(schema, slot), Found::Property { is_required: false }) {
                let what = format!("the key needs `{slot}`, which `input` does not require");
                let fix = format!(
                    "add `{slot}` to the `required` of `input`: all calls without it share one key"
                );
                decoder.warn(place, what, fix);
            }
        }
    }
    for keys in [reads, writes] {
        for (index, key) in keys.iter().enumerate() {
            if has(&keys[..index], key) {
                let what = format!("the key `{}` stands twice here", key.value.template);
                decoder.fault_at(&key.place, what, "keep one of them");
            }
        }
    }
    for key in reads.iter().filter(|key| has(writes, key)) {
        let what = format!("the key `{}` is in `writes`, too", key.value.template);
        decoder.fault_at(&key.place, what, "leave it out here: what a call writes it may read");
    }
    if let (Some(Some(OneOf(Effect::ReadOnly))), Some(key)) = (&tool.effect, writes.first()) {
        let what = "a tool that writes is not `read_only`, as `effect` has it";
        let fix = "move what it only reads to `reads`, or write the `effect` that running it \
                   twice has: `keyed`, `at_most_once` or `at_least_once`";
        decoder.fault_at(&key.place, what, fix);
    }
}

fn has(keys: &[Key], key: &Key) -> bool {
    keys.iter().any(|other| other.value.template == key.value.template)
}

/// What a tool's calls claim.
pub(super) fn of(reads: Resources, writes: Resources) -> Claims {
    let patterns = |keys: Resources| keys.into_iter().map(|key| key.value.template).collect();
    Claims::new(patterns(reads), patterns(writes))
}
