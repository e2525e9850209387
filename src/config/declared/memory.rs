//! `bounds.memory:`.

use serde_json::{Value as Schema, json};

use crate::{
    config::file::{
        Decoder, Fields, Node, Object, Setting, Shown,
        scalar::{Size, percent},
    },
    overload::memory::Settings,
};

/// Bytes of memory: less than the first is taken before anything is done.
type Bytes = Size<{ 8 << 20 }, { 1 << 40 }>;

/// When new turns are refused for want of memory.
#[derive(Debug)]
pub(crate) struct Memory(pub(crate) Settings);

impl Object for Memory {
    const WHAT: &'static str = "`bounds.memory`";
    const DOC: &'static str = "When new turns are refused for want of memory, before the kernel \
                               kills the process.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let limit = fields.optional::<Bytes>(
            "limit",
            "Bytes that the process itself may use, beside what its cgroup lets it have.",
        );
        let shed_at = fields.or(
            "shed_at",
            ShedAt(Settings::default().shed_at),
            "The part of the memory in use from which on new turns are refused while others are \
             open, such as `85%`; they are taken again once 5% less is in use.",
        );
        let limit = limit?.and_then(|limit| u64::try_from(limit.0).ok());
        let ShedAt(shed_at) = shed_at?;
        Some(Self(Settings { limit, shed_at }))
    }
}

/// `85%`.
#[derive(Clone, Copy, Debug)]
struct ShedAt(u32);

impl Setting for ShedAt {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        percent(node, decoder, "part of the memory", 10, "85%").map(Self)
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": "^0*([1-9][0-9]|100)%$", "examples": ["85%"]})
    }
}

impl Shown for ShedAt {
    fn shown(&self) -> Schema {
        json!(format!("{}%", self.0))
    }
}
