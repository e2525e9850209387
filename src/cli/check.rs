//! `sidecall check`: Checks a configuration and says everything that is wrong with it.

use std::{
    fmt::{self, Write as _},
    io::Write,
    path::PathBuf,
};

use super::{ConfigArgs, Exit};
use crate::{
    config::{self, Config},
    model::Effect,
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
    let Some(path) = args.file.or(args.config.config) else {
        let _ = writeln!(
            anstream::stderr(),
            "no configuration is named: write `sidecall check FILE`, or set SIDECALL_CONFIG"
        );
        return Exit::Usage;
    };
    match config::load(&path) {
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "{error}");
            Exit::Usage
        }
        Ok(config) => {
            let warnings = &config.warnings;
            let _ = write!(anstream::stdout(), "{}", Summary(&config));
            let _ = write!(anstream::stderr(), "{}", warnings);
            if warnings.warnings.is_empty() { Exit::Well } else { Exit::Found }
        }
    }
}

/// What a configuration says, at a glance.
struct Summary<'a>(&'a Config);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config { listen, apis, tools, bounds, warnings, .. } = self.0;
        let found = match warnings.warnings.len() {
            0 => "nothing was found".to_owned(),
            count => counted(count, "warning"),
        };
        let (api_count, tool_count) = (counted(apis.len(), "API"), counted(tools.len(), "tool"));
        writeln!(f, "{}: {api_count}, {tool_count}; {found}", warnings.name)?;
        if let Some(unix) = &listen.unix {
            writeln!(f, "listens on {} (mode {:04o})", unix.path.display(), unix.mode)?;
        }
        if let Some(tcp) = &listen.tcp {
            writeln!(f, "listens on {tcp}")?;
        }
        let mut rows = vec![["API", "URL", "AT ONCE"].map(str::to_owned)];
        for api in apis {
            let cap = bounds.api_concurrency.iter().find(|(name, _)| *name == api.name);
            let cap = cap.map_or_else(|| "-".to_owned(), |(_, cap)| cap.to_string());
            rows.push([api.name.to_string(), api.url.to_string(), cap]);
        }
        table(f, &rows)?;
        let mut rows = vec![["TOOL", "API", "METHOD", "EFFECT", "TIMEOUT"].map(str::to_owned)];
        for (tool, request) in tools {
            let effect = match request.method.effect() {
                Effect::ReadOnly => "read_only",
                Effect::AtMostOnce => "at_most_once",
            };
            rows.push([
                tool.name.to_string(),
                tool.api.to_string(),
                http::Method::from(request.method).to_string(),
                effect.to_owned(),
                format!("{:?}", tool.timeout),
            ]);
        }
        table(f, &rows)
    }
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
