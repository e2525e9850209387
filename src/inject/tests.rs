//! What holds of every text.
//!
//! `PROPTEST_CASES` makes more of them.

use proptest::prelude::*;

use super::{Settings, Verdict, inject, uninject};

/// Few, since each reads its text a dozen times.
fn cases() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: if default.cases == 256 { 192 } else { default.cases }, ..default }
}

/// What one part of a pod may look like, each line indented by two at least; `-` is
/// a list's dash at the depth of the file's lists.
fn part(choices: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(choices)
}

const METADATA: &[&str] = &[
    "",
    "metadata:\n",
    "metadata: {}\n",
    "metadata:   ~   # none\n",
    "metadata:\n  {}\n",
    "metadata:\n  labels: {app: a}\n",
    "metadata:\n  annotations:\n  labels:\n    app: a\n",
    "metadata:\n  labels:\n    app: a\n  annotations: {}\n  # below\n",
    "metadata:\n  annotations:\n    a/b: |+\n      text\n\n\n",
    "metadata: {labels: {app: a}, annotations: {a: b,}}   # flow\n",
    "metadata: {labels: {app: a},\n  # between\n  annotations: {}}\n",
];

const ENV: &[&str] = &[
    "",
    "env:\n",
    "env: ~\n",
    "env: []   # none\n",
    "env:\n\n  []\n",
    "env: [ ]\n",
    "env: [{name: A, value: 'b'}]\n",
    "env: [\n  {name: A, value: b},\n  {name: C, value: d}, # last\n  ]\n",
    "env:\n- name: A\n  value: b\n",
    "env: # some\n- name: A\n  value: |\n    text\n\n",
    "env:\n\n# first\n- {name: A, value: b}   # flow\n# after\n\n",
    "env:\n- name: A\n  value: >+\n    kept\n\n",
    "env:\n-\n  name: A\n  value: |2-\n      deep\n     \n",
    "env:\n- value: \"over\n    lines\"\n  name: A\n",
    "env:\n- name: SIDECALL_ADDRESS\n  value: http://127.0.0.1:1\n",
];

const MOUNTS: &[&str] = &[
    "",
    "volumeMounts:\n",
    "volumeMounts: []\n",
    "volumeMounts:\n- name: tmp\n  mountPath: /tmp\n",
    "volumeMounts: [{name: tmp, mountPath: /tmp}]\n",
];

const FIRST: &[&str] = &[
    "",
    "initContainers: null\n",
    "initContainers: []\n",
    "initContainers:\n- name: first\n  image: a:1\n",
    "initContainers: # two\n# of them\n- image: a:1\n  name: first\n- name: second\n  image: a:1\n",
    "initContainers: [{name: first, image: 'a:1'}]\n",
    "initContainers: [{name: istio-proxy,image: 'a:1'},{name: first,image: 'a:1'}]\n",
    "initContainers: [{name: istio-proxy, image: 'a:1'}  , {name: first, image: 'a:1'}]\n",
    "initContainers: [\n  {name: istio-proxy, image: 'a:1'}, # the mesh's\n  {name: first, image: 'a:1'}]\n",
    "initContainers:\n- name: istio-proxy\n  image: a:1\n- name: first\n  image: a:1\n",
];

const VOLUMES: &[&str] = &[
    "",
    "volumes:\n",
    "volumes: [] # none\n",
    "volumes:\n- name: tmp\n  emptyDir: {}\n# - name: old\n",
    "volumes:\n- emptyDir: {}\n  name: tmp\n\n\n",
    "volumes: [{name: tmp, emptyDir: {}}]\n",
];

const CONTEXT: &[&str] = &[
    "",
    "securityContext:\n",
    "securityContext: {}\n",
    "securityContext:\n  {}\n",
    "securityContext:\n  runAsNonRoot: true\n",
    "securityContext: {runAsNonRoot: true}\n",
    "securityContext:\n  fsGroup: 2000\n",
];

const OTHERS: &[&str] =
    &["", "dnsPolicy: Default\n", "# nothing\n", "\n", "nodeSelector: {a: b}  # c\n"];

/// Indents every line that has something on it; a list's by its style as well.
fn indented(text: &str, by: usize) -> String {
    let lines = text.lines().map(|line| match line.is_empty() {
        true => "\n".to_owned(),
        false => format!("{:by$}{line}\n", ""),
    });
    lines.collect()
}

prop_compose! {
    fn container(name: &'static str)(
        env in part(ENV),
        mounts in part(MOUNTS),
        args in part(&["", "args: [a, b]\n", "args:\n- |\n  a\n\n  b\n", "# no args\n"]),
        is_env_first in any::<bool>(),
    ) -> String {
        let parts = if is_env_first { [env, args, mounts] } else { [mounts, args, env] };
        let text = indented(&format!("name: {name}\nimage: a:1\n{}", parts.concat()), 2);
        format!("- {}", &text[2..])
    }
}

