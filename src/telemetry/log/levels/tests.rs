use tracing_subscriber::{layer::SubscriberExt, reload};

use super::*;

#[test]
fn a_filter_that_is_none_is_refused_with_what_to_write() {
    for (text, word) in [
        ("info,sidecall=loud", "sidecall=loud"),
        ("sidecall=debug=trace", "sidecall=debug=trace"),
        ("[{", "[{"),
        ("inf", "inf"),
        ("info,", ""),
        ("info,=debug", "=debug"),
    ] {
        let error = filter(text).unwrap_err().to_string();
        assert!(error.contains(&format!("`{word}` is no log filter")), "{error}");
        assert!(error.contains("write a level") && error.contains("`info`"), "{error}");
    }
    let long = filter(&"info,".repeat(300)).unwrap_err().to_string();
    assert_eq!(long, "the filter has 1500 bytes; write at most 1024");
}

#[test]
fn a_filter_of_several_lines_or_words_is_refused() {
    for (text, says) in [
        ("debug\nfoo", "a control character"),
        ("info,\nh2=off", "a control character"),
        ("info,h2=debug\u{1b}[31m", "a control character"),
        ("info,h2\t=off", "a control character"),
        ("info foo", "`info foo` has white space"),
        ("info,h2 = off", "`h2 = off` has white space"),
        ("h2\u{a0}=off", "has white space"),
    ] {
        let error = check(text).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("with commas between"), "{error}");
        assert!(!error.contains(char::is_control), "{error:?}");
    }
    // As YAML's blocks and people's lists are written.
    for text in ["info, h2=off", " info\n"] {
        check(text).unwrap();
    }
}

#[test]
fn an_empty_filter_means_info() {
    for text in ["", "  ", "info"] {
        assert_eq!(filter(text).unwrap().to_string(), format!("{ALWAYS},info"));
    }
    let shown = filter("warn,sidecall=debug").unwrap().to_string();
    assert_eq!(shown, format!("{ALWAYS},sidecall=debug,warn"));
}

#[test]
fn the_modules_that_can_be_named_are_those_of_the_program() {
    let map = include_str!("../../../lib.rs").lines();
    let modules: Vec<_> =
        map.filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(modules, modules_in("").collect::<Vec<_>>());
    let this = module_path!().strip_prefix("sidecall::").unwrap().strip_suffix("::tests").unwrap();
    assert!(MODULES.contains(&this));
    assert!(MODULES.iter().all(|module| !module.ends_with("tests")), "{MODULES:?}");
}

#[test]
fn a_module_that_there_is_not_is_refused_with_the_nearest_ones() {
    for (text, what, fix) in [
        ("info,sidecal::rpc=debug", "sidecal::rpc", "write `sidecall::rpc`"),
        ("Sidecall::rpc=debug", "Sidecall::rpc", "write `sidecall::rpc`"),
        ("sidecal=debug", "sidecal", "write `sidecall`"),
        ("sidecall::schedul::batch=off", "sidecall::schedul::batch", "`sidecall::schedule`"),
        ("warn,sidecall::nothing", "sidecall::nothing", "one of admin, app,"),
        ("sidecall_rpc=debug", "sidecall_rpc", "write `sidecall`"),
        ("sidecall::rp[turn]=debug", "sidecall::rp", "`sidecall::rpc`"),
        ("sidecall::telemetry::lgo=off", "sidecall::telemetry::lgo", "`sidecall::telemetry::log`"),
        ("sidecall::rpc::nope=debug", "sidecall::rpc::nope", "`sidecall::rpc::` and one of auth,"),
        ("sidecall::clock::wall=off", "sidecall::clock::wall", "write `sidecall::clock`"),
        ("sidecal::rpc::auth=info", "sidecal::rpc::auth", "write `sidecall::rpc::auth`"),
        ("sidecall::rpc::=debug", "sidecall::rpc::", "`sidecall::rpc::` and one of"),
    ] {
        let error = check(text).unwrap_err();
        assert_eq!(error.what, format!("`{what}` is no module of this program"));
        assert!(error.fix.contains(fix), "{text}: {error}");
    }
    for text in ["sidecall", "sidecall::rpc::service=debug", "h2=off", "hyper_util::client=info"] {
        check(text).unwrap();
    }
}

