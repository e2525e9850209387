//! Configurations that many tests share.

/// One API at the peer, and a tool for each thing that a test wants of it.
pub(crate) const BASE: &str = r#"
apis:
  crm: {url: "{peer}"}
tools:
  read:
    description: Reads a record.
    input: {type: object, properties: {id: {type: [string, integer]}}, required: [id]}
    http: {api: crm, get: "/read/{id}"}
  write:
    description: Writes a record.
    input: {type: object, properties: {id: {type: string}, value: {}}, required: [id]}
    http: {api: crm, post: "/write/{id}", json: "{value}"}
  echo:
    description: Sends what it is given.
    input: {type: object, properties: {a: {}, b: {}, c: {}}}
    http: {api: crm, post: "/echo", json: {a: "{a}", b: "{b}", c: "{c}"}}
"#;

/// [`BASE`] with more sections.
pub(crate) fn base_with(sections: &str) -> String {
    format!("{BASE}{sections}")
}

/// [`BASE`] with other settings of its API.
pub(crate) fn base_with_api(settings: &str) -> String {
    BASE.replace("url: \"{peer}\"", &format!("url: \"{{peer}}\", {settings}"))
}
