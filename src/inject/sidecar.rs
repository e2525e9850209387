//! What is put into a pod. The Helm chart and the kustomize component write the
//! same.

use super::{Layout, render::Value};

/// The container's name.
pub(super) const NAME: &str = "sidecall";
/// The volume with the socket, in the sidecar and in the containers that call it.
pub(super) const SOCKET: &str = "sidecall-socket";
/// The volume with the configuration.
pub(super) const CONFIG: &str = "sidecall-config";
/// An empty volume, over the token of Kubernetes' API that pods have.
const NO_TOKEN: &str = "sidecall-no-token";
/// Where that token would be. What is mounted there already stays.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// What the name of a Secret's volume begins with.
pub(super) const SECRET: &str = "sidecall-secret-";
/// Where the socket's volume is mounted.
pub(super) const SOCKET_PATH: &str = "/run/sidecall";
/// The variable that tells clients where the socket is, and its value.
pub(super) const ADDRESS: (&str, &str) = ("SIDECALL_ADDRESS", "unix:///run/sidecall/sidecall.sock");
/// The port of health and metrics.
pub(super) const ADMIN_PORT: u32 = 9464;
/// The user and group of the image. The group may use the socket as well.
pub(super) const GROUP: u32 = 65532;

/// What of a sidecar differs from pod to pod.
#[derive(Debug)]
pub(super) struct Sidecar<'a> {
    pub(super) image: &'a str,
    pub(super) config_map: &'a str,
    pub(super) secrets: &'a [String],
    pub(super) layout: Layout,
}

impl Sidecar<'_> {
    /// The container.
    pub(super) fn container(&self) -> Value {
        let list = |items: &[&str]| Value::List(items.iter().map(|item| (*item).into()).collect());
        let mut container: Vec<(&str, Value)> =
            vec![("name", NAME.into()), ("image", self.image.into())];
        if self.layout == Layout::Native {
            container.push(("restartPolicy", "Always".into()));
        }
        let mut mounts = vec![
            mount(),
            read_only(CONFIG, "/etc/sidecall".to_owned()),
            read_only(NO_TOKEN, TOKEN_PATH.to_owned()),
        ];
        mounts.extend(self.secrets.iter().map(|secret| {
            read_only(&secret_volume(secret), format!("/var/run/secrets/sidecall/{secret}"))
        }));
        let port = Value::from([("name", "admin".into()), ("containerPort", ADMIN_PORT.into())]);
        let requests = Value::from([("cpu", "50m".into()), ("memory", "32Mi".into())]);
        let limits = Value::from([("memory", "128Mi".into())]);
        container.extend([
            ("args", list(&["serve", "--config", "/etc/sidecall/sidecall.yaml"])),
            ("ports", Value::List(vec![port])),
            ("startupProbe", probe(None, 1, 60)),
            ("readinessProbe", probe(None, 5, 3)),
            ("livenessProbe", probe(Some("liveness"), 10, 3)),
            ("resources", [("requests", requests), ("limits", limits)].into()),
            ("securityContext", security(list(&["ALL"]))),
            ("volumeMounts", Value::List(mounts)),
        ]);
        let entries = container.into_iter().map(|(key, value)| (key.to_owned(), value));
        Value::Map(entries.collect())
    }

    /// The pod's volumes.
    pub(super) fn volumes(&self) -> Vec<Value> {
        let memory = Value::from([("medium", "Memory".into()), ("sizeLimit", "1Mi".into())]);
        let nothing = Value::from([("sizeLimit", "1Mi".into())]);
        let config = Value::from([("name", self.config_map.into())]);
        let mut volumes = vec![
            Value::from([("name", SOCKET.into()), ("emptyDir", memory)]),
            Value::from([("name", NO_TOKEN.into()), ("emptyDir", nothing)]),
            Value::from([("name", CONFIG.into()), ("configMap", config)]),
        ];
        volumes.extend(self.secrets.iter().map(|secret| {
            // By its group the sidecar reads it.
            let files = [("secretName", secret.as_str().into()), ("defaultMode", 0o440.into())];
            Value::from([("name", secret_volume(secret).into()), ("secret", files.into())])
        }));
        volumes
    }
}

/// Whether a volume's name is one of ours.
pub(super) fn is_volume(name: &str) -> bool {
    [SOCKET, CONFIG, NO_TOKEN].contains(&name) || name.starts_with(SECRET)
}

/// The volume of a Secret.
pub(super) fn secret_volume(secret: &str) -> String {
    format!("{SECRET}{}", secret.replace('.', "-"))
}

fn probe(service: Option<&str>, period: u32, failures: u32) -> Value {
    let port = ("port", ADMIN_PORT.into());
    let grpc = match service {
        Some(service) => [port, ("service", service.into())].into(),
        None => [port].into(),
    };
    [("grpc", grpc), ("periodSeconds", period.into()), ("failureThreshold", failures.into())].into()
}

fn security(all: Value) -> Value {
    [
        ("runAsNonRoot", true.into()),
        ("runAsUser", GROUP.into()),
        ("runAsGroup", GROUP.into()),
        ("allowPrivilegeEscalation", false.into()),
        ("readOnlyRootFilesystem", true.into()),
        ("capabilities", [("drop", all)].into()),
        ("seccompProfile", [("type", "RuntimeDefault".into())].into()),
    ]
    .into()
}

/// The socket's mount.
pub(super) fn mount() -> Value {
    [("name", SOCKET.into()), ("mountPath", SOCKET_PATH.into())].into()
}

/// The clients' variable.
pub(super) fn address() -> Value {
    [("name", ADDRESS.0.into()), ("value", ADDRESS.1.into())].into()
}

fn read_only(name: &str, path: String) -> Value {
    [("name", name.into()), ("mountPath", path.into()), ("readOnly", true.into())].into()
}