#[test]
fn what_a_filter_says_nothing_of_is_logged_by_the_configured_level() {
    for (configured, text, holds) in [
        ("", "sidecall::rpc=debug", "info,sidecall::rpc=debug"),
        ("sidecall::plan=off", "sidecall::rpc=debug", "info,sidecall::rpc=debug"),
        ("h2=off, WARN", "sidecall::rpc=debug", "WARN,sidecall::rpc=debug"),
        ("warn", "sidecall::rpc=debug,ERROR", "sidecall::rpc=debug,ERROR"),
    ] {
        let levels = Levels::new(configured, |_| true);
        levels.set(text).unwrap();
        assert_eq!(levels.filter(), holds, "{configured:?}");
    }
    let (layer, handle) = reload::Layer::new(filter("sidecall::rpc=debug").unwrap());
    let _logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let is_logged = || tracing::enabled!(target: "h2", tracing::Level::ERROR);
    assert!(is_logged());
    handle.reload(filter("sidecall::plan=trace").unwrap()).unwrap();
    assert!(is_logged());
}

#[test]
fn that_the_levels_have_changed_is_told_whatever_they_are() {
    let (layer, handle) = reload::Layer::new(filter("off").unwrap());
    let levels = Levels::new("off", move |filter| handle.reload(filter).is_ok());
    let _logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    for text in ["error", "off", "off,sidecall::telemetry=off"] {
        levels.set(text).unwrap();
        let told =
            tracing::enabled!(target: "sidecall::telemetry::log::levels", tracing::Level::INFO);
        assert!(told, "{text}");
        assert!(!tracing::enabled!(target: "sidecall::telemetry", tracing::Level::WARN));
    }
}

#[test]
fn levels_change_by_module_and_go_back_to_the_configured_ones() {
    let (layer, handle) = reload::Layer::new(filter("warn").unwrap());
    let levels = Levels::new("warn", move |filter| handle.reload(filter).is_ok());
    let _logging = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let logged = || {
        [
            tracing::enabled!(target: "sidecall::rpc", tracing::Level::DEBUG),
            tracing::enabled!(target: "sidecall::schedule", tracing::Level::DEBUG),
            tracing::enabled!(target: "sidecall::schedule", tracing::Level::WARN),
        ]
    };
    assert_eq!(logged(), [false, false, true]);
    levels.set(" error,sidecall::rpc=debug ").unwrap();
    assert_eq!(logged(), [true, false, false]);
    assert_eq!(levels.filter(), "error,sidecall::rpc=debug");
    // What is refused changes nothing.
    levels.set("loud").unwrap_err();
    assert_eq!((logged(), &*levels.filter()), ([true, false, false], "error,sidecall::rpc=debug"));
    levels.reset().unwrap();
    assert_eq!((logged(), &*levels.filter()), ([false, false, true], "warn"));
    assert_eq!(levels.configured(), "warn");
}

#[test]
fn levels_of_nobody_who_logs_are_not_changed() {
    let levels = Levels::new("", |_| false);
    assert!(matches!(levels.set("debug"), Err(Error::Ended)));
    assert_eq!(levels.filter(), "info");
}

#[test]
fn another_configuration_changes_the_levels_unless_somebody_has() {
    let levels = Levels::new("warn", |_| true);
    levels.reconfigure("error").unwrap();
    assert_eq!((levels.filter(), levels.configured()), ("error".to_owned(), "error".to_owned()));
    levels.set("debug").unwrap();
    levels.reconfigure("warn").unwrap();
    assert_eq!((levels.filter(), levels.configured()), ("debug".to_owned(), "warn".to_owned()));
    levels.reset().unwrap();
    assert_eq!(levels.filter(), "warn");
    levels.reconfigure("loud").unwrap_err();
    assert_eq!(levels.configured(), "warn", "what is refused changes nothing");
}
