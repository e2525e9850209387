//! Any text is read as a reference or refused, in no time; what is read and
//! written is read as the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sidecall::plan::Reference;

fuzz_target!(|text: &str| {
    let Ok(reference) = text.parse::<Reference>() else { return };
    let written = reference.to_string();
    // Escapes may make it longer than a reference can be.
    if let Ok(again) = written.parse::<Reference>() {
        assert_eq!(again, reference, "written as {written:?}");
    } else {
        assert!(written.len() > 1024, "{written:?} is not read again");
    }
});
