//! From an address as people write it to a connection.

use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Uri};

use super::Error;
use crate::cli::{AddressArgs, TlsArgs};

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// An address as people write it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Address {
    Unix(PathBuf),
    /// With TLS, if its scheme says so.
    Tcp(Uri),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(address: &str) -> Result<Self, String> {
        let fix = "write unix:///path/to.sock, http://host:port or https://host:port";
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
        let (scheme, authority) = match address.strip_prefix("https://") {
            Some(authority) => ("https", authority),
            None => ("http", address.strip_prefix("http://").unwrap_or(address)),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains('/') || !authority.contains(':') {
            return Err(format!("the address `{address}` is not understood: {fix}"));
        }
        format!("{scheme}://{authority}")
            .parse()
            .map(Self::Tcp)
            .map_err(|error| format!("the address `{address}` is not understood: {error}: {fix}"))
    }
}

impl Address {
    /// Whether what is sent there can be read on the way.
    pub(super) fn is_open(&self) -> bool {
        let Self::Tcp(uri) = self else { return false };
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let ip = host.parse::<std::net::IpAddr>();
        let is_local = host == "localhost" || ip.is_ok_and(|ip| ip.to_canonical().is_loopback());
        uri.scheme_str() != Some("https") && !is_local
    }
}

/// A connection to an address.
pub(crate) async fn channel(args: &AddressArgs) -> Result<Channel, Error> {
    let AddressArgs { address, tls } = args;
    let unreachable =
        |cause: String| Error::Unreachable { address: address.clone(), cause, can_run_here: true };
    let channel = match address.parse().map_err(Error::Usage)? {
        Address::Tcp(uri) => {
            endpoint(uri, tls)
                .map_err(Error::Usage)?
                .connect_timeout(CONNECT_TIMEOUT)
                .connect()
                .await
        }
        Address::Unix(path) => {
            // The name is for the request's authority only.
            Endpoint::from_static("http://localhost")
                .connect_timeout(CONNECT_TIMEOUT)
                .connect_with_connector(tower::service_fn(move |_: Uri| dial(path.clone())))
                .await
        }
    };
    channel.map_err(|error| unreachable(innermost(&error)))
}

/// A TCP address with the TLS that it asks for.
fn endpoint(uri: Uri, TlsArgs { ca, cert, key }: &TlsArgs) -> Result<Endpoint, String> {
    let read = |path: &PathBuf| {
        fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
    };
    if uri.scheme_str() != Some("https") {
        return match ca.as_ref().or(cert.as_ref()).filter(|_| !is_here(&uri)) {
            // Whoever names certificates takes the connection for one that is encrypted.
            // Where it does not leave this machine they are the environment's, for
            // another address: a probe's of the admin port, for instance.
            Some(file) => Err(format!(
                "{uri} is not encrypted, and {} is for TLS: write https://, or leave it out",
                file.display()
            )),
            None => Ok(Endpoint::from(uri)),
        };
    }
    let host = uri.host().unwrap_or_default();
    let tls = ClientTlsConfig::new().domain_name(host.trim_matches(['[', ']']));
    let tls = match ca {
        Some(ca) => tls.ca_certificate(Certificate::from_pem(read(ca)?)),
        None => tls.with_native_roots(),
    };
    let tls = match (cert, key) {
        (Some(cert), Some(key)) => tls.identity(Identity::from_pem(read(cert)?, read(key)?)),
        _ => tls,
    };
    Endpoint::from(uri)
        .tls_config(tls)
        .map_err(|error| format!("the certificates cannot be used: {}", innermost(&error)))
}

/// Whether nobody but this machine hears what is sent there.
fn is_here(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

async fn dial(path: impl AsRef<Path>) -> io::Result<TokioIo<UnixStream>> {
    UnixStream::connect(path).await.map(TokioIo::new)
}

/// The cause that says most: tonic's own text is "transport error".
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_understood_is_refused_with_what_to_write() {
        for (address, says) in [
            ("", "is not understood"),
            ("localhost", "is not understood"),
            ("https://a", "is not understood"),
            ("ftp://a:1", "is not understood"),
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
            assert_eq!(address.parse(), Ok(Address::Tcp(uri)), "{address}");
        }
        let uri = Uri::from_static("https://a:1");
        assert_eq!("https://a:1/".parse(), Ok(Address::Tcp(uri)));
    }

    #[test]
    fn certificates_for_a_connection_without_tls_are_refused() {
        let uri = Uri::from_static("http://a:1");
        let only = |ca: Option<&str>, cert: Option<&str>| TlsArgs {
            ca: ca.map(Into::into),
            cert: cert.map(Into::into),
            key: cert.map(Into::into),
        };
        for tls in [only(Some("a.pem"), None), only(None, Some("a.pem"))] {
            let error = endpoint(uri.clone(), &tls).unwrap_err();
            assert!(error.contains("a.pem is for TLS: write https://"), "{error}");
        }
        endpoint(uri, &TlsArgs::default()).unwrap();
        for here in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"] {
            endpoint(Uri::from_static(here), &only(Some("a.pem"), None)).unwrap();
        }
    }

    #[test]
    fn a_file_of_no_use_is_named_or_said_to_be_of_none() {
        let uri = Uri::from_static("https://[::1]:1");
        let folder = tempfile::tempdir().unwrap();
        let tls = |ca: PathBuf| TlsArgs { ca: Some(ca), ..TlsArgs::default() };
        let error = endpoint(uri.clone(), &tls(folder.path().join("none.pem"))).unwrap_err();
        assert!(error.contains("none.pem cannot be read: No such file"), "{error}");
        let broken = folder.path().join("broken.pem");
        fs::write(&broken, "-----BEGIN CERTIFICATE-----\n").unwrap();
        let error = endpoint(uri, &tls(broken)).unwrap_err();
        assert!(error.contains("the certificates cannot be used"), "{error}");
    }
}
