//! `sidecall check`: Checks a configuration and says everything that is wrong with it.

use std::{
    fmt::{self, Write as _},
    io,
    path::{Path, PathBuf},
};

use super::{ConfigArgs, Exit};
use crate::{
    config::{self, Config},
    rpc::{auth, listen},
};

/// Checks a configuration and says everything that is wrong with it.
///
/// Secrets are fetched as they would be to serve, and nothing is connected to.
/// Exit codes: 0 nothing was found; 1 it loads, with warnings; 2 it does not load.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration, in the place of `--config`; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs it.
pub fn run(args: Args) -> Exit {
    let path = args.file.or(args.config.config);
    // A reader that has had enough, such as `head`, is no fault.
    check(path.as_deref(), &mut anstream::stdout(), &mut anstream::stderr()).unwrap_or(Exit::Usage)
}

/// What holds goes to `out`, what was found to `err`.
fn check(
    path: Option<&Path>,
    out: &mut dyn io::Write,
    err: &mut dyn io::Write,
) -> io::Result<Exit> {
    let Some(path) = path else {
        let fix = "write `sidecall check FILE`, or set SIDECALL_CONFIG";
        writeln!(err, "no configuration is named: {fix}")?;
        return Ok(Exit::Usage);
    };
    match config::load(path) {
        Err(error) => {
            writeln!(err, "{error}")?;
            Ok(Exit::Usage)
        }
        Ok(config) => {
            let is_well = config.warnings.warnings.is_empty();
            let exit = if is_well { Exit::Well } else { Exit::Found };
            write!(out, "{}", Summary(&config)).and_then(|()| out.flush())?;
            if !is_well {
                write!(err, "\n{}", config.warnings)?;
            }
            Ok(exit)
        }
    }
}

/// What a configuration says, at a glance.
struct Summary<'a>(&'a Config);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config { listen, admin, callers, apis, tools, bounds, telemetry, warnings, .. } =
            self.0;
        let found = match warnings.warnings.len() {
            0 => "nothing was found".to_owned(),
            count => counted(count, "warning"),
        };
        let (api_count, tool_count) = (counted(apis.len(), "API"), counted(tools.len(), "tool"));
        writeln!(f, "{}: {api_count}, {tool_count}; {found}", warnings.name)?;
        if tools.is_empty() {
            // As it is to be where all tools are functions of the app.
            let rest = "only what workers offer can be called; any other tool stands under `tools`";
            writeln!(f, "no tools: {rest}")?;
        }
        if let Some(unix) = &listen.unix {
            writeln!(f, "listens on {} (mode {:04o})", unix.path.display(), unix.mode)?;
        }
        if let Some(tcp) = &listen.tcp {
            let guard = match &tcp.tls {
                Some(listen::Tls { client_ca: Some(_), .. }) => " (TLS, client certificates)",
                Some(_) => " (TLS)",
                None => "",
            };
            writeln!(f, "listens on {}{guard}", tcp.address)?;
        }
        if callers.is_some() {
            writeln!(f, "{}", auth::who(callers.as_ref()))?;
        }
        writeln!(f, "{}", telemetry.ways(admin.as_ref().map(|admin| admin.address)))?;
        let mut rows = vec![["API", "URL", "AT ONCE", "RATE"].map(str::to_owned)];
        for api in apis {
            let limits = bounds.apis.iter().find(|limits| limits.name == api.name);
            let cap = limits.and_then(|limits| limits.concurrency);
            let cap = cap.map_or_else(|| "-".to_owned(), |cap| cap.to_string());
            let rates = limits
                .into_iter()
                .flat_map(|limits| &limits.rates)
                .map(|(rate, per)| format!("{rate}{}", per.as_suffix()));
            let rates = rates.reduce(|all, rate| format!("{all}, {rate}"));
            let rates = rates.unwrap_or_else(|| "-".to_owned());
            rows.push([api.name.to_string(), api.url.to_string(), cap, rates]);
        }
        table(f, &rows)?;
        let mut rows = vec![["TOOL", "API", "METHOD", "EFFECT", "TIMEOUT"].map(str::to_owned)];
        for (tool, request) in tools {
            rows.push([
                tool.name.to_string(),
                tool.api.to_string(),
                http::Method::from(request.method).to_string(),
                request.effect.as_str().to_owned(),
                format!("{:?}", tool.timeout),
            ]);
        }
        table(f, &rows)?;
        table(f, &in_block_order(self.0))
    }
}

