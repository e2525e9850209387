//! What is drawn over again.

use std::io;

use super::terminal::Screen;

/// Frames on one screen, each in the place of the one before.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// Lines of the last frame, which the next one replaces.
    drawn: usize,
}

impl Frames {
    /// Draws a frame. In one write between the marks of a synchronised update:
    /// nothing flickers, and terminals that do not know the marks pass them over.
    pub(crate) fn draw(&mut self, screen: &mut Screen, lines: &[String]) -> io::Result<()> {
        let live = screen.live_rows.is_some();
        let mut frame = String::new();
        if live {
            frame.push_str("\x1b[?2026h");
        }
        if self.drawn > 0 {
            frame.push_str(&format!("\x1b[{}A\r\x1b[J", self.drawn));
        }
        for line in lines {
            frame.push_str(line);
            frame.push('\n');
        }
        if live {
            frame.push_str("\x1b[?2026l");
        }
        self.drawn = if live { lines.len() } else { 0 };
        screen.out.write_all(frame.as_bytes())?;
        screen.out.flush()
    }

    /// The last frame stays: what is drawn next stands below it.
    pub(crate) fn keep(&mut self) {
        self.drawn = 0;
    }
}
