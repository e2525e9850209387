//! Only what changes nothing may be answered from memory.

use super::Tools;
use crate::{
    config::file::{Decoder, scalar::OneOf},
    model::Effect,
};

/// Refuses a cache of a tool that may change something.
pub(super) fn check(tools: &Tools, decoder: &mut Decoder<'_>) {
    for tool in tools.0.iter().filter_map(|entry| entry.value.as_ref()) {
        // Of an effect that could not be read nothing more is said.
        let (Some(Some(cache)), Some(declared)) = (&tool.cache, &tool.effect) else { continue };
        let by_method =
            || tool.http.as_ref().and_then(|request| Some(request.settings.as_ref()?.effect));
        let effect = declared.as_ref().map(|OneOf(effect)| *effect).or_else(by_method);
        let Some(effect) = effect.filter(|effect| *effect != Effect::ReadOnly) else { continue };
        let what = format!(
            "only what a `read_only` tool answers may be taken again, and this one is `{}`",
            effect.as_str()
        );
        let fix = "leave it out, or write `effect: read_only` where the call changes nothing";
        decoder.fault_at(&cache.place, what, fix);
    }
}
