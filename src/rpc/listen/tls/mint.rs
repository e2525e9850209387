//! Certificates for the tests.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tempfile::TempDir;

use super::{HTTP2, Tls};

/// An authority that signs what it is told to.
pub(in super::super) struct Authority {
    pub(in super::super) certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(in super::super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// The certificate of a server on this machine, and its key.
    pub(in super::super) fn server(&self) -> (String, String) {
        self.sign(CertificateParams::new(["localhost".to_owned()]).unwrap())
    }

    /// The certificate of a client with every kind of name, and its key.
    pub(in super::super) fn client(&self) -> (String, String) {
        let mut params = CertificateParams::new(["planner.agents.svc".to_owned()]).unwrap();
        let spiffe = "spiffe://cluster/ns/agents/sa/planner".try_into().unwrap();
        params.subject_alt_names.push(SanType::URI(spiffe));
        params.distinguished_name.push(DnType::CommonName, "planner");
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// What a client that trusts this authority speaks with.
    pub(in super::super) fn trusted(&self, identity: Option<(String, String)>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let pem = |text: &str| CertificateDer::from_pem_slice(text.as_bytes()).unwrap();
        roots.add(pem(&self.certificate)).unwrap();
        let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                config.with_client_auth_cert(vec![pem(&certificate)], key).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![HTTP2.to_vec()];
        config
    }
}

/// Files with these contents.
pub(in super::super) fn files(
    folder: &TempDir,
    certificate: &str,
    key: &str,
    client_ca: Option<&str>,
) -> Tls {
    let path = |name| folder.path().join(name);
    let files = Tls {
        certificate: path("tls.crt"),
        key: path("tls.key"),
        client_ca: client_ca.map(|_| path("ca.crt")),
    };
    fs::write(&files.certificate, certificate).unwrap();
    fs::write(&files.key, key).unwrap();
    if let (Some(path), Some(pem)) = (&files.client_ca, client_ca) {
        fs::write(path, pem).unwrap();
    }
    files
}
