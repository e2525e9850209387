//! A moment of the process as lines, for any width, with Unicode or without.

use super::rows::{Section, or_dash, queue, usage};
use crate::{
    cli::{
        terminal::{Ink, Look, harmless, wrapped},
        waterfall::{
            draw::{count, text as shown},
            time,
        },
    },
    proto::v1,
};

/// Cells of a bucket's gauge.
const GAUGE: usize = 10;

/// All of it.
pub(crate) fn text(status: &v1::StatusResponse, look: &Look) -> Vec<String> {
    let process = status.process.clone().unwrap_or_default();
    let mut lines = self::process(&process, status.locks.as_ref(), look);
    let sections = [
        apis(status, look),
        tools(status, look),
        workers(status.workers.as_ref(), look),
        locks(status.locks.as_ref(), look),
        budgets(status.budgets.as_ref(), look),
    ];
    for section in sections.into_iter().flatten() {
        lines.push(String::new());
        lines.extend(section);
    }
    lines
}

fn process(
    process: &v1::ProcessStatus,
    locks: Option<&v1::LocksStatus>,
    look: &Look,
) -> Vec<String> {
    let v1::ProcessStatus { batches, calls, attempts, waiting, sessions, config, memory, .. } =
        process;
    let of = |usage: &Option<v1::Usage>, what: &str| {
        let v1::Usage { used, max } = usage.unwrap_or_default();
        match max {
            Some(max) => format!("{used} of {max} {what}"),
            None => format!("{used} {what}"),
        }
    };
    let name = look.paint(Ink::Bold, &format!("sidecall {}", harmless(&process.version)));
    let mut lines = vec![format!("{name}, up {}", shown(time(process.uptime)))];
    if process.draining {
        let text = "draining: the open batches go on, new turns are refused";
        lines.push(look.paint(Ink::Bad, &format!("  {text}")));
    }
    let waiting = match waiting {
        0 => "nothing waits".to_owned(),
        1 => look.paint(Ink::Waiting, "1 call waits"),
        n => look.paint(Ink::Waiting, &format!("{n} calls wait")),
    };
    let open = format!(
        "{} and {}, {}",
        of(batches, "batches"),
        of(calls, "calls open"),
        count(*sessions as usize, "session")
    );
    let indented = |text: &str| wrapped(text, look.width.saturating_sub(3)).into_iter();
    lines.extend(indented(&open).map(|line| format!("  {line}")));
    lines.push(format!("  {}, {waiting}", of(attempts, "attempts in flight")));
    if let Some(v1::LocksStatus { held, waiting, .. }) = locks.filter(|locks| locks.keys > 0) {
        let text = format!(
            "{} {} keys, {waiting} {}",
            count(*held as usize, "call"),
            if *held == 1 { "holds" } else { "hold" },
            if *waiting == 1 { "waits for its" } else { "wait for theirs" }
        );
        let ink = if *waiting > 0 { Ink::Waiting } else { Ink::Plain };
        lines.push(look.paint(ink, &format!("  {text}")));
    }
    lines.extend(memory.iter().flat_map(|memory| self::memory(memory, look)));
    lines.extend(config.iter().flat_map(|config| self::config(config, look)));
    lines
}

fn memory(memory: &v1::MemoryStatus, look: &Look) -> Vec<String> {
    let v1::MemoryStatus { used_bytes, max_bytes, shed_at_percent, short, refused } = memory;
    let mut lines =
        vec![format!("  {} of {} of memory in use", size(*used_bytes), size(*max_bytes))];
    if *short {
        let text = format!(
            "from {shed_at_percent}% on new turns are refused while others are open: {refused} so far"
        );
        lines.extend(under(&text, Ink::Bad, look));
    }
    lines
}

fn config(config: &v1::ConfigStatus, look: &Look) -> Vec<String> {
    let v1::ConfigStatus { generation, age, refused, refusal } = config;
    let mut lines = vec![format!("  configuration {generation}, for {}", shown(time(*age)))];
    if *refused {
        lines.extend(under("its file has changed and was not taken over:", Ink::Bad, look));
        let why = match refusal.as_str() {
            "" => "the log of the server says why",
            why => why,
        };
        lines.extend(why.lines().flat_map(|line| under(&harmless(line), Ink::Bad, look)));
    }
    lines
}

/// Said below a line of the process.
fn under(text: &str, ink: Ink, look: &Look) -> Vec<String> {
    let lines = wrapped(text, look.width.saturating_sub(5)).into_iter();
    lines.map(|line| look.paint(ink, &format!("    {line}"))).collect()
}

