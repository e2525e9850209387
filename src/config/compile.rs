//! From what the file declares to every part's settings: the checks that look
//! across settings, and the order in which defaults hold.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Config,
    declared::{
        Root,
        api::Api,
        bounds::{Bounds, Defaults},
        callers::Callers,
        listen::Listen,
        request::Request,
        sessions::Sessions,
        tool::{References, Tool},
    },
    file::{Decoder, Map, Placed, decode::Entry, object::listed, scalar::OneOf},
};
use crate::{
    backend::{
        http::{ApiSettings, HeaderName, RequestSettings},
        worker,
    },
    model::{ApiName, ApiOrdering, ToolName},
    registry::{self, nearest::nearest, offers},
    rpc, schedule,
};

mod after;
mod cache;
mod callers;
mod claims;
mod cost;
mod listen;
mod otel;
mod slots;
mod version;

/// Bytes of a message to a worker around the input of its attempt: names, and the
/// trace that it carries on.
const AROUND_INPUT_BYTES: usize = 16 << 10;

type Apis = Map<ApiName, Api>;
type Tools = Map<ToolName, Tool>;

/// What holds for all tools of an API, where they name nothing themselves.
#[derive(Clone, Copy)]
struct Shared {
    timeout: Option<Duration>,
    ordering: ApiOrdering,
}

/// Compiles what was declared. `None` where something in it was faulty; every
/// fault is reported.
pub(super) fn compile(root: Root, decoder: &mut Decoder<'_>) -> Option<Config> {
    let Root {
        listen,
        callers,
        apis,
        tools,
        defaults,
        bounds,
        sessions,
        workers,
        telemetry,
        drain,
    } = root;
    let is_read = apis.is_some();
    let (mut apis, tools) = (apis.unwrap_or_default(), tools.unwrap_or_default());
    check(is_read.then_some(&apis), &tools, decoder);
    let authenticated = check_callers(listen.as_ref(), callers.as_ref(), &tools, decoder);
    if !decoder.is_clean() {
        return None;
    }
    let (listen, defaults, telemetry) = (listen?.settings?, defaults?, telemetry?);
    let log = telemetry.log.clone();
    let workers = workers?;
    let (overload, bounds) = bounds.map(|bounds| (bounds.overload(), bounds))?;
    let mut bounds = scheduling(bounds, sessions?, &defaults, &apis, &tools);
    bounds.apis.push(workers.api);
    let shared = shared(&apis);
    let retries = apis
        .0
        .iter_mut()
        .filter_map(|entry| Some((entry.name.clone()?, entry.value.as_mut()?.retry.take()?.0)));
    let retries = retries.collect();
    let readers = version::readers(&tools);
    let tools = tools.0.into_iter().map(|entry| {
        let readers = readers.get(entry.name.as_ref()?).cloned().unwrap_or_default();
        let (settings, mut request) = tool(entry, &defaults, &shared)?;
        if let Some(version) = &mut request.version {
            version.readers = readers;
        }
        Some((settings, request))
    });
    let telemetry = otel::settings(telemetry, listen.is_scraped(), decoder);
    let secrets = telemetry.secrets.clone();
    let settings = |entry: &mut Entry<ApiName, Api>| {
        let settings = entry.value.as_mut()?.settings(entry.name.clone()?)?;
        Some(ApiSettings { secrets: secrets.clone(), ..settings })
    };
    Some(Config {
        listen: rpc::listen::Settings { authenticated, ..listen.listen },
        admin: listen.admin,
        callers: callers::settings(callers?)?,
        rpc: listen.rpc.clone(),
        apis: apis.0.iter_mut().map(settings).collect::<Option<_>>()?,
        tools: tools.collect::<Option<_>>()?,
        retries,
        bounds,
        overload,
        workers: worker::Settings {
            input_bytes_max: listen.rpc.message_bytes_max.get().saturating_sub(AROUND_INPUT_BYTES),
            ..workers.pool
        },
        offers: offers::Settings {
            timeout: defaults.timeout,
            shown_bytes_max: defaults.max_bytes.get().get(),
            ..workers.offers
        },
        log,
        telemetry,
        drain_timeout: drain?.timeout,
        warnings: super::Warnings::default(),
    })
}

