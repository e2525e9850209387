//! `token:` of a caller.

use secrecy::SecretString;
use serde_json::{Value as Schema, json};

use crate::{
    config::{
        declared::secret,
        file::{Decoder, Fields, Node, Object, Setting, scalar::written},
    },
    policy,
};

/// A token, of which the hash is kept.
#[derive(Debug)]
pub(crate) struct Token(pub(crate) policy::Token);

impl Setting for Token {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let fix = "write `{sha256: …}`, which `printf %s TOKEN | sha256sum` shows, `{file: PATH}` \
                   or `{env: NAME}`";
        secret::not_written_out(node, decoder, "a token is not written into the file", fix)?;
        let shown = match TokenOrigin::decode(node, decoder)? {
            TokenOrigin::Hash(token) => return Some(Self(token)),
            TokenOrigin::Text(text) => text,
        };
        if !shown.bytes().all(|byte| byte.is_ascii_graphic()) {
            let what = "the token has a space or another character that none has";
            decoder.fault(
                node.span,
                what,
                "make one of letters and digits: `openssl rand -hex 32`",
            );
            return None;
        }
        let bytes = shown.len();
        if bytes < policy::Token::BYTES_MIN {
            let place = decoder.place(node.span);
            let what = format!("a token of {bytes} bytes can be guessed");
            decoder.warn(&place, what, "make a longer one: `openssl rand -hex 32`");
        }
        let token = policy::Token::of(&shown);
        decoder.keeps(SecretString::from(shown));
        Some(Self(token))
    }

    fn schema() -> Schema {
        TokenOrigin::schema()
    }
}

/// Where a token's hash was found.
enum TokenOrigin {
    Hash(policy::Token),
    Text(String),
}

impl Object for TokenOrigin {
    const WHAT: &'static str = "a token";
    const DOC: &'static str = "A token: `{sha256: …}`, `{file: PATH}` or `{env: NAME}`.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let hash = fields.optional::<Hash>(
            "sha256",
            "Its SHA-256, in 64 hexadecimal digits: `printf %s TOKEN | sha256sum`.",
        );
        let (variable, file) = secret::elsewhere(fields);
        fields.alternatives(&["sha256", "env", "file"], true);
        let (hash, text) = (hash?, variable?.xor(file?));
        let hash = hash.map(|Hash(token)| Self::Hash(token));
        hash.xor(text.map(Self::Text))
    }
}

struct Hash(policy::Token);

impl Setting for Hash {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let Some(text) = written(node) else {
            decoder.mismatch(node, "64 hexadecimal digits");
            return None;
        };
        let token = policy::Token::from_hex(text);
        if token.is_none() {
            // It may be the token itself.
            decoder.mask(node.span);
            let fix = "write what `printf %s TOKEN | sha256sum` shows, without the `-`";
            decoder.fault(node.span, "this is no SHA-256: it has 64 hexadecimal digits", fix);
        }
        token.map(Self)
    }

    fn schema() -> Schema {
        json!({
            "anyOf": [
                {"type": "string", "pattern": "^[0-9A-Fa-f]{64}$"},
                // Digits alone are a number, where they are not quoted.
                {"type": "number", "minimum": 0},
            ],
        })
    }
}
