//! Where a server is, as people write it.

use std::{path::PathBuf, str::FromStr};

use tonic::transport::Uri;

/// An address as people write it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Address {
    /// A Unix socket's path.
    Unix(PathBuf),
    /// A host and a port.
    Http(Uri),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(address: &str) -> Result<Self, String> {
        let fix = "write unix:///path/to.sock or http://host:port";
        if let Some(path) = address.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let is_absolute = path.starts_with('/');
            return if is_absolute || !path.is_empty() && !address.starts_with("unix://") {
                Ok(Self::Unix(path.into()))
            } else {
                Err(format!("the address `{address}` names no absolute path: {fix}"))
            };
        }
        if address.starts_with('/') {
            return Ok(Self::Unix(address.into()));
        }
        if address.starts_with("https://") {
            return Err(format!(
                "the address `{address}` asks for TLS, which is not spoken: {fix}"
            ));
        }
        let authority = address.strip_prefix("http://").unwrap_or(address);
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains('/') || !authority.contains(':') {
            return Err(format!("the address `{address}` is not understood: {fix}"));
        }
        format!("http://{authority}")
            .parse()
            .map(Self::Http)
            .map_err(|error| format!("the address `{address}` is not understood: {error}: {fix}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_understood_is_refused_with_what_to_write() {
        for (address, says) in [
            ("", "is not understood"),
            ("localhost", "is not understood"),
            ("https://a:1", "asks for TLS"),
            ("unix://run/a.sock", "names no absolute path"),
            ("unix:", "names no absolute path"),
            ("dns://a:1", "is not understood"),
            ("http://a:1/path", "is not understood"),
            ("a:b c", "is not understood"),
        ] {
            let error = address.parse::<Address>().unwrap_err();
            assert!(error.contains(says) && error.contains("write unix:///"), "{address}: {error}");
        }
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for address in ["unix:///run/a.sock", "unix:/run/a.sock", "/run/a.sock"] {
            assert_eq!(address.parse(), Ok(Address::Unix("/run/a.sock".into())), "{address}");
        }
        assert_eq!("unix:a.sock".parse(), Ok(Address::Unix("a.sock".into())));
        for address in ["http://[::1]:50", "http://[::1]:50/", "[::1]:50"] {
            let uri = Uri::from_static("http://[::1]:50");
            assert_eq!(address.parse(), Ok(Address::Http(uri)), "{address}");
        }
    }
}
