//! What the output looks like: how wide, how rich, how lively.
//!
//! Decided once from the stream and the environment, then carried as values,
//! so that everything that draws is a function of its arguments.

use std::{
    io::{self, Write},
    os::fd::AsFd,
};

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::config::env::{Environment, Process, Variable};

/// Columns where nothing says how many there are.
const WIDTH: usize = 80;

/// Narrower than this a waterfall says nothing.
const WIDTH_MIN: usize = 40;

/// Rows where nothing says how many there are.
const HEIGHT: usize = 24;

/// How output is drawn; flattened into the subcommands that draw.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Drawing")]
pub(crate) struct DrawArgs {
    /// Draws with ASCII characters only.
    #[arg(long, env = "SIDECALL_ASCII", value_parser = clap::builder::FalseyValueParser::new())]
    ascii: bool,
    /// Draws this many columns wide; as wide as the terminal, or 80, where it is
    /// not given.
    #[arg(long, value_name = "COLUMNS")]
    width: Option<u16>,
}

/// How a piece of output is drawn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Look {
    /// Columns.
    pub(crate) width: usize,
    /// Whether anything beyond ASCII can be shown.
    pub(crate) unicode: bool,
    /// Whether colours can be shown, and are wanted.
    pub(crate) color: bool,
}

/// One of the process's streams, with what it can show.
pub(crate) struct Screen {
    /// How it is drawn to.
    pub(crate) look: Look,
    /// Rows that can be drawn over again; none where nothing can.
    pub(crate) live_rows: Option<usize>,
    /// The stream. Colours are left out by whoever writes.
    pub(crate) out: Box<dyn Write>,
}

impl Screen {
    /// Standard output.
    pub(crate) fn stdout(args: &DrawArgs) -> Self {
        Self::new(args, io::stdout())
    }

    /// Standard error, where standard output is for a program.
    pub(crate) fn stderr(args: &DrawArgs) -> Self {
        Self::new(args, io::stderr())
    }

    fn new<S>(args: &DrawArgs, out: S) -> Self
    where
        S: anstream::stream::RawStream + Write + AsFd + 'static,
    {
        let environment = &Process;
        let choice = anstream::AutoStream::choice(&out);
        let size = terminal_size::terminal_size_of(&out);
        let size = size.filter(|(width, height)| width.0 > 0 && height.0 > 0);
        let width = args.width.map(usize::from);
        let width = width.or(size.map(|(width, _)| usize::from(width.0))).unwrap_or(WIDTH);
        let height = size.map_or(HEIGHT, |(_, height)| usize::from(height.0));
        let look = Look {
            width: width.max(WIDTH_MIN),
            unicode: !args.ascii && speaks_unicode(environment),
            color: choice != anstream::ColorChoice::Never,
        };
        let live = out.is_terminal() && moves_cursor(environment);
        Self { look, live_rows: live.then_some(height), out: Box::new(out) }
    }
}

/// A locale that is named must say UTF-8; where none is named, as in most
/// containers, the terminal outside speaks it today.
fn speaks_unicode(environment: &dyn Environment) -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    let locale = named.filter_map(|name| set(environment, name)).next();
    let linux_console = set(environment, "TERM").is_some_and(|term| term == "linux");
    !linux_console
        && locale.is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
}

fn moves_cursor(environment: &dyn Environment) -> bool {
    set(environment, "TERM").is_some_and(|term| term != "dumb")
}

/// The value of a variable that says something.
fn set(environment: &dyn Environment, name: &str) -> Option<String> {
    match environment.variable(name) {
        Variable::Set(value) if !value.is_empty() => Some(value),
        Variable::Set(_) | Variable::Missing | Variable::NotUnicode => None,
    }
}

/// What a piece of text means. Colour is never the only sign of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ink {
    Plain,
    /// What is read second.
    Dim,
    /// What is read first.
    Bold,
    Good,
    Bad,
    /// Happening now.
    Active,
    /// Waiting for its turn.
    Waiting,
    /// Did not happen.
    Skipped,
}

impl Ink {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Dim => Style::new().dimmed(),
            Self::Bold => Style::new().bold(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Active => AnsiColor::Cyan.on_default(),
            Self::Waiting => AnsiColor::Yellow.on_default(),
            Self::Skipped => AnsiColor::Magenta.on_default(),
        }
    }
}

impl Look {
    /// The text in that ink.
    pub(crate) fn paint(&self, ink: Ink, text: &str) -> String {
        if !self.color || ink == Ink::Plain || text.is_empty() {
            return text.to_owned();
        }
        let style = ink.style();
        format!("{style}{text}{style:#}")
    }

    /// The first where Unicode can be shown, else the second.
    pub(crate) fn pick<'a>(&self, unicode: &'a str, ascii: &'a str) -> &'a str {
        if self.unicode { unicode } else { ascii }
    }
}

