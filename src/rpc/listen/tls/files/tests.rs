use std::{fs, os::unix::fs::symlink, path::Path};

use tempfile::TempDir;

use super::{
    super::mint::{self, Authority},
    *,
};

/// Files as a Kubernetes secret is mounted: links through a folder that is a link.
struct Secret(TempDir);

impl Secret {
    fn new() -> Self {
        let secret = Self(TempDir::new().unwrap());
        for name in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), secret.0.path().join(name)).unwrap();
        }
        secret
    }

    /// Swaps all of it in one step.
    fn swap(&self, version: &str, (certificate, key): &(String, String)) {
        let folder = self.0.path().join(version);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("tls.crt"), certificate).unwrap();
        fs::write(folder.join("tls.key"), key).unwrap();
        let link = self.0.path().join("..tmp");
        symlink(version, &link).unwrap();
        fs::rename(link, self.0.path().join("..data")).unwrap();
    }

    fn open(&self) -> (Files, Current) {
        let path = |name| self.0.path().join(name);
        let settings = Tls { certificate: path("tls.crt"), key: path("tls.key"), client_ca: None };
        Files::open(settings).unwrap()
    }
}

#[tokio::test]
async fn a_secret_that_kubernetes_swaps_is_taken_and_what_was_begun_with_stays() {
    let authority = Authority::new();
    let secret = Secret::new();
    secret.swap("..1", &authority.server());
    let (mut files, current) = secret.open();
    let first = current.get();
    files.look().await;
    assert!(Arc::ptr_eq(&first, &current.get()), "nothing has changed");

    secret.swap("..2", &authority.server());
    files.look().await;
    let second = current.get();
    assert!(!Arc::ptr_eq(&first, &second));
    files.look().await;
    assert!(Arc::ptr_eq(&second, &current.get()));
}

#[tokio::test]
async fn what_is_broken_changes_nothing_and_is_told_once_until_it_is_whole() {
    let authority = Authority::new();
    let folder = TempDir::new().unwrap();
    let (certificate, key) = authority.server();
    let settings = mint::files(&folder, &certificate, &key, None);
    let (mut files, current) = Files::open(settings.clone()).unwrap();
    let first = current.get();
    let (next_certificate, next_key) = authority.server();

    // Half of a new pair.
    fs::write(&settings.certificate, &next_certificate).unwrap();
    files.look().await;
    let fault = files.fault.clone().unwrap().to_string();
    assert!(fault.contains("tls.key is not the key of the certificate in"), "{fault}");
    fs::remove_file(&settings.key).unwrap();
    files.look().await;
    let fault = files.fault.clone().unwrap().to_string();
    assert!(fault.contains("tls.key cannot be read"), "{fault}");
    assert!(Arc::ptr_eq(&first, &current.get()));

    fs::write(&settings.key, &next_key).unwrap();
    files.look().await;
    assert_eq!(files.fault, None);
    let second = current.get();
    assert!(!Arc::ptr_eq(&first, &second));

    // Broken, and put back as it was.
    fs::write(&settings.key, "nothing").unwrap();
    files.look().await;
    assert!(files.fault.is_some());
    fs::write(&settings.key, &next_key).unwrap();
    files.look().await;
    assert_eq!(files.fault, None);
    assert!(Arc::ptr_eq(&second, &current.get()), "it is served all the time");
}

#[tokio::test(start_paused = true)]
async fn the_files_are_followed_until_everything_ends() {
    let authority = Authority::new();
    let secret = Secret::new();
    secret.swap("..1", &authority.server());
    let (files, mut current) = secret.open();
    let drain = crate::drain::Drain::new();
    let following = drain.spawn(files.follow(drain.killed().clone()));
    secret.swap("..2", &authority.server());
    current.0.changed().await.unwrap();
    drain.kill();
    following.await.unwrap();
}
