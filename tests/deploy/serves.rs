//! What the chart writes, served by the program as a cluster would: by its user, in a
//! folder of the pod's group, with the API and the collector away.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use nix::unistd::{Gid, chown, geteuid};
use tempfile::TempDir;

use crate::{
    addresses::own_address,
    charts::TODAY,
    tools::{Helm, look},
};

/// Whom the image runs as.
const SIDECAR: u32 = 65532;
/// Whom the app runs as.
const APP: u32 = 10001;
/// A group of the pod that neither runs as.
const GROUP: u32 = 2000;

/// A pod's folders on this machine.
struct Pod {
    folder: TempDir,
    admin: String,
}

impl Pod {
    fn new(configuration: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let admin = own_address().to_string();
        let pod = Self { folder, admin };
        // Its users are other than the one that runs this.
        fs::set_permissions(pod.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = env!("CARGO_BIN_EXE_sidecall");
        if fs::hard_link(program, pod.program()).is_err() {
            fs::copy(program, pod.program()).unwrap();
        }
        let socket = pod.socket();
        fs::create_dir(socket.parent().unwrap()).unwrap();
        if geteuid().is_root() {
            // As the kubelet leaves an `emptyDir` where there is an `fsGroup`.
            chown(socket.parent().unwrap(), None, Some(Gid::from_raw(GROUP))).unwrap();
        }
        let mode = fs::Permissions::from_mode(0o2777);
        fs::set_permissions(socket.parent().unwrap(), mode).unwrap();
        let configuration = configuration
            .replace("/run/sidecall/sidecall.sock", socket.to_str().unwrap())
            .replace("0.0.0.0:9464", &pod.admin);
        assert!(configuration.contains(&pod.admin), "{configuration}");
        fs::write(pod.folder.path().join("sidecall.yaml"), configuration).unwrap();
        pod
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("sidecall")
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("run/sidecall.sock")
    }

    /// The program by this user, in the groups that are named.
    fn command(&self, user: u32, groups: &str) -> Command {
        let mut command = if geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", &user.to_string(), "--regid", &user.to_string()]);
            match groups {
                "" => command.arg("--clear-groups"),
                groups => command.args(["--groups", groups]),
            };
            command.arg("--no-new-privs").arg(self.program());
            command
        } else {
            Command::new(self.program())
        };
        command.current_dir("/").env_remove("SIDECALL_ADDRESS");
        command
    }

    /// Serves, once it takes turns.
    fn serve(&self) -> Serving {
        let mut command = self.command(SIDECAR, &GROUP.to_string());
        command.arg("serve").arg("--config").arg(self.folder.path().join("sidecall.yaml"));
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut serving = Serving(child);
        let mut said = Vec::new();
        for line in log.lines() {
            said.push(line.unwrap());
            if said.last().unwrap().contains("Serving ") {
                return serving;
            }
        }
        panic!("it ended with {:?}: {said:?}", serving.0.wait());
    }

    /// How a health check by somebody ends.
    fn health(&self, user: u32, groups: &str, arguments: &[&str]) -> Option<i32> {
        let mut command = self.command(user, groups);
        command.arg("healthcheck").args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap().code()
    }
}

struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A configuration that the chart writes, for APIs and a collector that are nowhere.
fn configuration() -> Option<String> {
    let helm = Helm::find()?;
    let values = "sidecall: {otlp: {endpoint: 'http://127.0.0.1:1'}, \
                  config: {apis: {crm: {url: 'http://127.0.0.1:1'}}}}";
    let said = helm.template("example-app", TODAY, &[values]);
    assert!(said.well, "{}", said.err);
    let seen = look(&BTreeMap::from([("rendered".to_owned(), said.out)]))?;
    let map = seen.documents["rendered"].iter().find(|document| document["kind"] == "ConfigMap");
    Some(map.unwrap()["data"]["sidecall.yaml"].as_str().unwrap().to_owned())
}

#[test]
fn it_is_ready_and_lives_whatever_the_api_and_the_collector_do() {
    let Some(configuration) = configuration() else { return };
    let pod = Pod::new(&configuration);
    let mut serving = pod.serve();
    let admin = format!("http://{}", pod.admin);
    for service in ["", "liveness"] {
        let arguments = ["--address", &admin, "--service", service];
        assert_eq!(pod.health(SIDECAR, "", &arguments), Some(0), "{service:?}");
    }
    let pid = serving.0.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    assert_eq!(serving.0.wait().unwrap().code(), Some(0));
}

#[test]
fn another_user_connects_by_the_pods_group_and_by_nothing_else() {
    let Some(configuration) = configuration() else { return };
    if !geteuid().is_root() {
        let line = b"left out: users other than the one that runs this, whom root alone becomes\n";
        std::io::stderr().write_all(line).unwrap();
        return;
    }
    let pod = Pod::new(&configuration);
    let _serving = pod.serve();
    let socket = fs::metadata(pod.socket()).unwrap();
    assert_eq!((socket.uid(), socket.gid(), socket.mode() & 0o777), (SIDECAR, GROUP, 0o660));
    let address = format!("unix://{}", pod.socket().display());
    let connects = |groups: &str| pod.health(APP, groups, &["--address", &address]);
    assert_eq!(connects(&GROUP.to_string()), Some(0));
    assert_eq!(connects(&(GROUP + 1).to_string()), Some(3));
    assert_eq!(connects(""), Some(3));
}