pub(super) fn apis(status: &v1::StatusResponse, look: &Look) -> Option<Vec<String>> {
    let mut section = Section::new("API", &["in flight", "waiting", "longest", "next grant"]);
    for api in &status.apis {
        let waits = api.queue.unwrap_or_default().used > 0;
        let cells = [
            usage(api.attempts.as_ref()),
            queue(api.queue.as_ref()),
            or_dash(api.longest_wait),
            or_dash(api.next_grant),
        ];
        let ink = if waits { Ink::Waiting } else { Ink::Plain };
        section.row(&api.name, cells, ink);
        if let Some(paused) = api.paused {
            let text = format!("for {}, as it asked to be left alone", shown(time(Some(paused))));
            section.detail("paused", text, Ink::Waiting);
        }
        if let Some((text, ink)) = api.breaker.as_ref().and_then(breaker) {
            section.detail("breaker", text, ink);
        }
        for bucket in &api.buckets {
            let (label, text) = self::bucket(bucket, look);
            section.detail(&label, text, Ink::Plain);
        }
        if let Some(retries) = api.retries.filter(|retries| retries.retries > 0) {
            let v1::RetryStatus { retries, left, .. } = retries;
            let ink = if left == 0 { Ink::Waiting } else { Ink::Plain };
            section.detail(
                "retries",
                format!("{retries} in the last 10 s, {left} more may be made"),
                ink,
            );
        }
    }
    section.lines(status.apis_omitted, "API", look)
}

/// What is to be said of a breaker; nothing where all is well.
fn breaker(breaker: &v1::BreakerStatus) -> Option<(String, Ink)> {
    let why = harmless(&breaker.why);
    let of_window = match (breaker.window_failures, breaker.window_attempts) {
        (Some(failures), Some(attempts)) if failures > 0 => {
            Some(format!("{failures} of the last {attempts} attempts failed"))
        }
        _ => None,
    };
    match breaker.state() {
        v1::BreakerState::Open => {
            let next = shown(time(breaker.next_probe));
            Some((format!("open, calls fail at once; next attempt in {next}: {why}"), Ink::Bad))
        }
        v1::BreakerState::HalfOpen => {
            let probes = match breaker.probes {
                0 => "the next call finds out".to_owned(),
                n => format!(
                    "{} {} finding out",
                    count(n as usize, "attempt"),
                    if n == 1 { "is" } else { "are" }
                ),
            };
            Some((format!("half-open, {probes}: {why}"), Ink::Waiting))
        }
        v1::BreakerState::Closed | v1::BreakerState::Unspecified => {
            let in_a_row = match breaker.consecutive_failures {
                0 => None,
                n => Some(format!("{} in a row", count(n as usize, "failure"))),
            };
            let told: Vec<_> = in_a_row.into_iter().chain(of_window).collect();
            (!told.is_empty()).then(|| (format!("closed, {}", told.join(", ")), Ink::Plain))
        }
    }
}

fn bucket(bucket: &v1::BucketStatus, look: &Look) -> (String, String) {
    let rate = harmless(&bucket.rate);
    let burst = bucket.burst;
    let level = |level: &v1::BucketLevel| match level.next_token {
        Some(next) => {
            format!("{} of {burst} tokens, one more in {}", level.level, shown(time(Some(next))))
        }
        None => format!("{} of {burst} tokens", level.level),
    };
    let whose = match bucket.scope() {
        v1::BucketScope::Session => "session",
        v1::BucketScope::Tenant => "tenant",
        v1::BucketScope::Api | v1::BucketScope::Unspecified => {
            let only = bucket.lowest.first().cloned().unwrap_or_default();
            return (rate, format!("{} {}", gauge(only.level, burst, look), level(&only)));
        }
    };
    let text = match (bucket.kept, bucket.lowest.first()) {
        (0, _) => format!("no {whose} has used any"),
        (kept, None) => format!("kept for {}", count(kept as usize, whose)),
        (kept, Some(lowest)) => {
            let owner = harmless(&lowest.owner);
            let more = match bucket.lowest.get(1..).unwrap_or_default() {
                [] => String::new(),
                more => {
                    let each =
                        more.iter().map(|one| format!("; {} {}", harmless(&one.owner), one.level));
                    each.collect()
                }
            };
            format!("{}, the lowest: {owner} {}{more}", count(kept as usize, whose), level(lowest))
        }
    };
    (format!("{rate} per {whose}"), text)
}

/// How full a bucket is, at a glance.
fn gauge(level: u32, burst: u32, look: &Look) -> String {
    let cells = GAUGE as u64 * u64::from(level) / u64::from(burst.max(1));
    let full = usize::try_from(cells).unwrap_or(GAUGE).min(GAUGE);
    let (full, empty) =
        (look.pick("█", "#").repeat(full), look.pick("░", ".").repeat(GAUGE - full));
    format!("{full}{empty}")
}

