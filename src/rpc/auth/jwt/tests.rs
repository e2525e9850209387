use aws_lc_rs::{
    encoding::AsDer,
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{EncodingKey, encode, jwk::Jwk};
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "sidecall";
const SUBJECT: &str = "system:serviceaccount:agents:planner";

/// Who writes tokens, with a key of each kind.
struct Issuer {
    id: &'static str,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Issuer {
    fn new(id: &'static str, algorithm: Algorithm) -> Self {
        let key = match algorithm {
            Algorithm::ES256 => {
                let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
                EncodingKey::from_ec_der(key.to_pkcs8v1().unwrap().as_ref())
            }
            Algorithm::EdDSA => {
                let key = Ed25519KeyPair::generate().unwrap();
                EncodingKey::from_ed_der(key.to_pkcs8v1().unwrap().as_ref())
            }
            _ => {
                let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
                let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'_> = key.as_der().unwrap();
                // The key alone, which PKCS #8 wraps in 26 bytes where it is this large.
                EncodingKey::from_rsa_der(&pkcs8.as_ref()[26..])
            }
        };
        Self { id, algorithm, key }
    }

    fn public(&self) -> Jwk {
        let mut key = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        key.common.key_id = Some(self.id.to_owned());
        key
    }

    fn header(&self) -> Header {
        Header { kid: Some(self.id.to_owned()), ..Header::new(self.algorithm) }
    }

    fn token(&self, claims: &Value) -> String {
        encode(&self.header(), claims, &self.key).unwrap()
    }
}

fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

/// What every part of is right, and what is changed in it.
fn claims(changes: Value) -> Value {
    let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT, "exp": now() + 600});
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn set(issuers: &[&Issuer]) -> Vec<u8> {
    let keys: Vec<Jwk> = issuers.iter().map(|issuer| issuer.public()).collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

fn of(issuers: &[&Issuer]) -> Verifier {
    Verifier::new(Settings {
        keys: Keys::try_new(&set(issuers)).unwrap(),
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
    })
}

fn refused(verifier: &Verifier, token: &str) -> String {
    verifier.subject(token).unwrap_err().to_string()
}

#[tokio::test]
async fn a_token_that_is_right_says_whose_it_is_with_every_kind_of_key() {
    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let issuer = Issuer::new("k1", algorithm);
        let verifier = of(&[&issuer]);
        for changes in [
            json!({}),
            json!({"aud": ["other", AUDIENCE]}),
            json!({"nbf": now() - 5, "iat": now(), "kubernetes.io": {"namespace": "agents"}}),
        ] {
            let token = issuer.token(&claims(changes.clone()));
            assert_eq!(verifier.subject(&token).unwrap(), SUBJECT, "{algorithm:?} {changes}");
        }
        // Issuers with one key need not name it.
        let unnamed = Header { kid: None, ..issuer.header() };
        let token = encode(&unnamed, &claims(json!({})), &issuer.key).unwrap();
        assert_eq!(verifier.subject(&token).unwrap(), SUBJECT);
    }
}

#[tokio::test]
async fn a_token_for_another_time_audience_or_issuer_is_refused() {
    let issuer = Issuer::new("k1", Algorithm::EdDSA);
    let verifier = of(&[&issuer]);
    let leeway = LEEWAY.as_secs();
    for (changes, says) in [
        (json!({"exp": now() - leeway - 5}), "it has expired"),
        (json!({"exp": "tomorrow"}), "no `exp`"),
        (json!({"exp": null}), "no `exp`"),
        (json!({"nbf": now() + leeway + 60}), "does not hold yet"),
        (json!({"nbf": "now"}), "nbf"),
        (json!({"aud": "other"}), "another audience"),
        (json!({"aud": ["other", "sidecall2"]}), "another audience"),
        (json!({"aud": []}), "another audience"),
        (json!({"aud": null}), "no `aud`"),
        (json!({"aud": 7}), "no `aud`"),
        (json!({"iss": "https://issuer.test/"}), "another has issued it"),
        (json!({"iss": null}), "iss"),
        (json!({"iss": [ISSUER, "https://other"]}), "JSON"),
        (json!({"sub": null}), "sub"),
        (json!({"sub": ["a"]}), "JSON"),
    ] {
        let said = refused(&verifier, &issuer.token(&claims(changes.clone())));
        assert!(said.contains(says), "{changes}: {said}");
    }
}

