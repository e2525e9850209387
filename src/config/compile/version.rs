//! `version:` of tools: who carries it, and who reads it.

use std::collections::BTreeMap;

use super::Tools;
use crate::{
    backend::http::Method,
    config::{
        declared::request::Request,
        file::{Decoder, Placed},
    },
    model::ToolName,
};

/// Refuses a header that `version` sends.
pub(super) fn check(request: &Request, decoder: &mut Decoder<'_>) {
    if request.version_slot.is_none() {
        return;
    }
    for Placed { value: header, place } in &request.headers {
        if header.as_str() == "if-match" {
            let what = "the header `if-match` stands beside `version`, which sends it";
            decoder.fault_at(place, what, "leave the header out, or the version");
        }
    }
}

/// The tools that read what each tool with a version changes: those that get the
/// same path of the same API.
pub(super) fn readers(tools: &Tools) -> BTreeMap<ToolName, Vec<ToolName>> {
    let requests = || {
        tools.0.iter().filter_map(|entry| {
            let request = entry.value.as_ref()?.http.as_ref()?;
            Some((entry.name.as_ref()?, &request.api.as_ref()?.value, request.settings.as_ref()?))
        })
    };
    let versioned = requests().filter(|(.., settings)| settings.version.is_some());
    versioned
        .map(|(name, api, changes)| {
            let reads = requests().filter(|(_, other, settings)| {
                *other == api
                    && settings.method == Method::Get
                    && settings.path.is_alike(&changes.path)
            });
            (name.clone(), reads.map(|(reader, ..)| reader.clone()).collect())
        })
        .collect()
}
