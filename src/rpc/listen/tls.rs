//! TLS of a TCP listener: from PEM files to what rustls needs.
//!
//! Protocols from TLS 1.2 on, HTTP/2 only. Nothing of a session outlives its
//! connection: one that were taken up again would vouch for a certificate that may
//! have expired since.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::certificate;

mod files;
#[cfg(test)]
pub(super) mod mint;

pub(super) use files::{Current, Files};

/// What HTTP/2 over TLS is called (RFC 9113, section 3.2).
pub(super) const HTTP2: &[u8] = b"h2";

/// Where the certificates of a listener are. The files are read again when they
/// change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tls {
    /// The server's certificate and those between it and its authority: PEM.
    pub certificate: PathBuf,
    /// Its private key: PEM.
    pub key: PathBuf,
    /// The authorities of clients: PEM. With them every client must show a
    /// certificate.
    pub client_ca: Option<PathBuf>,
}

impl Tls {
    /// The files.
    fn paths(&self) -> impl Iterator<Item = &Path> {
        [&self.certificate, &self.key].into_iter().chain(&self.client_ca).map(PathBuf::as_path)
    }
}

/// Why TLS cannot be spoken: a file, and what is wrong with it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("listen.tcp.tls.{key}: {} {what}", path.display())]
pub struct Error {
    key: &'static str,
    path: PathBuf,
    what: String,
}

/// What stands in the files.
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

const CERTIFICATE: &str = "certificate";
const KEY: &str = "key";
const CLIENT_CA: &str = "client_ca";

/// Takes an error of one of the files.
fn of(key: &'static str, path: &Path) -> impl Fn(String) -> Error {
    move |what| Error { key, path: path.to_owned(), what }
}

/// What every new connection is served with.
#[derive(Debug)]
struct Served {
    config: Arc<ServerConfig>,
    /// When the first of its certificates ends, in seconds since 1970.
    ends_at: Option<u64>,
}

/// Makes it of the files' contents.
fn server(files: &Tls, contents: &Contents) -> Result<Served, Error> {
    // The provider is named here, so that nothing global must be installed first.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let certified = certified(files, contents, &provider)?;
    let ends_at = certified.cert.iter().filter_map(certificate::ends_at).min();
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| of(CERTIFICATE, &files.certificate)(format!("is of no use: {error}")))?;
    let config = match (&files.client_ca, &contents.client_ca) {
        (Some(path), Some(pem)) => {
            let fault = of(CLIENT_CA, path);
            let mut roots = RootCertStore::empty();
            for certificate in certificates(pem).map_err(&fault)? {
                let refused = |error| fault(format!("holds a certificate that is none: {error}"));
                roots.add(certificate).map_err(refused)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                // Whom it trusts is nobody's business who has not shown a certificate.
                .clear_root_hint_subjects()
                .build()
                .map_err(|error| fault(format!("is of no use: {error}")))?;
            config.with_client_cert_verifier(verifier)
        }
        _ => config.with_no_client_auth(),
    };
    let mut config = config.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![HTTP2.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Served { config: Arc::new(config), ends_at })
}

fn certified(
    files: &Tls,
    contents: &Contents,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Error> {
    let (in_certificate, in_key) = (of(CERTIFICATE, &files.certificate), of(KEY, &files.key));
    let chain = certificates(&contents.certificate).map_err(&in_certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| {
        in_key(
            "holds no private key in PEM; name one that begins with `-----BEGIN PRIVATE KEY-----`"
                .to_owned(),
        )
    })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            let certificate = files.certificate.display();
            in_key(format!("is not the key of the certificate in {certificate}; name its own"))
        }
        rustls::Error::InvalidCertificate(error) => {
            in_certificate(format!("holds a certificate that is none: {error:?}"))
        }
        error => in_key(format!("holds a private key that is of no use: {error}")),
    })
}

/// The certificates of a PEM file, at least one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err("holds no certificate in PEM; name a file with `-----BEGIN CERTIFICATE-----`"
            .to_owned()),
        Err(error) => Err(format!("is no PEM: {error}")),
    }
}

/// Reads the files.
fn read(files: &Tls) -> Result<Contents, Error> {
    let client_ca = files.client_ca.as_ref().map(|path| read_one(CLIENT_CA, path)).transpose()?;
    Ok(Contents {
        certificate: read_one(CERTIFICATE, &files.certificate)?,
        key: read_one(KEY, &files.key)?,
        client_ca,
    })
}

/// Most bytes of a file: a bundle of all public authorities is a quarter of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

fn read_one(key: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    use io::Read;

    let fault = of(key, path);
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|cause| {
            fault(format!("cannot be read: {cause}; name a file that this process may read"))
        })?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(fault(format!("has more than {FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::{mint::Authority, *};

    /// What is wrong with these files.
    fn fault(certificate: &str, key: &str, client_ca: Option<&str>) -> String {
        let folder = TempDir::new().unwrap();
        let files = mint::files(&folder, certificate, key, client_ca);
        let error = Files::open(files).unwrap_err().to_string();
        error.replace(&folder.path().display().to_string(), "DIR")
    }

    #[test]
    fn files_of_no_use_are_named_with_what_is_wrong() {
        let authority = Authority::new();
        let (certificate, key) = authority.server();
        let (_, other) = authority.server();
        let secret = key.lines().nth(1).unwrap();
        let none = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        let cut = &certificate[..certificate.len() / 2];
        let bad_key = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
        let long = "x".repeat(1 << 21);
        for (certificate, key, client_ca, says) in [
            ("", &*key, None, "certificate: DIR/tls.crt holds no certificate in PEM"),
            (&*key, &*key, None, "certificate: DIR/tls.crt holds no certificate in PEM"),
            (cut, &*key, None, "certificate: DIR/tls.crt is no PEM"),
            (none, &*key, None, "certificate: DIR/tls.crt holds a certificate that is none"),
            (&*long, &*key, None, "certificate: DIR/tls.crt has more than 1048576 bytes"),
            (&*certificate, "", None, "key: DIR/tls.key holds no private key in PEM"),
            (&*certificate, &*certificate, None, "key: DIR/tls.key holds no private key in PEM"),
            (
                &*certificate,
                bad_key,
                None,
                "key: DIR/tls.key holds a private key that is of no use",
            ),
            (&*certificate, &*other, None, "key: DIR/tls.key is not the key of the certificate"),
            (&*certificate, &*key, Some("x"), "client_ca: DIR/ca.crt holds no certificate in PEM"),
            (&*certificate, &*key, Some(none), "client_ca: DIR/ca.crt holds a certificate that is"),
        ] {
            let said = fault(certificate, key, client_ca);
            assert!(said.starts_with(&format!("listen.tcp.tls.{says}")), "{said}");
            assert!(!said.contains(secret), "the key is shown: {said}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let folder = TempDir::new().unwrap();
        let (certificate, key) = Authority::new().server();
        let files = mint::files(&folder, &certificate, &key, None);
        std::fs::remove_file(&files.key).unwrap();
        let said = Files::open(files).unwrap_err().to_string();
        assert!(said.contains("tls.key cannot be read: No such file"), "{said}");
    }
}
