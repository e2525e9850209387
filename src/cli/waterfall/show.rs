//! A turn on a stream, while it happens.

use std::{
    io::{self, Write},
    time::Duration,
};

use super::{Waterfall, draw, line::line};
use crate::{
    cli::{terminal::Screen, wire},
    proto::v1,
};

/// What is written while a turn runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// The waterfall: drawn over again where that can be done, else once at the
    /// end.
    Waterfall,
    /// As `Waterfall`, with a line for each event where it cannot be drawn over.
    Lines,
    /// Each event in proto3 JSON on a line of its own, and nothing else.
    Json,
}

/// Shows one turn.
pub(crate) struct Show<'s> {
    screen: &'s mut Screen,
    mode: Mode,
    /// What has happened.
    pub(crate) waterfall: Waterfall,
    /// Lines of the last frame, which the next one replaces.
    drawn: usize,
}

impl<'s> Show<'s> {
    /// A turn of which nothing is known.
    pub(crate) fn new(screen: &'s mut Screen, mode: Mode) -> Self {
        Self { screen, mode, waterfall: Waterfall::default(), drawn: 0 }
    }

    /// Takes in an event, seen this long after the first.
    pub(crate) fn event(&mut self, event: &v1::BatchEvent, seen: Duration) -> io::Result<()> {
        self.waterfall.apply(event, seen);
        match self.mode {
            Mode::Json => {
                let json = wire::to_json("sidecall.v1.BatchEvent", event)?;
                writeln!(self.screen.out, "{json}")?;
                self.screen.out.flush()
            }
            Mode::Lines if self.screen.live_rows.is_none() => {
                match line(&self.waterfall, event, seen, &self.screen.look) {
                    Some(line) => writeln!(self.screen.out, "{line}"),
                    None => Ok(()),
                }
            }
            Mode::Lines | Mode::Waterfall => Ok(()),
        }
    }

    /// Whether [`tick`](Self::tick) draws anything.
    pub(crate) fn is_live(&self) -> bool {
        self.mode != Mode::Json && self.screen.live_rows.is_some()
    }

    /// Draws the present over the frame before.
    pub(crate) fn tick(&mut self, now: Duration) -> io::Result<()> {
        let Some(height) = self.screen.live_rows.filter(|_| self.is_live()) else {
            return Ok(());
        };
        if self.waterfall.rows.is_empty() {
            return Ok(());
        }
        // A frame higher than the terminal could not be drawn over: the axis
        // and the line below the last need their rows too.
        let rows_max = height.saturating_sub(3).max(1);
        let lines = draw::frame(&self.waterfall, now, &self.screen.look, rows_max);
        self.draw(&lines)
    }

    /// Draws the end of it, and what is said below.
    pub(crate) fn end(&mut self, now: Duration) -> io::Result<()> {
        if self.mode == Mode::Json || self.waterfall.rows.is_empty() {
            return self.screen.out.flush();
        }
        let mut lines = draw::frame(&self.waterfall, now, &self.screen.look, usize::MAX);
        lines.extend(draw::below(&self.waterfall, &self.screen.look));
        if self.mode == Mode::Lines && self.screen.live_rows.is_none() {
            lines.insert(0, String::new());
        }
        self.draw(&lines)?;
        self.drawn = 0;
        Ok(())
    }

    /// In one write between the marks of a synchronised update: nothing
    /// flickers, and terminals that do not know the marks pass them over.
    fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let live = self.screen.live_rows.is_some();
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
        self.screen.out.write_all(frame.as_bytes())?;
        self.screen.out.flush()
    }
}
