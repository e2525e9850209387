//! `http:` of a tool.

use serde_json::{Value as Schema, json};

use super::{
    api::Headers,
    template::{Template, accepted},
};
use crate::{
    backend::http::{
        Body, HeaderName, JsonTemplate, Method, PathTemplate, RequestSettings, Slot, TextTemplate,
        Version,
    },
    config::file::{Decoder, Fields, Map, Node, Object, Placed, Setting, decode::Name},
    model::ApiName,
};

/// How a tool's request is made.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) api: Option<Placed<ApiName>>,
    /// `None` where a part of it was faulty.
    pub(crate) settings: Option<RequestSettings>,
    /// Every slot that could be read.
    pub(crate) slots: Vec<Placed<Slot>>,
    /// Those of the path: what they name must be there.
    pub(crate) path_slots: Vec<Placed<Slot>>,
    /// That of the version: without it a change is made to whatever is there.
    pub(crate) version_slot: Option<Placed<Slot>>,
    /// The headers that it sets.
    pub(crate) headers: Vec<Placed<HeaderName>>,
}

/// Parameters of a query or a form, by name.
type Parameters = Map<Parameter, Template<TextTemplate>>;

const METHODS: [&str; 6] = ["get", "head", "post", "put", "patch", "delete"];
const BODIES: [&str; 3] = ["json", "form", "text"];
const PATH: &str = "The path below the API's URL. A slot is one segment or a part of one.";

impl Object for Request {
    const WHAT: &'static str = "`http`";
    const DOC: &'static str = "The request that is made of the tool's input. A slot, `{field}` or \
                               `{field.nested}`, takes a field of the input; `{{` and `}}` are \
                               literal braces.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let api = fields.required("api", "The API's name under `apis`.");
        let mut line = Method::ALL.map(|(key, method)| {
            let path = fields.optional::<Template<PathTemplate>>(key, PATH);
            (key, method, path)
        });
        fields.alternatives(&METHODS, true);
        let found = line.iter_mut().find(|(key, ..)| fields.key(key).is_some());
        let line = found.and_then(|(_, method, path)| Some((*method, path.take()??)));
        let mut slots = Slots::default();
        let path = line.map(|(method, path)| (method, slots.take(path)));
        let path_slots = slots.0.clone();
        let query = fields.optional::<Parameters>(
            "query",
            "Parameters of the query. One whose slot has no value is left out; a list gives its \
             parameter once for each element.",
        );
        let query = query.map(|query| slots.take_all(query.unwrap_or_default()));
        let headers = fields.optional::<Headers<Template<TextTemplate>>>(
            "headers",
            "Headers of the request. One whose slot has no value is left out.",
        );
        let headers = headers.map(Option::unwrap_or_default);
        let names = headers.as_ref().map(placed_names).unwrap_or_default();
        let headers = headers.map(|headers| slots.take_all(headers));
        let body = body(fields, &mut slots);
        let version = fields.optional::<VersionSlot>(
            "version",
            "The field of the input that carries the version which is to be changed, `{etag}`. It \
             is sent as `If-Match`, unless another slot of the request takes the field.",
        );
        let version = version.map(|version| version.map(|version| slots.take(version.0)));
        let result_headers = fields
            .optional::<Map<Parameter, ResultHeader>>(
                "result_headers",
                "Headers of the answer that belong to the result, each with its name there: \
                 `{etag: ETag}`.",
            )
            .map(Option::unwrap_or_default);
        if let Some((method, _)) = &path {
            refuse_body(fields, *method);
            refuse_version(fields, *method);
        }
        let version_slot = version
            .clone()
            .flatten()
            .and_then(|version| slots.0.iter().rfind(|placed| placed.value == version).cloned());
        let settings = || {
            let (method, path) = path?;
            let (query, headers) = (query??, headers??);
            let query = query.into_iter().map(|(Parameter(name), value)| (name, value)).collect();
            // Who reads that version is known when all tools are.
            let version = version?.map(|slot| Version { slot, readers: Vec::new() });
            let result_headers = result_headers?
                .0
                .into_iter()
                .map(|entry| Some((entry.name?.0, entry.value?.0)))
                .collect::<Option<_>>()?;
            Some(RequestSettings {
                query,
                headers,
                body: body?,
                version,
                result_headers,
                ..RequestSettings::new(method, path)
            })
        };
        let settings = settings();
        Some(Self { api, settings, slots: slots.0, path_slots, version_slot, headers: names })
    }
}

