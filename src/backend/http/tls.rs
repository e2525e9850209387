//! Whom an API's connections trust.

use std::sync::{Arc, OnceLock};

use http::uri::Scheme;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

use super::ApiSettings;

/// The client side of TLS for an API. An API without TLS trusts nobody, which
/// saves reading the roots.
///
/// # Errors
///
/// The settings' own authorities cannot be used.
pub(super) fn client(settings: &ApiSettings) -> Result<ClientConfig, rustls::Error> {
    let mut roots = match settings.url.scheme == Scheme::HTTPS {
        true => public().clone(),
        false => RootCertStore::empty(),
    };
    for certificate in settings.ca.iter().flat_map(|bundle| &bundle.0) {
        roots.add(certificate.clone())?;
    }
    // The provider is named here, so that nothing global must be installed first.
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// The public authorities and the system's. The former come with the program,
/// so that it starts in an image without any file; the latter hold what a
/// company adds. Read once.
fn public() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            tracing::debug!(%error, "a system certificate was passed over");
        }
        let public = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned();
        let (_, refused) = roots.add_parsable_certificates(system.certs.into_iter().chain(public));
        tracing::debug!(trusted = roots.len(), refused, "authorities read");
        roots
    })
}