/// Of each API the tools whose calls of one turn wait for each other, though
/// nobody wrote so.
fn in_block_order(config: &Config) -> Vec<[String; 3]> {
    let mut rows = vec![["API", "IN BLOCK ORDER BY DEFAULT", "LIFTED BY"].map(str::to_owned)];
    for api in &config.apis {
        let tools = config.tools.iter();
        let tools = tools.filter(|(tool, http)| tool.turn(http.effect) == Some(&api.name));
        let names: Vec<&str> = tools.map(|(tool, _)| tool.name.as_str()).collect();
        if !names.is_empty() {
            let lift = format!(
                "`writes: [...]` on a tool, or `apis.{}.ordering: none`",
                api.name.as_str()
            );
            rows.push([api.name.to_string(), names.join(", "), lift]);
        }
    }
    rows
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Rows under a headline, in columns; nothing where there is only the headline.
fn table<const N: usize>(f: &mut fmt::Formatter<'_>, rows: &[[String; N]]) -> fmt::Result {
    if rows.len() < 2 {
        return Ok(());
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    writeln!(f)?;
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            write!(line, "{cell:width$}  ", width = width(column).unwrap_or_default())?;
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> (Exit, String, String) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sidecall.yaml");
        std::fs::write(&file, text).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = check(Some(&file), &mut out, &mut err).unwrap();
        let shown = |bytes| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(&file.display().to_string(), "sidecall.yaml")
        };
        (exit, shown(out), shown(err))
    }

    const GOOD: &str = "\
listen: {tcp: '127.0.0.1:7070'}
apis: {crm: {url: 'https://crm.internal/v2', concurrency: 8, timeout: 5s}}
tools:
  get_customer:
    description: One customer.
    input: {type: object, properties: {id: {type: string}}, required: [id]}
    http: {api: crm, get: '/customers/{id}'}
  add_note: {description: Adds a note., http: {api: crm, post: /notes}, timeout: 200ms}
";

    #[test]
    fn a_file_that_does_not_load_ends_with_2_and_its_faults() {
        let (exit, out, err) = checked("tolls: {}\nlisten: {tcp: 1}");
        assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
        assert!(err.contains("sidecall.yaml:1:1: tolls:"), "{err}");
        assert!(err.ends_with("sidecall.yaml: 2 faults; nothing was loaded\n"), "{err}");
    }

    #[test]
    fn no_file_ends_with_2_and_what_to_write() {
        let mut err = Vec::new();
        assert_eq!(check(None, &mut io::sink(), &mut err).unwrap(), Exit::Usage);
        assert!(String::from_utf8(err).unwrap().contains("sidecall check FILE"));
    }

    #[test]
    fn warnings_end_with_1() {
        let (exit, out, err) = checked(&GOOD.replace("/customers/{id}", "/customers"));
        assert_eq!(exit, Exit::Found);
        assert!(out.starts_with("sidecall.yaml: 1 API, 2 tools; 1 warning\n"), "{out}");
        assert!(
            err.contains(
                "sidecall.yaml:6:40: tools.get_customer.input.properties.id: no slot takes `id`"
            ),
            "{err}"
        );
    }

    #[test]
    fn without_tools_of_its_own_it_is_well_and_says_whose_there_are() {
        for text in ["", "listen: {unix: {path: /run/a.sock}}", "tools: {}"] {
            let (exit, out, err) = checked(text);
            assert_eq!((exit, err.as_str()), (Exit::Well, ""), "{text}");
            let said = "0 APIs, 0 tools; nothing was found\nno tools: only what workers offer";
            assert!(out.contains(said), "{text}: {out}");
        }
        let (exit, out, err) = checked("apis: {crm: {url: 'https://crm.internal'}}");
        assert_eq!((exit, out.contains("no tools")), (Exit::Found, true));
        assert!(err.contains("apis.crm: no tool uses this API"), "{err}");
    }

    #[test]
    fn a_good_file_is_summed_up() {
        let (exit, out, err) = checked(GOOD);
        assert_eq!((exit, err.as_str()), (Exit::Well, ""));
        insta::assert_snapshot!(out);
    }
}
