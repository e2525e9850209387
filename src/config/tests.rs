//! The configuration as a stranger writes it.

use std::{collections::BTreeMap, io, path::Path};

use super::{
    env::{Environment, Variable},
    *,
};

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

fn environment() -> Fixed {
    Fixed {
        variables: BTreeMap::from([
            ("CRM_TOKEN", "canary-token"),
            ("EMPTY", " "),
            ("LINES", "a\nb"),
            ("BYTES", "not unicode"),
        ]),
        files: BTreeMap::from([
            ("token", b"canary-file\r\n".as_slice()),
            ("empty", b"\n"),
            ("bytes", b"\xff\xfe"),
            ("ca.pem", b"no certificate"),
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
    assert_eq!(config.drain_timeout, Duration::from_secs(20));
    assert_eq!(config.bounds.batch_timeout, Duration::from_secs(600));
    assert!(config.apis.is_empty() && config.tools.is_empty());
}

#[test]
fn an_unknown_key_fails_the_load_with_the_nearest_one() {
    let faults = bad("tolls: {}");
    assert!(faults.contains("x.yaml:1:1: tolls: the file has no key `tolls`"), "{faults}");
    assert!(faults.contains("write `tools`"), "{faults}");
}
