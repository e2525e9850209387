//! Under which names the admin port answers HTTP.
//!
//! A page of any site can have its own name resolve to a pod's address and then read
//! what it says, as that site (DNS rebinding). Its browser still names the site as
//! the request's host. So only names are answered that nobody can own on the
//! internet, and those that the configuration lists.

use std::net::IpAddr;

/// What names end in that no registry sells: a cluster's services, and what RFC 6761,
/// RFC 6762, RFC 8375 and ICANN keep for private use.
const PRIVATE: [&str; 5] = ["localhost", "svc", "local", "internal", "home.arpa"];

/// RFC 1035, section 2.3.4.
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// A name that may be asked under, or with `*.` in front all names below it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Host {
    name: String,
    is_suffix: bool,
}

impl Host {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub fn try_new(text: &str) -> Result<Self, &'static str> {
        let (is_suffix, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        if name.contains(':') {
            return Err("it has a port or a scheme");
        }
        if !is_name(name) {
            return Err("it is no host name");
        }
        Ok(Self { name: name.to_ascii_lowercase(), is_suffix })
    }

    fn covers(&self, name: &str) -> bool {
        match self.is_suffix {
            true => is_below(name, &self.name),
            false => name == self.name,
        }
    }
}

/// Whether a request for this authority, `host` or `host:port`, may be answered.
pub(super) fn is_answered(authority: &str, listed: &[Host]) -> bool {
    let Some(host) = host(authority) else { return false };
    if host.parse::<IpAddr>().is_ok() {
        return true;
    }
    if !is_name(host) {
        return false;
    }
    let name = host.to_ascii_lowercase();
    // A name without a dot is one of the machine's or the cluster's own.
    let is_private = !name.contains('.')
        || PRIVATE.iter().any(|suffix| name == *suffix || is_below(&name, suffix));
    is_private || listed.iter().any(|listed| listed.covers(&name))
}

/// The host of an authority, without its port, a last dot and an IPv6 address's
/// brackets.
fn host(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.contains(':').then_some(())?;
            (address, port.strip_prefix(':').or(port.is_empty().then_some("0")))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, Some("0")),
        },
    };
    // RFC 3986: a port may be empty.
    let is_port = port?.bytes().all(|byte| byte.is_ascii_digit());
    is_port.then(|| host.strip_suffix('.').unwrap_or(host))
}

fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label)
}

/// Whether `name` is one of the names below `suffix`, and not that itself.
fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(hosts: &[&str]) -> Vec<Host> {
        hosts.iter().map(|host| Host::try_new(host).unwrap()).collect()
    }

    #[test]
    fn a_name_that_somebody_may_own_is_not_answered() {
        for authority in [
            "evil.example",
            "evil.example:9464",
            "svc.evil.example",
            "notlocal.dev",
            "sidecall.dev",
            "10.0.0.1.evil.example",
            "127.0.0.1.nip.io:9464",
            "local.",
            "",
            ":9464",
            ".local",
            "a..local",
            "a@b.local",
            "user@127.0.0.1",
            "127.0.0.1/x",
            "[::1",
            "[::1]x",
            "[127.0.0.1]",
            "::1",
            "127.0.0.1:94a",
            "a b.local",
            "evilsvc.example",
            "xlocalhost.example",
        ] {
            // A name alone is the machine's own, also with the dot of the root.
            let is_own = matches!(authority, "local.");
            assert_eq!(is_answered(authority, &[]), is_own, "{authority}");
        }
        let long = format!("{}.local", "a.".repeat(130));
        assert!(!is_answered(&long, &[]));
    }

    #[test]
    fn addresses_and_the_clusters_own_names_are() {
        for authority in [
            "10.1.2.3",
            "10.1.2.3:9464",
            "[2001:db8::1]:9464",
            "[::1]",
            "[::1]:",
            "localhost:9464",
            "LOCALHOST",
            "app.localhost",
            "sidecall",
            "sidecall:9464",
            "sidecall.agents.svc:9464",
            "sidecall.agents.svc.cluster.local.",
            "10-1-2-3.agents.pod.cluster.local:9464",
            "ip-10-1-2-3.eu-west-1.compute.internal:9464",
            "box.home.arpa",
        ] {
            assert!(is_answered(authority, &[]), "{authority}");
        }
    }

    #[test]
    fn what_the_configuration_lists_is_and_nothing_beside_it() {
        let listed = listed(&["Metrics.Example.com", "*.k8s.example.com"]);
        for (authority, answered) in [
            ("metrics.example.com:9464", true),
            ("METRICS.EXAMPLE.COM.", true),
            ("a.metrics.example.com", false),
            ("example.com", false),
            ("sidecall.agents.svc.k8s.example.com", true),
            ("k8s.example.com", false),
            ("evilk8s.example.com", false),
        ] {
            assert_eq!(is_answered(authority, &listed), answered, "{authority}");
        }
    }

    #[test]
    fn what_is_no_name_is_not_taken_into_the_list() {
        for text in ["", "*", "*.", "*.*.a", "a:80", "http://a", "a..b", "a/b", "a b", "[::1]"] {
            assert!(Host::try_new(text).is_err(), "{text}");
        }
    }
}
