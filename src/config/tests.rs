//! The configuration as a stranger writes it.

use std::{collections::BTreeMap, io, path::Path};

use super::{
    env::{Environment, Variable},
    *,
};

mod callers;
mod effect;
mod otel;
mod random;
mod schema;

/// Every key, set to something.
const FULL: &str = include_str!("tests/full.yaml");

/// An environment of the test's own.
#[derive(Default)]
struct Fixed {
    variables: BTreeMap<&'static str, &'static str>,
    files: BTreeMap<&'static str, &'static [u8]>,
}

impl Environment for Fixed {
    fn variable(&self, name: &str) -> Variable {
        match self.variables.get(name) {
            Some(&"not unicode") => Variable::NotUnicode,
            Some(value) => Variable::Set((*value).to_owned()),
            None => Variable::Missing,
        }
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let found = path.to_str().and_then(|path| self.files.get(path));
        found.map(|bytes| bytes.to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Looks like a certificate, which is all that is looked at when it is read.
const AUTHORITY: &[u8] = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

/// The keys of an issuer of tokens: RFC 8037's example.
const JWKS: &[u8] = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
/// With one that is no public key.
const SECRET_JWKS: &[u8] = br#"{"keys":[{"kty":"oct","k":"canary"}]}"#;

fn environment() -> Fixed {
    Fixed {
        variables: BTreeMap::from([
            ("CRM_TOKEN", "canary-token"),
            ("CALLER_TOKEN", "canary-0123456789abcdef"),
            ("EMPTY", " "),
            ("LINES", "a\nb"),
            ("BYTES", "not unicode"),
        ]),
        files: BTreeMap::from([
            ("token", b"canary-file\r\n".as_slice()),
            ("/absolute", b" canary absolute \n"),
            ("caller-token", b"canary-fedcba9876543210\n"),
            ("empty", b"\n"),
            ("bytes", b"\xff\xfe"),
            ("ca.pem", b"no certificate"),
            ("authority.pem", AUTHORITY),
            ("jwks.json", JWKS),
            ("secret-jwks.json", SECRET_JWKS),
        ]),
    }
}

fn good(text: &str) -> Config {
    read("x.yaml", text, &environment()).unwrap_or_else(|faults| panic!("{faults}"))
}

fn bad(text: &str) -> String {
    match read("x.yaml", text, &environment()) {
        Ok(config) => panic!("this loads: {text}\n{config:#?}"),
        Err(faults) => faults.to_string(),
    }
}

#[test]
fn a_file_that_says_nothing_has_every_default() {
    let config = good("");
    assert_eq!(config.listen, rpc::listen::Settings::default());
    assert_eq!(config.rpc, rpc::Settings::default());
    assert_eq!(config.drain_timeout, Duration::from_secs(25));
    assert_eq!(config.bounds.batch_timeout, Duration::from_secs(600));
    assert!(config.apis.is_empty() && config.tools.is_empty());
}

#[test]
fn an_unknown_key_fails_the_load_with_the_nearest_one() {
    let faults = bad("tolls: {}");
    assert!(faults.contains("x.yaml:1:1: tolls: the file has no key `tolls`"), "{faults}");
    assert!(faults.contains("write `tools`"), "{faults}");
}

/// The whole message of each file, as its writer sees it.
#[test]
fn every_fault_of_a_file_is_told_at_once() {
    let files = [
        ("listen", include_str!("tests/faulty/listen.yaml")),
        ("sockets", include_str!("tests/faulty/sockets.yaml")),
        ("callers", include_str!("tests/faulty/callers.yaml")),
        ("recognised", include_str!("tests/faulty/recognised.yaml")),
        ("apis", include_str!("tests/faulty/apis.yaml")),
        ("secrets", include_str!("tests/faulty/secrets.yaml")),
        ("tools", include_str!("tests/faulty/tools.yaml")),
        ("requests", include_str!("tests/faulty/requests.yaml")),
        ("after", include_str!("tests/faulty/after.yaml")),
        ("cache", include_str!("tests/faulty/cache.yaml")),
        ("claims", include_str!("tests/faulty/claims.yaml")),
        ("process", include_str!("tests/faulty/process.yaml")),
        ("yaml", include_str!("tests/faulty/yaml.yaml")),
    ];
    for (name, text) in files {
        let faults = bad(text);
        assert!(!faults.contains("canary"), "a secret is shown:\n{faults}");
        insta::assert_snapshot!(name, faults);
    }
}

#[test]
fn numbers_of_schemas_and_bodies_keep_their_digits() {
    let config = good(FULL);
    let debug = format!("{config:?}");
    for text in ["\"maxLength\":12345678901234567890123", "\"maximum\":1.50"] {
        assert!(config.tools[0].0.schema.source().as_str().contains(text), "{text}");
    }
    assert!(debug.contains("Fixed(\"1.10\")"), "{debug}");
    assert!(debug.contains("Fixed(\"12345678901234567890123\")"), "{debug}");
}

#[test]
fn words_that_other_yaml_takes_for_booleans_stay_words() {
    let source = good(FULL).tools[0].0.schema.source().as_str().to_owned();
    assert!(source.contains(r#""enum":["no","yes","1"]"#), "{source}");
}

#[test]
fn what_is_most_likely_not_meant_is_a_warning() {
    let config = good(
        "apis: {crm: {url: 'https://a'}, unused: {url: 'https://b'}}
tools:
  get:
    description: Gets.
    input: {type: object, properties: {id: {type: string}, of: {type: string}, lost: {type: string}}, required: [of]}
    http: {api: crm, get: '/x/{id}'}
    reads: ['record/{id}', 'owner/{of}']
  put:
    description: Puts.
    input: {type: object, properties: {etag: {type: string}}}
    http: {api: crm, put: /x, version: '{etag}'}
",
    );
    insta::assert_snapshot!("warnings", config.warnings.to_string());
    assert!(good(FULL).warnings.warnings.is_empty());
}

#[test]
fn a_repeated_value_is_written_once() {
    let config = good(
        "apis:
  a: &a {url: 'https://a', concurrency: 3}
  b: {<<: *a, url: 'https://b'}
  c: *a
tools:
",
    );
    let urls: Vec<_> = config.apis.iter().map(|api| api.url.to_string()).collect();
    assert_eq!(urls, ["https://a", "https://b", "https://a"]);
    assert!(config.bounds.apis[..3].iter().all(|api| api.concurrency.is_some()));
}

#[test]
fn files_are_sought_beside_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sidecall.yaml");
    let text = "apis: {a: {url: 'https://a', auth: {bearer: {file: token}}}}";
    std::fs::write(&file, text).unwrap();
    let error = load(&file).unwrap_err().to_string();
    assert!(error.contains("token` cannot be read: No such file"), "{error}");
    assert!(error.starts_with(&file.display().to_string()), "{error}");
    std::fs::write(directory.path().join("token"), "canary-file\n").unwrap();
    assert_eq!(load(&file).unwrap().apis.len(), 1);
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let error = load(&directory.path().join("nowhere.yaml")).unwrap_err().to_string();
    assert!(error.contains("there is no such file") && error.contains("`-c FILE`"), "{error}");
    let file = directory.path().join("binary.yaml");
    std::fs::write(&file, b"a: \xff").unwrap();
    let error = load(&file).unwrap_err().to_string();
    assert!(error.contains("is not UTF-8 at byte 3") && error.contains("save it"), "{error}");
    let error = load(directory.path()).unwrap_err().to_string();
    assert!(error.contains("cannot be read"), "{error}");
}

#[test]
fn of_very_many_faults_the_first_are_told_and_the_rest_counted() {
    let faulty = |faults: usize| (0..faults).map(|n| format!("key_{n}: 1\n")).collect::<String>();
    let told = bad(&faulty(50));
    assert!(told.contains("key_49") && !told.contains("more fault"), "{told}");
    let told = bad(&faulty(51));
    assert!(told.contains("key_49") && !told.contains("key_50"), "{told}");
    assert!(
        told.ends_with("\nand 1 more fault\n\nx.yaml: 51 faults; nothing was loaded"),
        "{told}"
    );
    assert!(bad(&faulty(1000)).contains("\nand 950 more faults\n"));
}

#[test]
fn a_secret_is_fetched_and_never_shown() {
    use secrecy::ExposeSecret;

    use super::{declared::secret::Secret, file::Setting};

    for (text, secret) in [
        ("{env: CRM_TOKEN}", "canary-token"),
        ("{file: token}", "canary-file"),
        ("{file: /absolute}", " canary absolute "),
    ] {
        let (source, environment) = (file::Source::new(text), environment());
        let mut decoder = file::Decoder::new(&source, &environment, PathBuf::new());
        let node = file::parse::parse(&mut decoder).unwrap();
        let found = Secret::decode(&node, &mut decoder).unwrap();
        assert_eq!(found.0.expose_secret(), secret);
        assert!(!format!("{found:?}").contains("canary"));
    }
}

#[test]
fn a_slot_needs_a_property_unless_the_schema_is_open() {
    let file = |input: &str, slot: &str| {
        format!(
            "apis: {{a: {{url: 'https://a'}}}}
tools: {{t: {{description: D., input: {input}, http: {{api: a, post: /, text: '{{{slot}}}'}}}}}}"
        )
    };
    for (input, slot) in [
        ("{type: object}", "a"),
        ("{type: object, properties: {b: {}}}", "a"),
        ("{type: object, properties: {a: {type: string}}}", "a.b"),
        ("{type: object, properties: {a: {type: object, properties: {c: {}}}}}", "a.b"),
        ("{type: object, properties: {}, additionalProperties: false}", "a"),
    ] {
        let faults = bad(&file(input, slot));
        assert!(faults.contains(&format!("no property of `input` is `{slot}`")), "{faults}");
    }
    for (input, slot) in [
        ("{type: object, properties: {a: {}}}", "a"),
        ("{type: object, properties: {a: {}}}", "a.b"),
        ("{type: object, properties: {a: {type: object}}}", "a.b.c"),
        ("{type: object, properties: {a: {type: [object, 'null']}}}", "a.b"),
        ("{type: object, additionalProperties: true}", "a"),
        ("{type: object, additionalProperties: {type: string}}", "a"),
        ("{type: object, patternProperties: {a: {}}}", "a"),
        ("{type: object, allOf: [{properties: {a: {}}}]}", "a"),
        ("{type: object, $ref: '#/$defs/x', $defs: {x: {properties: {a: {}}}}}", "a"),
    ] {
        good(&file(input, slot));
    }
}
