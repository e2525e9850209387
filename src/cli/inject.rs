//! `sidecall inject`: Puts the sidecar into Kubernetes manifests, or takes it out.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::ValueEnum;

use super::Exit;
use crate::{
    config,
    inject::{self, Outcome, Settings, Verdict},
};

/// Puts the sidecar into Kubernetes manifests, or takes it out.
///
/// The manifests go to standard output, what was done and why to standard error:
/// `sidecall inject app.yaml | kubectl apply -f -`. Everything but the sidecar stays
/// as it is, comments and order as well. Injecting again brings the sidecar up to date.
///
/// Annotations of a workload or of its pod template go before the options:
/// `sidecall.dev/inject` (`enabled` or `disabled`), `/config`, `/secrets`, `/image`, `/layout`,
/// `/containers`.
///
/// Exit codes: 0 all well; 1 a workload that is to have the sidecar was left alone, or a
/// file cannot be read as YAML; 2 the command line is wrong, or a file is not there.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Manifests in YAML or JSON; a directory means the `.yaml`, `.yml` and `.json` files
    /// below it, and `-` is standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Takes the sidecar out again, and gives back what was there.
    #[arg(long, conflicts_with_all = ["image", "config_map", "secrets", "layout", "containers", "drain"])]
    uninject: bool,
    /// The sidecar's image.
    #[arg(long, value_name = "IMAGE", default_value = inject::IMAGE, value_parser = image)]
    image: String,
    /// The ConfigMap that holds `sidecall.yaml`.
    #[arg(long, value_name = "NAME", default_value = inject::CONFIG_MAP, value_parser = config_map)]
    config_map: String,
    /// A Secret whose keys are files in `/var/run/secrets/sidecall/NAME`; may be given
    /// several times.
    #[arg(long = "secret", value_name = "NAME", value_parser = secret)]
    secrets: Vec<String>,
    /// Where the sidecar stands in the pod.
    #[arg(long, value_enum, default_value_t = Layout::Native)]
    layout: Layout,
    /// The containers that are to reach the sidecar, with commas between them; all where
    /// none are named.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = container)]
    containers: Option<Vec<String>>,
    /// The configuration's `drain.timeout`, which must end before a pod's grace period.
    #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = drain)]
    drain: Duration,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Layout {
    /// An init container that stays, for Kubernetes 1.29 and later.
    Native,
    /// One more container; a job would not end.
    Classic,
}

/// Reads `25s`, as the configuration has it, or `25`.
fn drain(text: &str) -> Result<Duration, String> {
    let seconds = || text.parse().ok().map(Duration::from_secs);
    let drain = config::duration(text).or_else(seconds);
    let drain = drain.filter(|drain| *drain <= Duration::from_secs(86_400));
    drain.ok_or_else(|| {
        "write it as the configuration does, `25s`, `28500ms` or `1m`, at most a day".to_owned()
    })
}

fn image(text: &str) -> Result<String, String> {
    inject::is_image(text).map(|()| text.to_owned())
}

fn config_map(text: &str) -> Result<String, String> {
    inject::is_config_map(text).map(|()| text.to_owned())
}

fn secret(text: &str) -> Result<String, String> {
    let name = text.to_owned();
    inject::are_secrets(std::slice::from_ref(&name)).map(|()| name)
}

/// One of several, after a comma and a blank as well.
fn container(text: &str) -> Result<String, String> {
    let name = text.trim();
    inject::is_container(name).map(|()| name.to_owned())
}

/// Runs it.
pub fn run(args: Args) -> Exit {
    // A reader that has had enough, such as `head`, is no fault.
    turn(args, &mut io::stdout(), &mut anstream::stderr()).unwrap_or(Exit::Usage)
}

