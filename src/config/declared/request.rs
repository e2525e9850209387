//! `http:` of a tool.

use serde_json::{Value as Schema, json};

use super::{api::Headers, template::Template};
use crate::{
    backend::http::{
        Body, HeaderName, JsonTemplate, Method, PathTemplate, RequestSettings, Slot, TextTemplate,
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
        if let Some((method, _)) = &path {
            refuse_body(fields, *method);
        }
        let settings = || {
            let (method, path) = path?;
            let (query, headers) = (query??, headers??);
            let query = query.into_iter().map(|(Parameter(name), value)| (name, value)).collect();
            Some(RequestSettings {
                query,
                headers,
                body: body?,
                ..RequestSettings::new(method, path)
            })
        };
        Some(Self { api, settings: settings(), slots: slots.0, path_slots, headers: names })
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