#[tokio::test]
async fn a_token_that_nobody_signed_is_refused() {
    let issuer = Issuer::new("k1", Algorithm::RS256);
    let verifier = of(&[&issuer]);
    let token = issuer.token(&claims(json!({})));
    let [_, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let header = |text: &str| BASE64.encode(text);
    for alg in ["none", "None", "NONE", "", "RS999"] {
        let header = header(&format!(r#"{{"alg":"{alg}","typ":"JWT","kid":"k1"}}"#));
        for token in [format!("{header}.{payload}."), format!("{header}.{payload}.{signature}")] {
            assert!(refused(&verifier, &token).contains("no JWT that can be read"), "{alg}");
        }
    }
    // What nobody signed is not quoted: a line of the log is not a caller's to write.
    let long = "x".repeat(10_000);
    for alg in [r"x\n2026-11-21T00:00:00Z ERROR forged \u001b[31m", &long] {
        let header = header(&format!(r#"{{"alg":"{alg}","kid":"k1"}}"#));
        let said = refused(&verifier, &format!("{header}.{payload}.{signature}"));
        assert!(said.len() < 200 && !said.contains("forged"), "{said}");
    }
    let header = header(&format!(r#"{{"alg":"RS512","kid":"\n{long}"}}"#));
    let said = refused(&verifier, &format!("{header}.{payload}.{signature}"));
    assert!(said.len() < 400 && !said.contains('\n'), "{said}");
    for broken in ["", ".", "..", "a.b.c", "a.b", &format!("{token}."), &format!(".{token}")] {
        assert!(verifier.subject(broken).is_err(), "{broken}");
    }
    // Another payload under the same signature.
    let forged = BASE64.encode(claims(json!({"sub": "admin"})).to_string());
    let head = token.split('.').next().unwrap();
    let said = refused(&verifier, &format!("{head}.{forged}.{signature}"));
    assert!(said.contains("signature"), "{said}");
}

/// The public key is public: whoever has it must not be able to sign with it.
#[tokio::test]
async fn a_public_key_is_never_taken_for_a_secret() {
    let issuer = Issuer::new("k1", Algorithm::RS256);
    let verifier = of(&[&issuer]);
    let public = serde_json::to_vec(&issuer.public()).unwrap();
    let modulus = match issuer.public().algorithm {
        jsonwebtoken::jwk::AlgorithmParameters::RSA(key) => BASE64.decode(key.n).unwrap(),
        _ => panic!("no RSA key"),
    };
    for secret in [public, modulus, b"k1".to_vec(), Vec::new()] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            for kid in [Some("k1".to_owned()), None] {
                let header = Header { kid, ..Header::new(algorithm) };
                let key = EncodingKey::from_secret(&secret);
                let token = encode(&header, &claims(json!({})), &key).unwrap();
                let said = refused(&verifier, &token);
                assert!(said.contains("no key of the set"), "{said}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_that_names_no_key_is_tried_with_few() {
    let ids = ["k1", "k2", "k3", "k4", "k5"];
    let issuers = ids.map(|id| Issuer::new(id, Algorithm::ES256));
    let all: Vec<_> = issuers.iter().collect();
    // Signed with the last that is tried.
    let nameless = |issuer: &Issuer| {
        let header = Header { kid: None, ..issuer.header() };
        encode(&header, &claims(json!({})), &issuer.key).unwrap()
    };
    let few = of(&all[..KEYS_TRIED_MAX]);
    assert_eq!(few.subject(&nameless(&issuers[3])).unwrap(), SUBJECT);
    let many = of(&all);
    for issuer in &issuers {
        let said = refused(&many, &nameless(issuer));
        assert!(said.starts_with("5 keys of the set are for ES256"), "{said}");
        assert!(said.ends_with("its header has to name one (`kid`)"), "{said}");
        assert_eq!(many.subject(&issuer.token(&claims(json!({})))).unwrap(), SUBJECT);
    }
}

#[tokio::test]
async fn a_key_is_not_taken_for_one_of_another_kind_id_or_issuer() {
    let [rsa, ec, stranger] = [
        Issuer::new("k1", Algorithm::RS256),
        Issuer::new("k2", Algorithm::ES256),
        Issuer::new("k1", Algorithm::RS256),
    ];
    let verifier = of(&[&rsa, &ec]);
    let token =
        |header: Header, issuer: &Issuer| encode(&header, &claims(json!({})), &issuer.key).unwrap();
    let named = |issuer: &Issuer, kid: &str| Header { kid: Some(kid.into()), ..issuer.header() };
    for (token, says) in [
        (token(rsa.header(), &stranger), "signature"),
        (token(named(&rsa, "k3"), &rsa), "no key of the set has the id Some(\"k3\")"),
        (token(named(&rsa, "k2"), &rsa), "no key of the set"),
        (token(named(&ec, "k1"), &ec), "no key of the set"),
        // The set says that the key is for RS256 alone.
        (token(Header { alg: Algorithm::RS512, ..rsa.header() }, &rsa), "no key of the set"),
        (token(Header { crit: Some(vec!["exp".into()]), ..rsa.header() }, &rsa), "critical"),
    ] {
        let said = refused(&verifier, &token);
        assert!(said.contains(says), "{said}");
    }
    assert_eq!(verifier.subject(&token(ec.header(), &ec)).unwrap(), SUBJECT);
}