/// `Some(None)` where there is no body.
fn body(fields: &mut Fields<'_, '_>, slots: &mut Slots) -> Option<Option<Body>> {
    let json = fields.optional::<Template<JsonTemplate>>(
        "json",
        "A JSON body: any value. A string that is exactly one slot becomes the field's own JSON, \
         with its type; a member whose slot has no value is left out.",
    );
    let form = fields.optional::<Parameters>(
        "form",
        "A body of `application/x-www-form-urlencoded`, with the rules of `query`.",
    );
    let text = fields.optional::<Template<TextTemplate>>("text", "A body of `text/plain`.");
    fields.alternatives(&BODIES, false);
    let json = json.map(|json| json.map(|json| Body::Json(slots.take(json))));
    let form = form.map(|form| form.map(|form| slots.take_all(form)));
    let text = text.map(|text| text.map(|text| Body::Text(slots.take(text))));
    let form = match form? {
        Some(form) => {
            let form = form?.into_iter().map(|(Parameter(name), value)| (name, value));
            Some(Body::Form(form.collect()))
        }
        None => None,
    };
    Some(json?.or(form).or(text?))
}

fn refuse_body(fields: &mut Fields<'_, '_>, method: Method) {
    if method.takes_body() {
        return;
    }
    for key in BODIES {
        let Some(span) = fields.key(key) else { continue };
        if let Some(decoder) = fields.decoder() {
            let what = format!("`{key}` is a body, and a GET or HEAD request has none");
            decoder.fault(span, what, "write `query:`, or `post:` for the path");
        }
    }
}

fn refuse_version(fields: &mut Fields<'_, '_>, method: Method) {
    if method.takes_body() {
        return;
    }
    let Some(span) = fields.key("version") else { return };
    if let Some(decoder) = fields.decoder() {
        let what = "a GET or HEAD request changes no version";
        let fix = "leave it out; to see the version that is there, write \
                   `result_headers: {etag: ETag}`";
        decoder.fault(span, what, fix);
    }
}

/// A text that is one slot and nothing else.
struct VersionSlot(Template<Slot>);

impl Setting for VersionSlot {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let Template { template, slots } = Template::<TextTemplate>::decode(node, decoder)?;
        match template.only_slot() {
            Some(slot) => Some(Self(Template { template: slot.clone(), slots })),
            None => {
                let fix = "write the field that carries it and nothing else, as in `\"{etag}\"`";
                decoder.fault(node.span, "a version is one slot", fix);
                None
            }
        }
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": r"^\{[^{}]+\}$", "examples": ["{etag}"]})
    }
}

/// A header of an answer that the model may see.
#[derive(Debug)]
struct ResultHeader(HeaderName);

impl Setting for ResultHeader {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = String::decode(node, decoder)?;
        let header = accepted(HeaderName::try_new(&text), node.span, &text, decoder)?;
        if header.as_str() == "set-cookie" {
            let what = "`Set-Cookie` holds credentials, which no model sees";
            decoder.fault(node.span, what, "leave it out");
            return None;
        }
        Some(Self(header))
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "examples": ["ETag"]})
    }
}

fn placed_names<V>(headers: &Headers<V>) -> Vec<Placed<HeaderName>> {
    let placed = |entry: &crate::config::file::decode::Entry<HeaderName, V>| {
        Some(Placed { value: entry.name.clone()?, place: entry.place.clone() })
    };
    headers.0.iter().filter_map(placed).collect()
}

/// The slots seen so far.
#[derive(Default)]
struct Slots(Vec<Placed<Slot>>);

impl Slots {
    fn take<T>(&mut self, Template { template, slots }: Template<T>) -> T {
        self.0.extend(slots);
        template
    }

    /// The pairs; `None` where one was faulty. The slots of all others are taken.
    fn take_all<K, T>(&mut self, map: Map<K, Template<T>>) -> Option<Vec<(K, T)>> {
        let pairs: Vec<_> = map
            .0
            .into_iter()
            .map(|entry| {
                let value = entry.value.map(|value| self.take(value));
                Some((entry.name?, value?))
            })
            .collect();
        pairs.into_iter().collect()
    }
}

/// The name of a parameter.
#[derive(Debug)]
pub(crate) struct Parameter(String);

impl Name for Parameter {
    fn read(text: &str) -> Result<Self, (usize, String, String)> {
        match text {
            "" => Err((0, "the parameter has no name".to_owned(), "write its name".to_owned())),
            _ => Ok(Self(text.to_owned())),
        }
    }

    fn schema() -> Schema {
        json!({"minLength": 1})
    }
}

impl Setting for ApiName {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        super::tool::name(node, decoder)
    }

    fn schema() -> Schema {
        json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"})
    }
}
