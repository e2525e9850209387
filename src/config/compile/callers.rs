//! `callers:`: who is recognised by what, each thing by one caller alone.

use std::{
    collections::{HashMap, hash_map::Entry as Slot},
    hash::Hash,
    sync::Arc,
};

use super::Tools;
use crate::{
    config::{
        declared::callers::{Admin, Allowed, CallerName, Callers},
        file::{
            Decoder, Map, Placed,
            decode::{Entry, Place},
            scalar::OneOf,
        },
    },
    policy::{self, Caller, Policy},
    registry::nearest::nearest,
    rpc::{auth, listen::Tcp},
};

/// Looks across the callers.
pub(super) fn check(callers: &Placed<Callers>, tools: &Tools, decoder: &mut Decoder<'_>) {
    let Placed { value: Callers { jwt, allowed }, place } = callers;
    if allowed.0.is_empty() {
        let fix = "name them under `allowed`, or leave `callers` out to let everyone in";
        decoder.fault_at(place, "nobody may call", fix);
    }
    // Of what was faulty it is not said that it is missing.
    let was_clean = decoder.is_clean();
    let mut seen = Seen::default();
    let mut has_subjects = false;
    for Entry { text, value, place, .. } in &allowed.0 {
        let Some(allowed) = value else { continue };
        seen.enter(text, allowed, decoder);
        if was_clean && is_recognised_by_nothing(allowed) {
            let fix = "add `unix`, `certificate`, `token` or `subject`";
            decoder.fault_at(place, format!("nobody can be `{text}`"), fix);
        }
        let subjects = allowed.subjects.iter().flatten().flat_map(|subjects| &subjects.0);
        for subject in subjects {
            has_subjects = true;
            if jwt.is_none() {
                let fix = "add `callers.jwt`: {jwks: PATH, issuer: …, audience: …}";
                decoder.fault_at(&subject.place, "no issuer vouches for a `subject`", fix);
            }
        }
        check_tools(allowed, tools, decoder);
    }
    check_tenants(allowed, decoder);
    if let Some(jwt) = jwt.as_ref().filter(|_| !has_subjects && was_clean) {
        let fix = "name a `subject` of a caller, or leave `jwt` out";
        decoder.fault_at(&jwt.place, "nobody is let in by these tokens", fix);
    }
}

/// A tenant that a caller has for itself is nobody else's by the way.
fn check_tenants(allowed: &Map<CallerName, Allowed>, decoder: &mut Decoder<'_>) {
    let tenants = || {
        let entries = allowed.0.iter();
        entries.filter_map(|entry| Some((&entry.text, entry.value.as_ref()?.tenant.as_ref()?)))
    };
    for tenant in tenants().filter_map(|(_, tenant)| tenant.as_ref()) {
        let name = tenant.value.0.as_str();
        if tenants().any(|(caller, tenant)| caller == name && tenant.is_none()) {
            let fix = format!(
                "write another name; or write `tenant: {name}` at the caller `{name}`, too, if \
                 they are to share locks, answers and workers"
            );
            decoder.fault_at(
                &tenant.place,
                format!("`{name}` is another caller's own tenant"),
                fix,
            );
        }
    }
}

/// Looks at how the callers come: `tcp` is where others than processes on this machine
/// do.
pub(super) fn check_ways(
    callers: &Placed<Callers>,
    tcp: Option<&Placed<Tcp>>,
    decoder: &mut Decoder<'_>,
) {
    let allowed = || callers.value.allowed.0.iter().filter_map(|entry| entry.value.as_ref());
    let tls = tcp.and_then(|tcp| tcp.value.tls.as_ref());
    let asks = tls.is_some_and(|tls| tls.client_ca.is_some());
    for certificate in allowed().filter_map(|of| of.certificate.as_ref()?.as_ref()) {
        if !asks {
            let fix = "add `listen.tcp.tls` with `certificate`, `key` and `client_ca`";
            decoder.fault_at(&certificate.place, "nobody is asked for a certificate", fix);
        }
    }
    let Some(Placed { value: tcp, place }) = tcp else { return };
    let shows = |of: &Allowed| !matches!((&of.tokens, &of.subjects), (Some(None), Some(None)));
    if tcp.is_open() && allowed().any(shows) {
        let what = "tokens travel to this address for everyone on the way to read";
        decoder.warn(place, what, "add `tls: {certificate: …, key: …}`");
    }
    if !allowed().any(|of| shows(of) || !matches!(of.certificate, Some(None))) {
        let fix = "give a caller a `token`, a `subject` or a `certificate`, or leave `tcp` out";
        decoder.warn(place, "nobody may call at this address", fix);
    }
}

/// What was faulty counts as something.
fn is_recognised_by_nothing(allowed: &Allowed) -> bool {
    let Allowed { unix, certificate, tokens, subjects, .. } = allowed;
    let no_process = unix.as_ref().is_some_and(|unix| {
        unix.as_ref().is_none_or(|unix| unix.uids.is_empty() && unix.gids.is_empty())
    });
    let no_certificate = certificate.as_ref().is_some_and(|certificate| {
        certificate.as_ref().is_none_or(|certificate| certificate.value.names.is_empty())
    });
    let no_tokens =
        tokens.as_ref().is_some_and(|all| all.as_ref().is_none_or(|all| all.0.is_empty()));
    let no_subjects =
        subjects.as_ref().is_some_and(|all| all.as_ref().is_none_or(|all| all.0.is_empty()));
    no_process && no_certificate && no_tokens && no_subjects
}

