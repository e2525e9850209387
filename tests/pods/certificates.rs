//! Certificates that change under a pod that works on, over TCP with both sides
//! authenticated.

use std::{fs, path::PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::{process::Command, time::timeout};

use crate::{
    often,
    place::{IMAGE, Place},
    rollouts::change_image,
    support::PATIENCE,
};

/// Requests that show that all goes on as before.
const ONWARDS: usize = 20;

/// Who signs certificates.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for this name, and its key.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// The secret with the server's certificate, in a new version.
fn mount(place: &Place, server: &Authority, clients: &str) {
    let (certificate, key) = server.sign("localhost");
    place.mount("tls", &[("tls.crt", &certificate), ("tls.key", &key), ("ca.crt", clients)]);
}

/// The files of a client that trusts these authorities, in a folder of that name.
fn client(place: &Place, name: &str, trusts: &str, of: &Authority) -> [String; 3] {
    let folder = place.path().join(name);
    fs::create_dir(&folder).unwrap();
    let (certificate, key) = of.sign("agent");
    let write = |name: &str, text: &str| {
        let path: PathBuf = folder.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    [write("ca.crt", trusts), write("tls.crt", &certificate), write("tls.key", &key)]
}

/// Whether who has these files is served.
async fn is_served(place: &Place, [ca, cert, key]: &[String; 3]) -> bool {
    let mut command = Command::new(IMAGE);
    command.args(["healthcheck", "--timeout", "5", "--address", &place.tcp_address()]);
    command.args(["--ca", ca, "--cert", cert, "--key", key]).kill_on_drop(true);
    command.output().await.unwrap().status.success()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_that_change_cost_no_call() {
    often("certificate rotation", async |rng, place| {
        let (old, new) = (Authority::new("the old one"), Authority::new("the new one"));
        let both = format!("{}{}", old.pem, new.pem);
        mount(place, &old, &both);
        place.configure_encrypted();
        let [ca, cert, key] = client(place, "agent", &both, &old);
        let knows_new = client(place, "new", &new.pem, &new);
        let knows_old = client(place, "old", &old.pem, &old);
        let address = place.tcp_address();
        let words = ["--address", &address, "--ca", &ca, "--cert", &cert, "--key", &key];
        let pod = place.pod(place.usual(&words));
        place.asked(rng.usize(1..40)).await;
        assert!(!is_served(place, &knows_new).await);

        mount(place, &new, &both);
        let is_swapped = async { while !is_served(place, &knows_new).await {} };
        timeout(PATIENCE, is_swapped).await.expect("the new certificate is never shown");
        assert!(!is_served(place, &knows_old).await, "the old one is not shown any more");
        place.asked(ONWARDS).await;
        // The agent's connection was not touched so far; now it makes another.
        if rng.bool() {
            change_image(&pod, place, IMAGE.as_ref(), 1).await;
            place.asked(ONWARDS).await;
        }
        pod.delete().await;
        let tally = place.judge(0).await;
        assert_eq!((tally.synthetic, tally.raised), (0, 0), "{tally:?}");
        tally
    })
    .await;
}
