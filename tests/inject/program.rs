//! Files, pipes, exit codes and what is said.

use std::fs;

use super::{code, inject, original, stderr};

fn stdout(output: &std::process::Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: app\n    image: a:1\n";

#[test]
fn a_file_that_is_no_yaml_is_told_by_line_and_column_and_nothing_of_it_is_printed() {
    for (text, place, says) in [
        ("a: [1, 2\nb: 3\n", "2:2", "this is not YAML"),
        ("a: 1\n\tb: 2\n", "1:4", "indent with spaces"),
        ("a: *b\n", "1:4", "write `&name` before"),
        ("a: &a [*a]\n", "1:8", "inside the value that it repeats"),
        ("a: 1\n{{- if .Values.x }}\n", "2:3", "helm template"),
    ] {
        let output = inject(&["-"], Some(format!("{POD}---\n{text}").as_bytes()));
        assert_eq!((code(&output), stdout(&output).as_str()), (1, ""), "{text}");
        let said = stderr(&output);
        let (line, column) = place.split_once(':').unwrap();
        let line: usize = line.parse().unwrap();
        let place = format!("stdin:{}:{column}: ", line + 8);
        assert!(said.starts_with(&place) && said.contains(says), "{text}{said}");
        assert!(said.ends_with("nothing of this file is printed\n"), "{said}");
    }
    let output = inject(&["-"], Some(b"a: \xff\n"));
    assert_eq!((code(&output), stderr(&output).starts_with("stdin:1:4: ")), (1, true));
}

#[test]
fn several_files_come_out_as_documents_of_one_stream() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
    };
    write("b/2.json", r#"{"apiVersion": "v1", "kind": "ConfigMap"}"#);
    write("a.yaml", "\u{feff}a: 1");
    write("b/1.yml", "---\nb: 2\n");
    write("b/3.yaml", "%YAML 1.2\n---\nc: 3\n");
    write("b/broken.yaml", "d: [");
    write("b/.hidden.yaml", "e: 5\n");
    write("b/notes.md", "f: 6\n");
    let output = inject(&[folder.path().to_str().unwrap()], None);
    let expected = "\u{feff}a: 1\n---\nb: 2\n---\n{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\"}\n...\n%YAML 1.2\n---\nc: 3\n";
    assert_eq!(stdout(&output), expected);
    assert_eq!(code(&output), 1, "one of them is broken");
    let said = stderr(&output);
    assert!(said.contains("b/broken.yaml:1:4: "), "{said}");
    assert!(said.contains("a.yaml: no workload among 1 object\n"), "{said}");
}

/// What comes of several files, in their order.
fn together(texts: &[&str]) -> std::process::Output {
    let folder = tempfile::tempdir().unwrap();
    for (at, text) in texts.iter().enumerate() {
        fs::write(folder.path().join(format!("{at}.yaml")), text).unwrap();
    }
    inject(&[folder.path().to_str().unwrap()], None)
}

#[test]
fn what_only_looks_like_a_mark_between_documents_gets_one() {
    for (second, mark) in [
        ("---x: 1\n", "---\n"),
        ("--- # marked\nx: 1\n", ""),
        ("# whose\n%YAML 1.2\n---\nx: 1\n", "...\n"),
    ] {
        let output = together(&["a: 1\n", second]);
        assert_eq!((code(&output), stdout(&output)), (0, format!("a: 1\n{mark}{second}")));
    }
}