/// A worker may offer a tool that the file does not have, so a name that is nobody's
/// is no fault; one that is nearly a tool's is most likely a slip.
fn check_tools(allowed: &Allowed, tools: &Tools, decoder: &mut Decoder<'_>) {
    let names = || tools.0.iter().map(|entry| entry.text.as_str());
    let patterns = allowed.tools.iter().flatten().flatten();
    for Placed { value, place } in patterns.filter(|pattern| pattern.value.0.is_name()) {
        let name = value.0.as_str();
        if names().any(|known| known == name) {
            continue;
        }
        if let Some(meant) = nearest(name, names()).first() {
            let fix = format!("write `{meant}`, if no worker offers this one");
            decoder.warn(place, format!("there is no tool `{name}`"), fix);
        }
    }
}

/// Who is recognised by what, so far.
#[derive(Default)]
struct Seen<'a> {
    uids: HashMap<u32, &'a str>,
    gids: HashMap<u32, &'a str>,
    names: HashMap<String, &'a str>,
    tokens: HashMap<&'a policy::Token, &'a str>,
    subjects: HashMap<&'a str, &'a str>,
}

impl<'a> Seen<'a> {
    fn enter(&mut self, caller: &'a str, allowed: &'a Allowed, decoder: &mut Decoder<'_>) {
        let Allowed { unix, certificate, tokens, subjects, .. } = allowed;
        if let Some(Some(unix)) = unix {
            for Placed { value, place } in &unix.uids {
                let what = format!("the user {}", value.0);
                once(&mut self.uids, value.0, caller, decoder, (&what, place));
            }
            for Placed { value, place } in &unix.gids {
                let what = format!("the group {}", value.0);
                once(&mut self.gids, value.0, caller, decoder, (&what, place));
            }
        }
        if let Some(Some(certificate)) = certificate {
            for Placed { value, place } in &certificate.value.names {
                let what = format!("the name `{}`", value.0);
                let name = policy::folded(&value.0);
                once(&mut self.names, name, caller, decoder, (&what, place));
            }
        }
        for Placed { value, place } in tokens.iter().flatten().flat_map(|all| &all.0) {
            once(&mut self.tokens, &value.0, caller, decoder, ("this token", place));
        }
        for Placed { value, place } in subjects.iter().flatten().flat_map(|all| &all.0) {
            let what = format!("the subject `{}`", value.0);
            once(&mut self.subjects, &*value.0, caller, decoder, (&what, place));
        }
    }
}

/// Reports what somebody is recognised by already.
fn once<'a, K: Eq + Hash>(
    seen: &mut HashMap<K, &'a str>,
    key: K,
    caller: &'a str,
    decoder: &mut Decoder<'_>,
    (what, place): (&str, &Place),
) {
    match seen.entry(key) {
        Slot::Vacant(slot) => {
            slot.insert(caller);
        }
        Slot::Occupied(slot) if *slot.get() == caller => {
            decoder.fault_at(place, format!("{what} stands here twice"), "keep one of them");
        }
        Slot::Occupied(slot) => {
            let fix = "keep it with one caller: it could be either";
            decoder.fault_at(place, format!("{what} is `{}` already", slot.get()), fix);
        }
    }
}

/// Who may call, where that is said. All of it was checked.
pub(super) fn settings(callers: Option<Placed<Callers>>) -> Option<Option<auth::Settings>> {
    let Some(Placed { value: Callers { jwt, allowed }, .. }) = callers else { return Some(None) };
    let entries: Option<Vec<_>> =
        allowed.0.into_iter().map(|entry| self::entry(entry.name?, entry.value?)).collect();
    let jwt = jwt.map(|jwt| auth::jwt::Settings {
        keys: jwt.value.jwks.0,
        issuer: jwt.value.issuer,
        audience: jwt.value.audience,
    });
    Some(Some(auth::Settings { policy: Policy::new(entries?), jwt }))
}

fn entry(name: CallerName, allowed: Allowed) -> Option<policy::Entry> {
    let Allowed { unix, certificate, tokens, subjects, tools, tenant, limits, admin } = allowed;
    let tools = tools?.map(|all| all.into_iter().map(|tool| tool.value.0).collect());
    let OneOf(admin) = admin?;
    let caller = Caller {
        owner: name.owner,
        tenant: tenant?.map_or(name.tenant, |tenant| tenant.value.0),
        tools: tools.map_or(policy::Tools::All, policy::Tools::Matching),
        limits: limits?.unwrap_or_default(),
        is_admin: admin == Admin::On,
    };
    let (uids, gids) = unix?.map(|unix| (unix.uids, unix.gids)).unwrap_or_default();
    let names = certificate?.map(|certificate| certificate.value.names).unwrap_or_default();
    let tokens = tokens?.map(|all| all.0).unwrap_or_default();
    let subjects = subjects?.map(|all| all.0).unwrap_or_default();
    Some(policy::Entry {
        caller: Arc::new(caller),
        uids: uids.into_iter().map(|id| id.value.0).collect(),
        gids: gids.into_iter().map(|id| id.value.0).collect(),
        names: names.into_iter().map(|name| name.value.0).collect(),
        tokens: tokens.into_iter().map(|token| token.value.0).collect(),
        subjects: subjects.into_iter().map(|subject| subject.value.0).collect(),
    })
}