prop_compose! {
    fn pod()(
        metadata in part(METADATA),
        app in container("app"),
        worker in prop::option::of(container("worker")),
        mut parts in (part(FIRST), part(VOLUMES), part(CONTEXT), part(OTHERS)).prop_map(
            |(first, volumes, context, others)| vec![first, volumes, context, others]
        ),
        order in Just(vec![0, 1, 2, 3, 4]).prop_shuffle(),
        is_metadata_last in any::<bool>(),
    ) -> String {
        let containers = format!("containers:\n{app}{}", worker.unwrap_or_default());
        parts.push(&containers);
        let spec: String = order.into_iter().map(|at: usize| parts[at]).collect();
        let spec = format!("spec:\n{}", indented(&spec, 2));
        let metadata = if metadata.ends_with("\n\n") && is_metadata_last {
            // What follows would end a kept text otherwise.
            format!("{metadata}# end\n")
        } else {
            metadata.to_owned()
        };
        if is_metadata_last { spec + &metadata } else { metadata + &spec }
    }
}

/// Manifests of several kinds, with either line break and with or without the last.
fn manifest() -> impl Strategy<Value = String> {
    let around = (0..4usize, any::<bool>(), any::<bool>(), any::<bool>());
    (pod(), around).prop_map(|(pod, (kind, is_crlf, is_cut, has_comments))| {
        let text = match kind {
            0 => format!("apiVersion: v1\nkind: Pod\n{pod}"),
            1 => format!(
                "apiVersion: apps/v1\nkind: Deployment\nspec:\n  replicas: 1\n  template:\n{}",
                indented(&pod, 4)
            ),
            2 => format!(
                "apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  apiVersion: v1\n{}",
                indented(&pod, 2)
            ),
            _ => format!(
                "---\n# first\n---\napiVersion: batch/v1\nkind: CronJob\nspec:\n  jobTemplate:\n    \
                 spec:\n      template:\n{}---\nkind: Other\n",
                indented(&pod, 8)
            ),
        };
        let text = if has_comments { text.replace("image: a:1\n", "image: a:1   # image\n") } else { text };
        let text = if is_cut { text.trim_end().to_owned() } else { text };
        if is_crlf { text.replace('\n', "\r\n") } else { text }
    })
}

/// The manifests of `tests/inject`, which people might have written.
fn corpus() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/inject/corpus");
    let files = std::fs::read_dir(folder).unwrap();
    let mut texts: Vec<String> =
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    texts.sort();
    texts
}

/// A slip of the hand.
#[derive(Clone, Copy, Debug)]
enum Slip {
    /// The line goes.
    Lose,
    /// The line is there twice.
    Repeat,
    /// The line changes places with the next.
    Swap,
    /// The line is indented by two more.
    Indent,
    /// A character comes in.
    Type(char),
    /// The text ends in the line.
    Cut,
}

fn slipped(text: &str, slips: &[(prop::sample::Index, prop::sample::Index, Slip)]) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    for (line, column, slip) in slips {
        if lines.is_empty() {
            break;
        }
        let at = line.index(lines.len());
        let chars = lines[at].chars().count() + 1;
        let place = lines[at].char_indices().nth(column.index(chars));
        let place = place.map_or(lines[at].len(), |(place, _)| place);
        match slip {
            Slip::Lose => drop(lines.remove(at)),
            Slip::Repeat => lines.insert(at, lines[at].clone()),
            Slip::Swap => {
                let next = (at + 1).min(lines.len() - 1);
                lines.swap(at, next);
            }
            Slip::Indent => lines[at].insert_str(0, "  "),
            Slip::Type(c) => lines[at].insert(place, *c),
            Slip::Cut => {
                lines[at].truncate(place);
                lines.truncate(at + 1);
            }
        }
    }
    lines.concat()
}

fn slips() -> impl Strategy<Value = Vec<(prop::sample::Index, prop::sample::Index, Slip)>> {
    let typed =
        prop::sample::select("{}[],:#&*!|>'\"%@` -?~\t\n\r\\é<".chars().collect::<Vec<_>>());
    let slip = prop_oneof![
        Just(Slip::Lose),
        Just(Slip::Repeat),
        Just(Slip::Swap),
        Just(Slip::Indent),
        typed.prop_map(Slip::Type),
        Just(Slip::Cut),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), slip), 1..4)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn whatever_is_written_is_refused_or_comes_out_again(
        at in any::<prop::sample::Index>(),
        slips in slips(),
    ) {
        let corpus = corpus();
        let text = slipped(&corpus[at.index(corpus.len())], &slips);
        let Ok(injected) = inject(&text, &Settings::default()) else { return Ok(()) };
        let back = uninject(&injected.text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&back.text, &text, "{:#?}\n{}", injected.reports, injected.text);
        let twice = inject(&injected.text, &Settings::default());
        let twice = twice.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&twice.text, &injected.text);
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_went_in_comes_out_again(text in manifest()) {
        let Ok(injected) = inject(&text, &Settings::default()) else {
            return Err(TestCaseError::fail(format!("unreadable:\n{text}")));
        };
        let back = uninject(&injected.text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&back.text, &text, "{:?}", injected.reports);
        let twice = inject(&injected.text, &Settings::default());
        let twice = twice.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&twice.text, &injected.text);
        let [report] = injected.reports.as_slice() else {
            return Err(TestCaseError::fail("not one workload"));
        };
        let is_injected = matches!(report.verdict, Verdict::Injected { .. });
        // A block text without its line break is the one that cannot be gone on from.
        prop_assert!(is_injected || !text.ends_with('\n'), "{report}\n{text}");
        prop_assert_eq!(is_injected, injected.text != text);
    }
}