/// Who may reach the server, and who may call. Gives whether callers must prove who
/// they are.
fn check_callers(
    listen: Option<&Listen>,
    callers: Option<&Option<Placed<Callers>>>,
    tools: &Tools,
    decoder: &mut Decoder<'_>,
) -> bool {
    // Of what is said wrongly, it is not said that it is missing.
    let authenticated = !matches!(callers, Some(None));
    let tcp = listen.and_then(|listen| listen.tcp.as_ref());
    if let Some(tcp) = tcp {
        listen::check(tcp, authenticated, decoder);
    }
    if let Some(Some(callers)) = callers {
        callers::check(callers, tools, decoder);
        if listen.is_some() {
            callers::check_ways(callers, tcp, decoder);
        }
    }
    authenticated
}

/// Looks across settings. Where `apis` could not be read, nothing is said of
/// names in it.
fn check(apis: Option<&Apis>, tools: &Tools, decoder: &mut Decoder<'_>) {
    for Entry { text, value, place, .. } in apis.iter().flat_map(|apis| &apis.0) {
        if *text == *ApiName::workers() {
            let what = format!("`{text}` is the API of the tools that workers offer");
            decoder.fault_at(place, what, "give this one another name");
        }
        if let Some(headers) = value.as_ref().and_then(|api| api.headers.as_ref()) {
            let names = headers.0.iter().filter_map(|entry| {
                Some(Placed { value: entry.name.clone()?, place: entry.place.clone() })
            });
            refuse_twice(&names.collect::<Vec<_>>(), decoder);
        }
    }
    for Entry { value, .. } in &tools.0 {
        let Some(tool) = value else { continue };
        let Some(request) = &tool.http else { continue };
        refuse_twice(&request.headers, decoder);
        version::check(request, decoder);
        if let Some(apis) = apis {
            check_api(apis, request, decoder);
        }
        if let Some(input) = &tool.input {
            slots::check(input, tool, request, decoder);
            claims::check(input, tool, decoder);
        }
    }
    after::check(tools, decoder);
    cache::check(tools, decoder);
    if let Some(apis) = apis {
        cost::check(apis, tools, decoder);
        warn(apis, tools, decoder);
    }
}

/// The API that a request goes to, and the header that is the API's own.
fn check_api(apis: &Apis, request: &Request, decoder: &mut Decoder<'_>) {
    let Some(Placed { value: name, place }) = &request.api else { return };
    let Some(entry) = apis.0.iter().find(|entry| entry.text == name.as_str()) else {
        let names = || apis.0.iter().map(|entry| entry.text.as_str());
        let fix = match nearest(name, names()).first() {
            Some(meant) => format!("write `{meant}`"),
            None if apis.0.is_empty() => format!("add `apis: {{{name}: {{url: https://…}}}}`"),
            None => format!("add it to `apis`, which has {}", listed(names(), "and")),
        };
        decoder.fault_at(place, format!("there is no API `{name}`"), fix);
        return;
    };
    let auth = entry.value.as_ref().and_then(|api| api.auth.as_ref()?.as_ref());
    let Some(auth) = auth else { return };
    let same = |header: &&Placed<HeaderName>| header.value == *auth.header_name();
    for Placed { value: header, place } in request.headers.iter().filter(same) {
        let what = format!("the header `{}` carries the credentials of `{name}`", header.as_str());
        decoder.fault_at(place, what, "leave it out: `auth` of the API sets it");
    }
}

