//! An issuer of JSON Web Tokens.

use std::{fs, path::Path};

use aws_lc_rs::signature::Ed25519KeyPair;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::json;

/// An issuer of tokens, with one key.
pub(crate) struct Issuer {
    id: &'static str,
    key: EncodingKey,
}

impl Issuer {
    pub(crate) fn new(id: &'static str) -> Self {
        let key = Ed25519KeyPair::generate().unwrap();
        Self { id, key: EncodingKey::from_ed_der(key.to_pkcs8v1().unwrap().as_ref()) }
    }

    /// Its keys, a JWKS.
    pub(crate) fn keys(&self) -> String {
        let mut key = Jwk::from_encoding_key(&self.key, Algorithm::EdDSA).unwrap();
        key.common.key_id = Some(self.id.to_owned());
        json!({ "keys": [key] }).to_string()
    }

    /// Its keys, in the place of those that are there, as a mounted volume is changed.
    pub(crate) fn publish(&self, folder: &Path) {
        fs::write(folder.join("next"), self.keys()).unwrap();
        fs::rename(folder.join("next"), folder.join("jwks.json")).unwrap();
    }

    /// A token that holds for so many seconds from now.
    pub(crate) fn token(&self, subject: &str, audience: &str, seconds: i64) -> String {
        let now = i64::try_from(jsonwebtoken::get_current_timestamp()).unwrap();
        let claims = json!({
            "iss": "https://issuer.test", "sub": subject, "aud": [audience], "exp": now + seconds,
        });
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(Algorithm::EdDSA) };
        encode(&header, &claims, &self.key).unwrap()
    }
}
