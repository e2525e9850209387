//! A turn on a stream, while it happens.

use std::{
    io::{self, Write},
    time::Duration,
};

use super::{Waterfall, below::below, draw, line::line, table::table};
use crate::{
    cli::{frames::Frames, terminal::Screen, wire},
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
    /// Whether the end has figures, too.
    verbose: bool,
    /// What has happened.
    pub(crate) waterfall: Waterfall,
    frames: Frames,
}

impl<'s> Show<'s> {
    /// A turn of which nothing is known.
    pub(crate) fn new(screen: &'s mut Screen, mode: Mode) -> Self {
        Self {
            screen,
            mode,
            verbose: false,
            waterfall: Waterfall::default(),
            frames: Frames::default(),
        }
    }

    /// The same, and at the end where each call's time went, in figures.
    pub(crate) fn with_figures(self, verbose: bool) -> Self {
        Self { verbose, ..self }
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
        self.frames.draw(self.screen, &lines)
    }

    /// Draws the end of it, and what is said below.
    pub(crate) fn end(&mut self, now: Duration) -> io::Result<()> {
        if self.mode == Mode::Json || self.waterfall.rows.is_empty() {
            return self.screen.out.flush();
        }
        let mut lines = draw::frame(&self.waterfall, now, &self.screen.look, usize::MAX);
        lines.extend(below(&self.waterfall, &self.screen.look));
        if self.verbose {
            lines.extend(table(&self.waterfall, &self.screen.look));
        }
        if self.mode == Mode::Lines && self.screen.live_rows.is_none() {
            lines.insert(0, String::new());
        }
        self.frames.draw(self.screen, &lines)?;
        self.frames.keep();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{terminal::tape::Tape, waterfall::script};

    const END: Duration = Duration::from_millis(700);

    fn play(show: &mut Show<'_>, events: &[(u64, v1::BatchEvent)]) {
        for (seen_ms, event) in events {
            show.event(event, Duration::from_millis(*seen_ms)).unwrap();
        }
    }

    #[test]
    fn a_frame_is_drawn_over_the_one_before_and_the_end_over_the_last() {
        let tape = Tape::default();
        let mut screen = tape.screen(Some(24));
        let mut show = Show::new(&mut screen, Mode::Lines);
        let events = script::failure();

        show.tick(Duration::ZERO).unwrap();
        assert_eq!(tape.take(), "", "nothing is drawn before anything is known");
        play(&mut show, &events[..2]);
        assert_eq!(tape.take(), "", "events alone draw nothing");

        show.tick(Duration::from_millis(10)).unwrap();
        let first = tape.take();
        assert!(first.starts_with("\u{1b}[?2026h") && !first.contains('A'), "{first:?}");
        assert_eq!(first.matches('\n').count(), 5, "four rows and the axis");

        play(&mut show, &events[2..]);
        show.end(END).unwrap();
        let last = tape.take();
        assert!(last.starts_with("\u{1b}[?2026h\u{1b}[5A\r\u{1b}[J"), "{last:?}");
        assert!(last.ends_with("\u{1b}[?2026l") && last.contains("1 skipped"), "{last:?}");
    }

    #[test]
    fn no_frame_is_higher_than_the_terminal() {
        let tape = Tape::default();
        let mut screen = tape.screen(Some(10));
        let mut show = Show::new(&mut screen, Mode::Waterfall);
        play(&mut show, &script::wide(40, 12));
        show.tick(Duration::from_millis(60)).unwrap();
        assert!(tape.take().matches('\n').count() < 10);
        // The end may scroll: nothing is drawn over it.
        show.end(END).unwrap();
        assert!(tape.take().matches('\n').count() > 40);
    }

    #[test]
    fn in_a_pipe_lines_come_as_events_do_and_the_waterfall_once() {
        let tape = Tape::default();
        let mut screen = tape.screen(None);
        let mut show = Show::new(&mut screen, Mode::Lines);
        let events = script::failure();
        play(&mut show, &events[..1]);
        assert!(tape.take().contains("accepted"));
        show.tick(Duration::from_millis(10)).unwrap();
        assert_eq!(tape.take(), "");
        play(&mut show, &events[1..]);
        tape.take();
        show.end(END).unwrap();
        let end = tape.take();
        assert!(end.contains("✓ get_customer") && !end.contains('\u{1b}'), "{end:?}");
    }

    #[test]
    fn json_is_one_event_a_line_and_nothing_else() {
        let tape = Tape::default();
        let mut screen = tape.screen(Some(24));
        let mut show = Show::new(&mut screen, Mode::Json);
        let events = script::failure();
        play(&mut show, &events);
        show.tick(END).unwrap();
        show.end(END).unwrap();
        let shown = tape.take();
        assert_eq!(shown.lines().count(), events.len());
        for (line, (_, event)) in shown.lines().zip(&events) {
            let read: v1::BatchEvent = wire::from_json("sidecall.v1.BatchEvent", line).unwrap();
            assert_eq!(read, *event);
        }
    }
}