/// Headers are the same whatever their case.
fn refuse_twice(headers: &[Placed<HeaderName>], decoder: &mut Decoder<'_>) {
    for (index, header) in headers.iter().enumerate() {
        if headers.iter().take(index).any(|other| other.value == header.value) {
            let what = format!("the header `{}` stands twice here", header.value.as_str());
            decoder.fault_at(
                &header.place,
                what,
                "keep one: the case of its letters does not matter",
            );
        }
    }
}

/// What is no fault, and most likely not meant.
fn warn(apis: &Apis, tools: &Tools, decoder: &mut Decoder<'_>) {
    let used: Vec<&str> = tools
        .0
        .iter()
        .filter_map(|entry| Some(entry.value.as_ref()?.http.as_ref()?.api.as_ref()?.value.as_str()))
        .collect();
    for Entry { text, place, .. } in &apis.0 {
        if !used.contains(&text.as_str()) {
            decoder.warn(place, "no tool uses this API", "leave it out, or name it in a tool");
        }
    }
}

fn shared(apis: &Apis) -> BTreeMap<ApiName, Shared> {
    let shared = |entry: &Entry<ApiName, Api>| {
        let api = entry.value.as_ref()?;
        let OneOf(ordering) = api.ordering?;
        Some((entry.name.clone()?, Shared { timeout: api.timeout?, ordering }))
    };
    apis.0.iter().filter_map(shared).collect()
}

fn scheduling(
    bounds: Bounds,
    Sessions(sessions): Sessions,
    defaults: &Defaults,
    apis: &Apis,
    tools: &Tools,
) -> schedule::Settings {
    let limits = |entry: &Entry<ApiName, Api>| entry.value.as_ref()?.limits(entry.name.clone()?);
    let concurrency = |entry: &Entry<ToolName, Tool>| {
        Some((entry.name.clone()?, entry.value.as_ref()?.concurrency??.0))
    };
    schedule::Settings {
        batches_max: bounds.batches.0,
        batch_calls_max: bounds.batch_calls.0,
        batch_bytes_max: bounds.batch_bytes.get(),
        session_calls_max: bounds.session_calls.0,
        calls_max: bounds.calls.0,
        batch_concurrency: bounds.batch_concurrency.0,
        session_concurrency: bounds.session_concurrency.0,
        concurrency: bounds.concurrency.0,
        batch_timeout: defaults.batch_timeout,
        sessions,
        apis: apis.0.iter().filter_map(limits).collect(),
        tools: tools.0.iter().filter_map(concurrency).collect(),
    }
}

fn tool(
    entry: Entry<ToolName, Tool>,
    defaults: &Defaults,
    shared: &BTreeMap<ApiName, Shared>,
) -> Option<(registry::tool::Settings, RequestSettings)> {
    let Tool {
        description,
        input,
        http,
        timeout,
        latency,
        concurrency: _,
        cost,
        effect,
        fallback,
        cache,
        after,
        reads,
        writes,
        references,
        max_bytes,
    } = entry.value?;
    let Request { api, settings, .. } = http?;
    let api = api?.value;
    let Shared { timeout: of_api, ordering } = *shared.get(&api)?;
    let timeout = timeout?.or(of_api).unwrap_or(defaults.timeout);
    let OneOf(references) = references?;
    let tool = registry::tool::Settings {
        description: description?.0,
        timeout,
        latency: latency?,
        cost: cost::tokens(cost?.as_ref()),
        after: after?.into_iter().map(|tool| tool.value).collect(),
        ordering,
        claims: claims::of(reads?, writes?),
        references: references == References::On,
        result_bytes_max: max_bytes?.unwrap_or(defaults.max_bytes).get().get(),
        fallback: fallback?,
        cache: cache?.map(|cache| cache.value.0),
        ..registry::tool::Settings::new(entry.name?, input?.schema?, api)
    };
    let mut settings = settings?;
    if let Some(OneOf(effect)) = effect? {
        settings.effect = effect;
    }
    Some((tool, settings))
}
