//! Lines without what is known to be secret.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use crate::model::Secrets;

/// Writes elsewhere, without secrets.
#[derive(Debug)]
pub(super) struct Redacting<W> {
    to: W,
    secrets: Secrets,
}

impl<W> Redacting<W> {
    pub(super) fn new(to: W, secrets: Secrets) -> Self {
        Self { to, secrets }
    }
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Redacting<W> {
    type Writer = Line<'a, W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { to: self.to.make_writer(), secrets: &self.secrets }
    }
}

/// One line, which comes in one piece.
#[derive(Debug)]
pub(super) struct Line<'a, W> {
    to: W,
    secrets: &'a Secrets,
}

impl<W: Write> Write for Line<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.secrets.is_empty() {
            self.to.write_all(bytes)?;
        } else {
            let line = String::from_utf8_lossy(bytes);
            let text = line.trim_end_matches('\n');
            let ends = &line[text.len()..];
            self.to.write_all(format!("{}{ends}", self.secrets.redact(text)).as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::telemetry::log::{Format, lines};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, secrets: Secrets) -> String {
        let written = Written::default();
        let writer = written.clone();
        let writer = Redacting::new(move || writer.clone(), secrets);
        let subscriber = tracing_subscriber::registry().with(lines(format, writer, false));
        let _logging = tracing::subscriber::set_default(subscriber);
        tracing::info!(header = "Bearer canary \"1\"", "It said canary \"1\".");
        tracing::info!("Nothing secret: \u{e9}.");
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_has_no_secret_in_it_and_stays_a_line() {
        for format in [Format::Human, Format::Json] {
            let plain = logged(format, Secrets::default());
            assert!(plain.contains("canary"), "{plain}");
            let shown = logged(format, Secrets::new(["canary \"1\""]));
            assert_eq!(shown.lines().count(), 2, "{shown}");
            assert!(shown.ends_with('\n') && shown.contains("Nothing secret: \u{e9}."), "{shown}");
            assert!(!shown.contains("canary"), "{shown}");
            assert_eq!(shown.matches("[redacted]").count(), 2, "{shown}");
        }
    }
}