/// Manifests go to `out`, what was done to `err`.
fn turn(args: Args, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let Args { files, uninject, image, config_map, secrets, layout, containers, drain } = args;
    // Each may be one, and two of them may stand in each other's way.
    if let Err(error) = inject::are_secrets(&secrets) {
        writeln!(err, "error: `--secret`: {error}")?;
        return Ok(Exit::Usage);
    }
    let layout = match layout {
        Layout::Native => inject::Layout::Native,
        Layout::Classic => inject::Layout::Classic,
    };
    let settings = Settings {
        image: Some(image),
        config_map: Some(config_map),
        secrets,
        layout: Some(layout),
        containers,
        drain,
    };
    let mut found = Vec::new();
    for file in &files {
        if let Err(error) = collect(file, &mut found) {
            writeln!(err, "{}: {error}", file.display())?;
            return Ok(Exit::Usage);
        }
    }
    let mut turn = Turn { out, err, printed: None, is_well: true };
    let last = found.len().saturating_sub(1);
    for (at, file) in found.into_iter().enumerate() {
        let (name, bytes) = match read(&file) {
            Ok(read) => read,
            Err(error) => {
                writeln!(turn.err, "{}: {error}", file.display())?;
                return Ok(Exit::Usage);
            }
        };
        let outcome = text(bytes).and_then(|text| match uninject {
            true => inject::uninject(&text),
            false => inject::inject(&text, &settings),
        });
        let outcome = match last {
            // Alone it is printed as it is.
            0 => outcome,
            _ => outcome.and_then(|outcome| {
                let text = inject::among_others(&outcome.text, at == last)?.into_owned();
                Ok(Outcome { text, ..outcome })
            }),
        };
        turn.tell(&name, outcome)?;
    }
    turn.out.flush()?;
    Ok(if turn.is_well { Exit::Well } else { Exit::Found })
}

struct Turn<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    /// How what was printed so far ends.
    printed: Option<End>,
    is_well: bool,
}

/// How a text ends.
#[derive(Clone, Copy, Eq, PartialEq)]
enum End {
    Line,
    Cut,
}

impl Turn<'_> {
    fn tell(&mut self, name: &str, outcome: Result<Outcome, inject::Error>) -> io::Result<()> {
        let Outcome { text, reports, others } = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                self.is_well = false;
                return writeln!(self.err, "{name}:{error}; nothing of this file is printed");
            }
        };
        for report in &reports {
            self.is_well &= !report.verdict.is_fault();
            writeln!(self.err, "{name}:{}: {report}", report.line)?;
        }
        if reports.is_empty() {
            let plural = if others == 1 { "" } else { "s" };
            writeln!(self.err, "{name}: no workload among {others} object{plural}")?;
        } else if reports.len() > 1 {
            let is_changed = |verdict: &Verdict| {
                matches!(verdict, Verdict::Injected { .. } | Verdict::Uninjected)
            };
            let changed = reports.iter().filter(|report| is_changed(&report.verdict)).count();
            writeln!(self.err, "{name}: {changed} of {} workloads changed", reports.len())?;
        }
        self.print(&text)
    }

    /// Prints one file; two are kept apart as documents.
    fn print(&mut self, text: &str) -> io::Result<()> {
        let text = if self.printed.is_some() { text.trim_start_matches('\u{feff}') } else { text };
        if text.is_empty() {
            return Ok(());
        }
        if self.printed == Some(End::Cut) {
            writeln!(self.out)?;
        }
        if self.printed.is_some() {
            self.out.write_all(inject::mark(text).as_bytes())?;
        }
        self.out.write_all(text.as_bytes())?;
        self.printed = Some(if text.ends_with('\n') { End::Line } else { End::Cut });
        Ok(())
    }
}

/// The files that a name means, in order.
fn collect(file: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if file == Path::new("-") || !fs::metadata(file)?.is_dir() {
        found.push(file.to_owned());
        return Ok(());
    }
    let mut entries =
        fs::read_dir(file)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    for entry in entries {
        let is_hidden = entry.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        let is_manifest = entry.extension().is_some_and(|extension| {
            ["yaml", "yml", "json"].iter().any(|known| extension == *known)
        });
        // A link to a directory may lead back here.
        let is_directory = fs::symlink_metadata(&entry)?.is_dir();
        if !is_hidden && (is_directory || is_manifest && fs::metadata(&entry)?.is_file()) {
            collect(&entry, found)?;
        }
    }
    Ok(())
}

/// A file's name for people, and its bytes.
fn read(file: &Path) -> io::Result<(String, Vec<u8>)> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        // One more than is taken, so that what is too large is seen to be.
        let most = inject::BYTES_MAX as u64 + 1;
        io::stdin().lock().take(most).read_to_end(&mut bytes)?;
        return Ok(("stdin".to_owned(), bytes));
    }
    Ok((file.display().to_string(), fs::read(file)?))
}

fn text(bytes: Vec<u8>) -> Result<String, inject::Error> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        let what = "this is not UTF-8: write the file anew in UTF-8".to_owned();
        inject::Error { line, column, what }
    })
}