/// Text from elsewhere, without what a terminal would obey.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            // Bidirectional overrides could make one text look like another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Text cut to `width` columns, with a sign that it was, then filled up to them.
pub(crate) fn fitted(text: &str, width: usize, look: &Look) -> String {
    let mut fitted = String::new();
    let mut used = 0;
    if text.width() > width {
        let sign = look.pick("…", "~");
        for c in text.chars() {
            let columns = c.width().unwrap_or(0);
            if used + columns + 1 > width {
                break;
            }
            used += columns;
            fitted.push(c);
        }
        fitted.push_str(sign);
        used += 1;
    } else {
        fitted.push_str(text);
        used = text.width();
    }
    fitted.extend(std::iter::repeat_n(' ', width.saturating_sub(used)));
    fitted
}

/// Text in lines of at most `width` columns, broken between words where it can
/// be.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let mut word = word;
        if used > 0 && used + 1 + word.width() > width {
            lines.push(String::new());
            used = 0;
        }
        if used > 0 {
            push(&mut lines, " ");
            used += 1;
        }
        while word.width() > width {
            let (head, tail) = word.split_at(cut(word, width));
            push(&mut lines, head);
            lines.push(String::new());
            word = tail;
        }
        push(&mut lines, word);
        used += word.width();
    }
    lines
}

fn push(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

/// Where the first `width` columns of `word` end; at least one character.
fn cut(word: &str, width: usize) -> usize {
    let mut used = 0;
    for (at, c) in word.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width && at > 0 {
            return at;
        }
    }
    word.len()
}

/// A screen that can be read afterwards.
#[cfg(test)]
pub(crate) mod tape {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use super::{Look, Screen};

    /// What was written.
    #[derive(Clone, Default)]
    pub(crate) struct Tape(Arc<Mutex<Vec<u8>>>);

    impl Tape {
        /// A screen of 80 columns without colours that writes to this tape.
        pub(crate) fn screen(&self, live_rows: Option<usize>) -> Screen {
            let look = Look { width: 80, unicode: true, color: false };
            Screen { look, live_rows, out: Box::new(self.clone()) }
        }

        /// What was written since the last time.
        pub(crate) fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
        }
    }

    impl Write for Tape {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look { width: 80, unicode: true, color: false };

    /// `TERM` and `LANG`.
    struct Variables(Option<&'static str>, Option<&'static str>);

    impl Environment for Variables {
        fn variable(&self, name: &str) -> Variable {
            let value = match name {
                "TERM" => self.0,
                "LANG" => self.1,
                _ => None,
            };
            value.map_or(Variable::Missing, |value| Variable::Set(value.to_owned()))
        }

        fn file(&self, _: &std::path::Path) -> io::Result<Vec<u8>> {
            Err(io::Error::other("not asked for here"))
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_made_harmless() {
        assert_eq!(harmless("a\x1b[2Jb\r\n\u{202e}c"), "a\u{fffd}[2Jb\u{fffd} \u{fffd}c");
        assert_eq!(harmless("Malmö → 東京"), "Malmö → 東京");
    }

    #[test]
    fn a_dumb_terminal_is_not_drawn_over_and_a_named_locale_must_say_utf_8() {
        for (term, moves) in [(None, false), (Some("dumb"), false), (Some("xterm"), true)] {
            assert_eq!(moves_cursor(&Variables(term, None)), moves, "{term:?}");
        }
        for (term, lang, unicode) in [
            ("xterm", Some("C"), false),
            ("xterm", Some("de_DE@euro"), false),
            ("linux", Some("C.UTF-8"), false),
            ("xterm", Some("C.UTF-8"), true),
            ("xterm", Some("de_DE.utf8"), true),
            ("xterm", Some(""), true),
            ("xterm", None, true),
        ] {
            let environment = Variables(Some(term), lang);
            assert_eq!(speaks_unicode(&environment), unicode, "{term} {lang:?}");
        }
    }

    #[test]
    fn text_is_fitted_by_columns_and_not_by_characters() {
        assert_eq!(fitted("get_customer", 8, &LOOK), "get_cus…");
        assert_eq!(fitted("東京都庁", 5, &LOOK), "東京…");
        assert_eq!(fitted("東京", 5, &LOOK), "東京 ");
    }

    #[test]
    fn lines_break_between_words_and_inside_those_that_are_too_long() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a abcdefghij", 4), ["a", "abcd", "efgh", "ij"]);
        assert_eq!(wrapped("", 4), [""]);
    }

    #[test]
    fn nothing_is_coloured_unless_it_is_wanted() {
        assert_eq!(LOOK.paint(Ink::Bad, "x"), "x");
        assert_eq!(Look { color: true, ..LOOK }.paint(Ink::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
