//! Headers that a configuration may set, and credentials.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::header::{AUTHORIZATION, HeaderName as Name, HeaderValue as Value};
use secrecy::{ExposeSecret, SecretString};

use super::Fault;

/// The credentials of an API: a header, made once and never shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Auth {
    pub(super) name: HeaderName,
    /// Marked sensitive: `Debug` does not show it, HPACK does not index it.
    pub(super) value: Value,
}

impl Auth {
    /// `Authorization: Bearer TOKEN`.
    ///
    /// # Errors
    ///
    /// A token that cannot stand in a header. The fault does not show it.
    pub fn bearer(token: &SecretString) -> Result<Self, Fault> {
        secret("the token", token.expose_secret())?;
        Self::authorization(&format!("Bearer {}", token.expose_secret()))
    }

    /// `Authorization: Basic USER:PASSWORD` (RFC 7617).
    ///
    /// # Errors
    ///
    /// A user with a colon.
    pub fn basic(user: &str, password: &SecretString) -> Result<Self, Fault> {
        if let Some(at) = user.find(':') {
            return Err(Fault::new(
                at,
                "a user of Basic authentication holds no `:`",
                "write the user without it",
            ));
        }
        let pair = format!("{user}:{}", password.expose_secret());
        Self::authorization(&format!("Basic {}", BASE64_STANDARD.encode(pair)))
    }

    /// A header of its own: `X-Api-Key: KEY`.
    ///
    /// # Errors
    ///
    /// A value that cannot stand in a header. The fault does not show it.
    pub fn header(name: HeaderName, value: &SecretString) -> Result<Self, Fault> {
        Ok(Self { name, value: secret("the value", value.expose_secret())? })
    }

    /// The header that carries them; no tool may set it.
    pub fn header_name(&self) -> &HeaderName {
        &self.name
    }

    fn authorization(value: &str) -> Result<Self, Fault> {
        let value = secret("the credentials", value)?;
        Ok(Self { name: HeaderName(AUTHORIZATION), value })
    }
}

fn secret(what: &str, text: &str) -> Result<Value, Fault> {
    let fix = "look at the variable or file that it comes from: a line break at its end?";
    if text.is_empty() {
        return Err(Fault::new(0, format!("{what} is empty"), fix));
    }
    if let Some(at) = text.find(|c: char| !matches!(c, ' '..='~')) {
        let problem = format!("{what} has a character at byte {at} that no header can carry");
        return Err(Fault::new(at, problem, fix));
    }
    let mut value = Value::from_str(text).map_err(|_| Fault::new(0, what, fix))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The name of a header that a configuration may set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderName(pub(super) Name);

impl HeaderName {
    /// `Idempotency-Key`, as the IETF's draft of that name has it.
    pub fn idempotency_key() -> Self {
        Self(Name::from_static("idempotency-key"))
    }

    /// Checks the name.
    ///
    /// # Errors
    ///
    /// What is no token, and what belongs to the connection.
    pub fn try_new(text: &str) -> Result<Self, Fault> {
        let name = Name::from_bytes(text.as_bytes()).map_err(|_| {
            let at = text
                .find(|c: char| !c.is_ascii_alphanumeric() && !"!#$%&'*+-.^_`|~".contains(c))
                .unwrap_or(0);
            let problem = format!("`{}` is no name of a header", text.escape_debug());
            Fault::new(at, problem, "write letters, digits and `-`")
        })?;
        // Whoever sets these decides where a message ends or who it is for.
        let reserved = [
            "host",
            "content-length",
            "transfer-encoding",
            "connection",
            "keep-alive",
            "upgrade",
            "te",
            "trailer",
            "expect",
            "accept-encoding",
        ];
        if reserved.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
            let problem = format!("the header `{name}` belongs to the connection");
            return Err(Fault::new(0, problem, "leave it out"));
        }
        Ok(Self(name))
    }

    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl From<HeaderName> for Name {
    fn from(name: HeaderName) -> Self {
        name.0
    }
}

/// A header's value that a configuration fixes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderValue(pub(super) Value);

impl HeaderValue {
    /// Checks the value: visible ASCII and spaces.
    ///
    /// # Errors
    ///
    /// Where the first other character is.
    pub fn try_new(text: &str) -> Result<Self, Fault> {
        let at = text.find(|c: char| !matches!(c, ' '..='~'));
        match (at, Value::from_str(text)) {
            (None, Ok(value)) => Ok(Self(value)),
            (at, _) => Err(Fault::new(
                at.unwrap_or(0),
                "a header's value holds visible ASCII characters and spaces only",
                "leave the character out",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_connection_cannot_be_set() {
        for name in
            ["Host", "content-length", "Transfer-Encoding", "Connection", "Proxy-Authorization"]
        {
            let fault = HeaderName::try_new(name).unwrap_err();
            assert!(fault.to_string().contains("belongs to the connection"), "{fault}");
        }
        for name in ["", "X Y", "X:Y", "X\r\nY", "Gr\u{f6}\u{df}e"] {
            let fault = HeaderName::try_new(name).unwrap_err();
            assert!(fault.to_string().contains("is no name of a header"), "{fault}");
        }
        assert_eq!(HeaderName::try_new("X-Region").unwrap().as_str(), "x-region");
    }

    #[test]
    fn a_header_value_cannot_begin_another_header() {
        for (value, offset) in [("a\r\nX: y", 1), ("a\nb", 1), ("a\0", 1), ("\u{e9}", 0)] {
            assert_eq!(HeaderValue::try_new(value).unwrap_err().offset, offset, "{value:?}");
        }
        HeaderValue::try_new("text/plain; charset=utf-8").unwrap();
    }

    #[test]
    fn credentials_are_checked_and_never_shown() {
        let bad = SecretString::from("canary-1\n");
        let faults = [
            Auth::bearer(&bad).unwrap_err(),
            Auth::header(HeaderName::try_new("x-api-key").unwrap(), &bad).unwrap_err(),
        ];
        for fault in faults {
            assert!(fault.to_string().contains("at byte 8"), "{fault}");
            assert!(!fault.to_string().contains("canary"), "{fault}");
        }
        assert!(Auth::bearer(&SecretString::from("")).is_err());
        assert!(Auth::basic("a:b", &bad).is_err());

        let good = SecretString::from("canary-2");
        let basic = Auth::basic("user", &good).unwrap();
        assert_eq!(basic.value, "Basic dXNlcjpjYW5hcnktMg==");
        for auth in [basic, Auth::bearer(&good).unwrap()] {
            let shown = format!("{auth:?}");
            assert!(!shown.contains("canary") && !shown.contains("dXNl"), "{shown}");
            assert_eq!(auth.header_name().as_str(), "authorization");
        }
    }
}
