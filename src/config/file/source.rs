//! The text that was read, and where in it a byte stands.

use super::Span;

/// The configuration as it was read.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its text.
    pub(crate) text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl Source {
    /// Takes in a text.
    pub(crate) fn new(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { text: text.to_owned(), lines }
    }

    /// Line and column of a byte, both from 1, columns in characters.
    pub(crate) fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or_default();
        let before = self.text.get(start..offset.min(self.text.len())).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// The bytes of a line, its break left out.
    pub(crate) fn line(&self, line: usize) -> Span {
        let start = self.lines.get(line - 1).copied().unwrap_or(self.text.len());
        let end = self.lines.get(line).map_or(self.text.len(), |next| next - 1);
        let text = self.text.get(start..end).unwrap_or_default();
        Span { start, end: start + text.trim_end_matches('\r').len() }
    }

    /// The text of a span.
    pub(crate) fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_lines_from_one() {
        let source = Source::new("a: ü\r\nbb: 1\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(5), (1, 5));
        assert_eq!(source.position(7), (2, 1));
        assert_eq!(source.position(source.text.len()), (3, 1));
        assert_eq!(source.slice(source.line(1)), "a: ü");
        assert_eq!(source.slice(source.line(2)), "bb: 1");
        assert_eq!(source.slice(source.line(3)), "");
    }
}