#[test]
fn a_file_that_is_cut_in_a_block_text_is_not_gone_on_from() {
    let cut = "a: |\n  text";
    let output = together(&[cut, "b: 2\n"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (1, "b: 2\n"));
    let said = stderr(&output);
    assert!(said.contains("0.yaml:2:7: a block text ends here without a line break"), "{said}");
    assert!(said.contains("end the file with a line break; nothing of this file"), "{said}");
    for texts in [["b: 2\n", cut], ["a: |-\n  text", "b: 2"]] {
        let output = together(&texts);
        let expected = texts.map(|text| text.trim_end().to_owned()).join("\n---\n");
        assert_eq!((code(&output), stdout(&output)), (0, expected), "{}", stderr(&output));
    }
}

#[test]
fn objects_of_json_that_follow_each_other_are_documents() {
    let pod = |name: &str| {
        let spec = r#""spec": {"containers": [{"name": "app", "image": "a:1"}]}"#;
        format!(
            r#"{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "{name}"}}, {spec}}}"#
        )
    };
    let stream = format!("{}\n{}\n", pod("one"), pod("other"));
    let output = inject(&["-"], Some(stream.as_bytes()));
    let said = stderr(&output);
    assert_eq!(code(&output), 0, "{said}");
    assert!(said.contains("stdin:1: pod/one: injected, for app\n"), "{said}");
    assert!(said.contains("stdin:2: pod/other: injected, for app\n"), "{said}");
    let values = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    let values: Vec<serde_json::Value> = values.collect::<Result<_, _>>().unwrap();
    assert_eq!(values.len(), 2);
    let back = inject(&["--uninject", "-"], Some(&output.stdout));
    assert_eq!(stdout(&back), stream);

    // Among others they stand apart as all documents do, so that all of it is YAML.
    let output = together(&["a: 1\n", "{\"b\": 2}{\"c\": 3}\n"]);
    assert_eq!(stdout(&output), "a: 1\n---\n{\"b\": 2}\n---\n{\"c\": 3}\n");

    let output = inject(&["-"], Some(b"{\"a\": 1}\n{\"b\": }\n"));
    let said = stderr(&output);
    assert_eq!((code(&output), stdout(&output).as_str()), (1, ""));
    assert!(said.starts_with("stdin:2:7: this is not JSON: expected value; look here"), "{said}");
}

#[test]
fn a_pod_that_is_to_end_gets_no_sidecar_that_does_not() {
    for (policy, expected) in [("Never", 1), ("OnFailure", 1), ("Always", 0)] {
        let text = format!("{POD}  restartPolicy: {policy}\n");
        let output = inject(&["--layout", "classic", "-"], Some(text.as_bytes()));
        let said = stderr(&output);
        assert_eq!(code(&output), expected, "{said}");
        let words = format!("a pod with `restartPolicy: {policy}` would never end");
        assert_eq!(said.contains(&words), expected == 1, "{said}");
        assert_eq!(code(&inject(&["-"], Some(text.as_bytes()))), 0);
    }
}

#[test]
fn what_an_injection_left_is_told_of_where_its_mark_was_taken_off() {
    let injected = stdout(&inject(&["-"], Some(POD.as_bytes())));
    let mark = format!("\"sidecall.dev/injected\": \"{}\", ", env!("CARGO_PKG_VERSION"));
    let left = injected.replace(&mark, "");
    assert_ne!(left, injected);
    for arguments in [&["-"][..], &["--uninject", "-"]] {
        let output = inject(arguments, Some(left.as_bytes()));
        assert_eq!((code(&output), stdout(&output) == left), (1, true), "{}", stderr(&output));
        let words = "without `sidecall.dev/injected`: write `sidecall.dev/injected: ";
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
}

#[test]
fn a_file_that_is_not_there_is_a_wrong_command_line() {
    for arguments in [
        &["none.yaml"][..],
        &[],
        &["--layout", "ambient", "-"],
        &["--drain", "soon", "-"],
        &["--uninject", "--image", "x", "-"],
    ] {
        let output = inject(arguments, Some(POD.as_bytes()));
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_option_that_means_nothing_is_a_wrong_command_line_that_names_it() {
    for (arguments, says) in [
        (&["--image", ""][..], "--image"),
        (&["--image", "a b"], "`a b` is no image"),
        (&["--config-map", "A_b"], "'--config-map <NAME>': `A_b` is no name of a ConfigMap"),
        (&["--secret", "a,b"], "'--secret <NAME>': `a,b` is no name of a Secret"),
        (&["--secret", "a", "--secret", "a"], "`--secret`: the Secret `a` is named twice"),
        (&["--containers", "app,B_c"], "'--containers <NAMES>': `B_c` is no name of a container"),
        (&["--containers", "app,"], "--containers"),
        (&["--drain", "2 days"], "'--drain <DURATION>': write it as the configuration does"),
        (&["--drain", "25h"], "at most a day"),
    ] {
        let arguments = [arguments, &["-"]].concat();
        let output = inject(&arguments, Some(POD.as_bytes()));
        let said = stderr(&output);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{arguments:?} {said}");
        assert!(said.contains(says), "{arguments:?} {said}");
    }
    let both = format!("{POD}  - name: other\n    image: a:1\n");
    let output = inject(&["--containers", "app, other", "-"], Some(both.as_bytes()));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("injected, for app, other"), "{}", stderr(&output));
    // Another workload may have it.
    let output = inject(&["--containers", "nope", "-"], Some(POD.as_bytes()));
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("`--containers` names `nope`"), "{}", stderr(&output));
}

#[test]
fn a_grace_period_that_is_no_whole_number_of_seconds_leaves_its_pod_alone() {
    let with = |grace: &str| format!("{POD}  terminationGracePeriodSeconds: {grace}\n");
    for grace in
        ["30.0", "0o36", "0x1e", "3e1", "-30", "+30", "040", "'30'", "!!str 30", "{}", "true"]
    {
        let output = inject(&["-"], Some(with(grace).as_bytes()));
        let said = stderr(&output);
        assert_eq!((code(&output), stdout(&output)), (1, with(grace)), "{grace} {said}");
        let line = "`terminationGracePeriodSeconds` (line 8) is no whole number of seconds";
        assert!(said.contains(line), "{grace} {said}");
    }
    for grace in ["30", "", "~", "3600"] {
        let output = inject(&["-"], Some(with(grace).as_bytes()));
        assert_eq!(code(&output), 0, "{grace} {}", stderr(&output));
    }
}

#[test]
fn only_tcp_takes_the_port_of_the_sidecars_health() {
    for (protocol, expected) in
        [("", 1), (", protocol: TCP", 1), (", protocol: UDP", 0), (", protocol: SCTP", 0)]
    {
        let text = format!("{POD}    ports: [{{containerPort: 9464{protocol}}}]\n");
        let output = inject(&["-"], Some(text.as_bytes()));
        assert_eq!(code(&output), expected, "{protocol} {}", stderr(&output));
    }
}

#[test]
fn who_wants_no_sidecar_is_no_fault_and_who_cannot_have_one_is() {
    let with = |annotation: &str, spec: &str| {
        let text = POD.replace("{name: p}", &format!("{{name: p, annotations: {{{annotation}}}}}"));
        format!("{text}{spec}")
    };
    for (annotation, spec, expected) in [
        ("sidecall.dev/inject: disabled", "", 0),
        ("", "  os: {name: windows}\n", 0),
        ("sidecall.dev/inject: enabled", "  os: {name: windows}\n", 1),
        ("sidecall.dev/containers: none", "", 1),
        ("", "  terminationGracePeriodSeconds: 26\n", 1),
        ("", "  terminationGracePeriodSeconds: 27\n", 0),
    ] {
        let text = with(annotation, spec);
        let output = inject(&["-"], Some(text.as_bytes()));
        assert_eq!(code(&output), expected, "{}", stderr(&output));
        let is_injected = stderr(&output).contains(": injected, for app");
        assert_eq!(is_injected, stdout(&output) != text, "{}", stderr(&output));
        assert_eq!(is_injected, spec.contains("27"), "{}", stderr(&output));
    }
}

#[test]
fn a_block_text_that_the_end_of_the_file_cuts_off_is_not_given_a_line_break() {
    let cut = format!("{POD}    args:\n    - |\n      text");
    let output = inject(&["-"], Some(cut.as_bytes()));
    assert_eq!((code(&output), stdout(&output) == cut), (1, true), "{}", stderr(&output));
    assert!(stderr(&output).contains("end the file with a line break"), "{}", stderr(&output));
    for whole in [format!("{cut}\n"), cut.replace('|', "|-")] {
        assert_eq!(code(&inject(&["-"], Some(whole.as_bytes()))), 0);
    }
    // The others of the file are none the worse for it.
    let others = POD.repeat(3).replace("apiVersion", "---\napiVersion");
    let output = inject(&["-"], Some(format!("{others}---\n{cut}").as_bytes()));
    let injected = inject(&["-"], Some(others.as_bytes()));
    assert_eq!(stdout(&output), format!("{}---\n{cut}", stdout(&injected)));
    assert!(stderr(&output).ends_with("stdin: 3 of 4 workloads changed\n"), "{}", stderr(&output));
}

#[test]
fn how_long_the_sidecar_drains_is_held_against_the_grace_period() {
    for (drain, grace, expected) in [
        ("28s", "", 0),
        ("29s", "", 1),
        ("60", "  terminationGracePeriodSeconds: 61\n", 1),
        ("60", "  terminationGracePeriodSeconds: 62\n", 0),
        ("1m", "  terminationGracePeriodSeconds: 61\n", 1),
        ("1m", "  terminationGracePeriodSeconds: 62\n", 0),
        ("28500ms", "", 0),
        ("28500ms", "  terminationGracePeriodSeconds: 29\n", 1),
    ] {
        let output = inject(&["--drain", drain, "-"], Some(format!("{POD}{grace}").as_bytes()));
        assert_eq!(code(&output), expected, "{drain} {grace}{}", stderr(&output));
    }
}

#[test]
fn a_sidecar_that_is_no_longer_wanted_is_told_of() {
    let injected = stdout(&inject(&["-"], Some(POD.as_bytes())));
    let disabled =
        injected.replace("\"annotations\": {", "\"annotations\": {sidecall.dev/inject: disabled, ");
    assert_ne!(injected, disabled);
    let output = inject(&["-"], Some(disabled.as_bytes()));
    assert_eq!((code(&output), stdout(&output)), (1, disabled));
    assert!(stderr(&output).contains("--uninject"), "{}", stderr(&output));
}

#[test]
fn a_record_that_somebody_has_spoilt_changes_nothing() {
    let injected = stdout(&inject(&["-"], Some(POD.as_bytes())));
    for (from, to) in [
        (r#"{\"absent\":"#, r#"{\"absent\":["#),
        (r#"{\"absent\":"#, r#"{\"was\":{\"volumes\":\"a: b\"},\"absent\":"#),
    ] {
        let spoilt = injected.replace(from, to);
        assert_ne!(spoilt, injected);
        for arguments in [&["-"][..], &["--uninject", "-"]] {
            let output = inject(arguments, Some(spoilt.as_bytes()));
            assert_eq!((code(&output), stdout(&output) == spoilt), (1, true));
            assert!(stderr(&output).contains("`sidecall.dev/restore`"), "{}", stderr(&output));
        }
    }
}

#[test]
fn what_another_tool_has_rewritten_is_uninjected_all_the_same() {
    let injected = stdout(&inject(&["sorted-by-a-tool.yaml"], None));
    // As tools do that sort keys: the variable comes first, behind the `-`.
    let moved = injected.replace(
        "      - image: example.test/app:1\n        name: worker\n        env:\n        - name: SIDECALL_ADDRESS\n          value: unix:///run/sidecall/sidecall.sock\n",
        "      - env:\n        - name: SIDECALL_ADDRESS\n          value: unix:///run/sidecall/sidecall.sock\n        # the worker's\n        image: example.test/app:1\n        name: worker\n",
    );
    assert_ne!(moved, injected);
    let output = inject(&["--uninject", "-"], Some(moved.as_bytes()));
    let original = String::from_utf8(original("sorted-by-a-tool.yaml")).unwrap();
    let expected = original.replace(
        "- image: example.test/app:1\n        name: worker",
        "- # the worker's\n        image: example.test/app:1\n        name: worker",
    );
    assert_eq!((code(&output), stdout(&output)), (0, expected), "{}", stderr(&output));
}

#[test]
fn what_was_added_after_the_sidecar_stays_without_it() {
    let injected = stdout(&inject(&["-"], Some(POD.as_bytes())));
    let more = injected.replace(
        "    volumeMounts:\n    - name: sidecall-socket\n      mountPath: /run/sidecall\n  initContainers:\n",
        "    volumeMounts:\n    - name: sidecall-socket\n      mountPath: /run/sidecall\n    - name: tmp\n      mountPath: /tmp\n  initContainers:\n  - name: first\n    image: a:1\n",
    );
    assert_ne!(more, injected);
    let output = inject(&["--uninject", "-"], Some(more.as_bytes()));
    let expected = format!(
        "{POD}    volumeMounts:\n    - name: tmp\n      mountPath: /tmp\n  initContainers:\n  - name: first\n    image: a:1\n"
    );
    assert_eq!((code(&output), stdout(&output)), (0, expected), "{}", stderr(&output));
}

#[test]
fn help_names_every_annotation_and_the_exit_codes() {
    let help = stdout(&inject(&["--help"], None));
    for word in [
        "sidecall.dev/inject",
        "/config",
        "/secrets",
        "/image",
        "/layout",
        "/containers",
        "Exit codes",
    ] {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
}
