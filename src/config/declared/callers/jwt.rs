//! `callers.jwt:`.

use std::path::PathBuf;

use serde_json::Value as Schema;

use super::Text;
use crate::{
    config::{
        declared::secret::file,
        file::{Decoder, Fields, Node, Object, Setting},
    },
    rpc::auth::jwt::Keys,
};

/// Whose JSON Web Tokens are taken.
#[derive(Debug)]
pub(crate) struct Jwt {
    pub(crate) jwks: Jwks,
    pub(crate) issuer: String,
    pub(crate) audience: String,
}

impl Object for Jwt {
    const WHAT: &'static str = "`callers.jwt`";
    const DOC: &'static str = "Whose JSON Web Tokens are taken, signed with RS256 to RS512, PS256 \
                               to PS512, ES256, ES384 or EdDSA.";

    fn declare(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let jwks = fields.required(
            "jwks",
            "The file of the issuer's public keys, a JWKS; a relative path is sought beside the \
             configuration. It is read again when it changes.",
        );
        let issuer = fields.required::<Text>("issuer", "The issuer: what a token has as `iss`.");
        let audience = fields
            .required::<Text>("audience", "Who a token must be for: one of those in its `aud`.");
        let (Text(issuer), Text(audience)) = (issuer?, audience?);
        Some(Self { jwks: jwks?, issuer, audience })
    }
}

/// The keys in a file.
#[derive(Debug)]
pub(crate) struct Jwks(pub(crate) Keys);

impl Setting for Jwks {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let bytes = file(node, decoder)?;
        match Keys::try_new(&bytes) {
            Ok(keys) => Some(Self(keys)),
            Err(error) => {
                let fix = "write the path of a JWKS with the issuer's public keys";
                decoder.fault(node.span, format!("the file cannot be used: {error}"), fix);
                None
            }
        }
    }

    fn schema() -> Schema {
        PathBuf::schema()
    }
}