fn tools(status: &v1::StatusResponse, look: &Look) -> Option<Vec<String>> {
    let mut section = Section::new("tool", &["in flight", "cached", "bytes", "hits"]);
    for tool in &status.tools {
        let cache = tool.cache.as_ref();
        let hits = cache.map(|cache| (cache.hits, cache.hits + cache.misses));
        let hits = match hits {
            None | Some((_, 0)) => "-".to_owned(),
            Some((hits, all)) => format!("{} %", hits * 100 / all),
        };
        let cells = [
            usage(tool.attempts.as_ref()),
            usage(cache.and_then(|cache| cache.entries.as_ref())),
            cache.map_or_else(|| "-".to_owned(), |cache| size(cache.bytes)),
            hits,
        ];
        let is_full = tool.attempts.is_some_and(|at| at.max.is_some_and(|max| at.used >= max));
        section.row(&tool.name, cells, if is_full { Ink::Waiting } else { Ink::Plain });
    }
    section.lines(status.tools_omitted, "tool", look)
}

fn workers(workers: Option<&v1::WorkersStatus>, look: &Look) -> Option<Vec<String>> {
    let workers = workers?;
    let mut section = Section::new("worker", &["in flight", "heard"]);
    for worker in &workers.busiest {
        let heard = format!("{} ago", shown(time(worker.silence)));
        let ink = if worker.draining { Ink::Waiting } else { Ink::Plain };
        section.row(&worker.name, [usage(worker.attempts.as_ref()), heard], ink);
        let whose = match worker.session_id.as_str() {
            "" => "shared".to_owned(),
            session => format!("session {}", harmless(session)),
        };
        let whose = if worker.draining { format!("{whose}, draining") } else { whose };
        section.detail("of", whose, Ink::Plain);
        let mut tools =
            worker.tools.iter().map(|tool| harmless(tool)).collect::<Vec<_>>().join(", ");
        if worker.tools_omitted > 0 {
            tools.push_str(&format!(" and {} more", worker.tools_omitted));
        }
        section.detail("tools", tools, Ink::Plain);
    }
    section.lines(workers.omitted, "worker", look)
}

fn locks(locks: Option<&v1::LocksStatus>, look: &Look) -> Option<Vec<String>> {
    let locks = locks?;
    let mut section = Section::new("key", &["access", "held by", "waiting", "longest"]);
    for lock in &locks.busiest {
        let access = match lock.access() {
            v1::LockAccess::Write => "write",
            v1::LockAccess::Read => "read",
            v1::LockAccess::Unspecified => "-",
        };
        let holders = lock.holders.len() + lock.holders_omitted as usize;
        let cells = [
            access.to_owned(),
            count(holders, "call"),
            lock.waiters.to_string(),
            or_dash(lock.longest_wait),
        ];
        let ink = if lock.waiters > 0 { Ink::Waiting } else { Ink::Plain };
        section.row(&lock.key, cells, ink);
        // Who is in the way matters only where somebody waits.
        if lock.waiters > 0
            && let Some(first) = lock.holders.first()
        {
            section.detail("held", holder(first), Ink::Plain);
        }
    }
    section.lines(locks.omitted, "key", look)
}

fn holder(holder: &v1::LockHolder) -> String {
    let (call, batch) = (harmless(&holder.call_id), harmless(&holder.batch_id));
    match holder.held {
        Some(held) => format!("for {} by {call} of batch {batch}", shown(time(Some(held)))),
        None => format!("by {call} of batch {batch}, which waits for another key"),
    }
}

fn budgets(budgets: Option<&v1::BudgetsStatus>, look: &Look) -> Option<Vec<String>> {
    let is_bounded = |session: &v1::SessionStatus| {
        let max = |usage: Option<v1::Usage>| usage.and_then(|usage| usage.max);
        max(session.calls).or(max(session.cost)).is_some()
    };
    // What may be spent without end is of no interest.
    let budgets = budgets.filter(|budgets| budgets.lowest.iter().any(is_bounded))?;
    let mut section = Section::new("session", &["calls", "cost"]);
    for session in &budgets.lowest {
        let cells = [usage(session.calls.as_ref()), usage(session.cost.as_ref())];
        let is_spent = |usage: Option<v1::Usage>| {
            usage.is_some_and(|usage| usage.max.is_some_and(|max| usage.used >= max))
        };
        let spent = is_spent(session.calls) || is_spent(session.cost);
        section.row(&session.session_id, cells, if spent { Ink::Bad } else { Ink::Plain });
    }
    section.lines(budgets.omitted, "session", look)
}

/// Bytes as a person reads them.
fn size(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KiB", "MiB"] {
        if size < 999.5 {
            let digits = usize::from(unit != "B" && size < 9.95);
            return format!("{size:.digits$} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.1} GiB")
}

#[cfg(test)]
mod tests;
