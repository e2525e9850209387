//! The published JSON Schema says what the decoder does.

use serde_json::{Map, Value, json};

use super::*;
use crate::config::file::{Decoder, Source, json as as_json, parse};

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::meta::validate(&schema()).unwrap();
    jsonschema::draft202012::options().build(&schema()).unwrap()
}

/// The JSON that a YAML text stands for.
fn value(text: &str) -> Value {
    let (source, environment) = (Source::new(text), environment());
    let mut decoder = Decoder::new(&source, &environment, PathBuf::new());
    let node = parse::parse(&mut decoder).unwrap();
    let text = as_json::text(&node, &mut decoder).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn it_takes_what_loads() {
    let validator = validator();
    for text in ["", FULL, "listen: {tcp: '[::1]:0'}", "listen: {unix: {mode: 0o640}}", "tools:"] {
        good(text);
        let errors: Vec<_> =
            validator.iter_errors(&value(text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{text}: {errors:#?}");
    }
}

/// What loads nowhere.
const REFUSED: &[&str] = &[
    "- a",
    "listen: unix",
    "listen: {unix: {path: ''}}",
    "listen: {unix: {mode: '0999'}}",
    "listen: {tcp: localhost}",
    "listen: {tcp: 7070}",
    "listen: {tcp: {tls: {certificate: a, key: b}}}",
    "listen: {tcp: {address: '127.0.0.1:1', tls: {certificate: a}}}",
    "listen: {tcp: {address: '127.0.0.1:1', tls: a.crt}}",
    "listen: {tcp: {address: '127.0.0.1:1', exposed: true}}",
    "listen: {tcp: {address: '127.0.0.1:1', exposed: 'yes'}}",
    "listen: {admin: '9464'}",
    "listen: {admin: {metrics: off}}",
    "listen: {admin: {address: '9464'}}",
    "listen: {admin: {address: '0.0.0.0:9464', metrics: false}}",
    "listen: {admin: {address: '0.0.0.0:9464', metric: off}}",
    "listen: {admin: '0.0.0.0:9464', admin_hosts: ['http://a']}",
    "listen: {admin: '0.0.0.0:9464', admin_hosts: a}",
    "listen: {message_bytes: 1000}",
    "listen: {message_bytes: 10 MB}",
    "listen: {streams: 0}",
    "listen: {connections: 0}",
    "apis: {crm: {}}",
    "apis: {crm: https://crm}",
    "apis: {c.r.m: {url: 'https://a'}}",
    "apis: {crm: {url: 'ftp://a'}}",
    "apis: {crm: {url: 'https://u:p@a'}}",
    "apis: {crm: {url: 'https://a?b'}}",
    "apis: {crm: {url: 'https://a', auth: {}}}",
    "apis: {crm: {url: 'https://a', auth: {bearer: text}}}",
    "apis: {crm: {url: 'https://a', auth: {bearer: {}}}}",
    "apis: {crm: {url: 'https://a', auth: {bearer: {env: CRM_TOKEN, file: token}}}}",
    "apis: {crm: {url: 'https://a', auth: {basic: {user: a}}}}",
    "apis: {crm: {url: 'https://a', headers: {'X Y': z}}}",
    "apis: {crm: {url: 'https://a', timeout: 30}}",
    "apis: {crm: {url: 'https://a', timeout: 0s}}",
    "apis: {crm: {url: 'https://a', concurrency: 0}}",
    "tools: {a: {http: {api: crm, get: /}}}",
    "tools: {a: {description: A.}}",
    "tools: {a: {description: '', http: {api: crm, get: /}}}",
    "tools: {a: {description: A., http: {api: crm}}}",
    "tools: {a: {description: A., http: {get: /}}}",
    "tools: {a: {description: A., http: {api: crm, get: a}}}",
    "tools: {a: {description: A., http: {api: crm, get: /, put: /}}}",
    "tools: {a: {description: A., http: {api: crm, put: /, json: 1, text: x}}}",
    "tools: {a: {description: A., http: {api: crm, put: /, version: etag}}}",
    "tools: {a: {description: A., http: {api: crm, put: /, version: '{a}{b}'}}}",
    "tools: {a: {description: A., http: {api: crm, get: /, result_headers: [ETag]}}}",
    "tools: {a: {description: A., http: {api: crm, get: /, result_headers: {etag: 'E Tag'}}}}",
    "tools: {a: {description: A., input: {}, http: {api: crm, get: /}}}",
    "tools: {a: {description: A., input: {type: string}, http: {api: crm, get: /}}}",
    "tools: {a: {description: A., after: b, http: {api: crm, get: /}}}",
    "tools: {a: {description: A., references: false, http: {api: crm, get: /}}}",
    "tools: {a: {description: A., max_bytes: 255, http: {api: crm, get: /}}}",
    "tools: {a: {description: A., reads: all, http: {api: crm, get: /}}}",
    "tools: {a: {description: A., reads: [''], http: {api: crm, get: /}}}",
    "tools: {a: {description: A., writes: ['a b'], http: {api: crm, get: /}}}",
    "telemetry: {log: {format: jsn}}",
    "telemetry: {otlp: {endpoint: 'collector:4317'}}",
    "telemetry: {otlp: {endpoint: 'http://a:4317/v1/traces'}}",
    "telemetry: {otlp: {queue: 0}}",
    "telemetry: {otlp: {headers: {Authorization: text}}}",
    "telemetry: {otlp: {headers: {'X Y': {env: CRM_TOKEN}}}}",
    "telemetry: {sampling: 1.5}",
    "telemetry: {capture: on}",
    "telemetry: {capture: {inputs: all}}",
    "telemetry: {capture: {bytes: 63}}",
    "telemetry: {capture: {bytes: 65537}}",
    "telemetry: {capture: {redact: password}}",
    "telemetry: {capture: {redact: ['--']}}",
    "telemetry: {sampling: '0.5'}",
    "apis: {crm: {url: 'https://crm', rate: 10}}",
    "apis: {crm: {url: 'https://crm', rate: 10/m}}",
    "apis: {crm: {url: 'https://crm', rate: [10/s, 0/s]}}",
    "apis: {crm: {url: 'https://crm', queue: 0}}",
    "apis: {crm: {url: 'https://crm', ordering: reads}}",
    "apis: {crm: {url: 'https://crm', retry: {attempts: 0}}}",
    "apis: {crm: {url: 'https://crm', retry: {budget: 101}}}",
    "apis: {crm: {url: 'https://crm', retry: never}}",
    "apis: {crm: {url: 'https://crm', rate: 10/s per user}}",
    "apis: {crm: {url: 'https://crm', pause_max: 60}}",
    "apis: {crm: {url: 'https://crm', breaker: on}}",
    "apis: {crm: {url: 'https://crm', breaker: [off]}}",
    "apis: {crm: {url: 'https://crm', breaker: {failures: 0}}}",
    "apis: {crm: {url: 'https://crm', breaker: {rate: 50}}}",
    "apis: {crm: {url: 'https://crm', breaker: {rate: 101%}}}",
    "apis: {crm: {url: 'https://crm', breaker: {rate: 0%}}}",
    "tools: {a: {description: A., cache: 30s, http: {api: crm, get: /}}}",
    "tools: {a: {description: A., cache: {entries: 1}, http: {api: crm, get: /}}}",
    "tools: {a: {description: A., cache: {ttl: 30}, http: {api: crm, get: /}}}",
    "tools: {a: {description: A., cache: {ttl: 1s, entries: 0}, http: {api: crm, get: /}}}",
    "tools: {a: {description: A., cache: {ttl: 1s, bytes: 1000}, http: {api: crm, get: /}}}",
    "tools: {a: {description: A., effect: exactly_once, http: {api: crm, get: /}}}",
    "bounds: {threads: 0}",
    "bounds: {memory: {shed_at: 85}}",
    "bounds: {memory: {shed_at: 9%}}",
    "bounds: {memory: {limit: 1000}}",
    "bounds: {memory: 64 MiB}",
    "sessions: {calls: 0}",
    "sessions: {cost: 1.5}",
    "sessions: {repeat: 100}",
    "sessions: {repeat: on}",
    "sessions: {repeat: {calls: 10001}}",
    "sessions: {repeat: {within: 10}}",
    "sessions: {idle: never}",
    "workers: {heartbeat: 5}",
    "workers: {total: 0}",
    "workers: {result_bytes: 10}",
    "workers: {retry: 3}",
    "bounds: {calls: -1}",
    "bounds: {calls: '1'}",
    "drain: 20s",
    "callers:",
    "callers: {}",
    "callers: {allowed: [planner]}",
    "callers: {allowed: {'a b': {unix: {uids: [1]}}}}",
    "callers: {allowed: {a: {unix: {uids: [-1]}}}}",
    "callers: {allowed: {a: {unix: {uids: ['1']}}}}",
    "callers: {allowed: {a: {unix: {uids: 1}}}}",
    "callers: {allowed: {a: {unix: {gids: [4294967295]}}}}",
    "callers: {allowed: {a: {certificate: {}}}}",
    "callers: {allowed: {a: {certificate: {names: ['*.svc']}}}}",
    "callers: {allowed: {a: {token: text}}}",
    "callers: {allowed: {a: {token: {}}}}",
    "callers: {allowed: {a: {token: {sha256: abc}}}}",
    "callers: {allowed: {a: {token: {env: CRM_TOKEN, file: token}}}}",
    "callers: {allowed: {a: {subject: ''}}}",
    "callers: {allowed: {a: {tools: crm_*}}}",
    "callers: {allowed: {a: {tools: [crm.get]}}}",
    "callers: {allowed: {a: {tenant: a/b}}}",
    "callers: {allowed: {a: {limits: {concurrency: 0}}}}",
    "callers: {allowed: {a: {limits: {workers: 1.5}}}}",
    "callers: {allowed: {local: {unix: {uids: [1]}}}}",
    "callers: {allowed: {a: {admin: true}}}",
    "callers: {jwt: {jwks: jwks.json}, allowed: {a: {subject: a}}}",
];

#[test]
fn it_refuses_what_does_not_load() {
    let validator = validator();
    for text in REFUSED {
        bad(text);
        assert!(!validator.is_valid(&value(text)), "{text}");
    }
}

/// A key that nobody knows, put into each object of a file in turn, is refused
/// by both.
#[test]
fn unknown_keys_are_refused_everywhere() {
    let validator = validator();
    let mut objects = Vec::new();
    objects_of(&schema(), &value(FULL), String::new(), &mut objects);
    assert!(objects.len() > 30, "{objects:?}");
    for pointer in objects {
        let mut with_more = value(FULL);
        let object = with_more.pointer_mut(&pointer).and_then(Value::as_object_mut).unwrap();
        object.insert("zz".to_owned(), json!(1));
        assert!(!validator.is_valid(&with_more), "{pointer}");
        let faults = bad(&with_more.to_string());
        assert!(faults.contains("has no key `zz`"), "{pointer}: {faults}");
    }
}

/// The objects of `value` whose keys the schema fixes, as JSON pointers.
fn objects_of(schema: &Value, value: &Value, pointer: String, found: &mut Vec<String>) {
    let Some(members) = value.as_object() else { return };
    let fixed = schema.get("properties").and_then(Value::as_object);
    let is_fixed = schema.get("additionalProperties") == Some(&json!(false));
    for (key, value) in members {
        let within = match fixed {
            Some(properties) => properties.get(key),
            None => schema.get("additionalProperties"),
        };
        if let Some(schema) = within {
            objects_of(schema, value, format!("{pointer}/{key}"), found);
        }
    }
    if is_fixed {
        found.push(pointer);
    }
}

/// Every key that the schema publishes: `apis.*.url`.
pub(super) fn keys() -> Vec<String> {
    let mut keys = Vec::new();
    keys_of(&schema(), "", &mut keys);
    keys
}

fn keys_of(schema: &Value, path: &str, keys: &mut Vec<String>) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let fixed = schema.get("properties").and_then(Value::as_object);
    let is_closed = schema.get("additionalProperties") == Some(&json!(false));
    match (fixed, schema.get("additionalProperties")) {
        (Some(properties), _) if is_closed => {
            properties.iter().for_each(|(key, schema)| keys_of(schema, &join(key), keys));
        }
        (None, Some(schema)) if schema.get("properties").is_some() => {
            keys_of(schema, &join("*"), keys);
        }
        _ => keys.push(path.to_owned()),
    }
}

#[test]
fn every_key_has_a_sentence() {
    fn look(name: &str, schema: &Map<String, Value>) {
        for (key, property) in
            schema.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let property = property.as_object().unwrap();
            if name.ends_with("input") {
                continue;
            }
            let sentence = property.get("description").and_then(Value::as_str).unwrap_or_default();
            assert!(sentence.ends_with('.') && sentence.len() > 10, "{name}.{key}: {sentence:?}");
            assert!(!sentence.contains("  "), "{name}.{key}: {sentence:?}");
            look(&format!("{name}.{key}"), property);
            if let Some(Value::Object(more)) = property.get("additionalProperties") {
                look(&format!("{name}.{key}.*"), more);
            }
        }
    }
    look("", schema().as_object().unwrap());
}

/// What the schema calls a default is what the decoder takes for it.
#[test]
fn writing_a_default_changes_nothing() {
    fn look(schema: &Value, path: &[&str], found: &mut usize) {
        for (key, property) in
            schema.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let path: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
            if let Some(default) = property.get("default") {
                let file =
                    path.iter().rev().fold(default.clone(), |value, key| json!({*key: value}));
                let settings = |text: &str| Config { warnings: Warnings::default(), ..good(text) };
                let (with, without) = (settings(&file.to_string()), settings(""));
                assert_eq!(format!("{with:?}"), format!("{without:?}"), "{file}");
                *found += 1;
            }
            look(property, &path, found);
        }
    }
    let mut found = 0;
    look(&schema(), &[], &mut found);
    assert!(found > 15, "{found}");
}
