"""A progress bar of a turn, in a terminal or a notebook, with nothing installed for it."""

from __future__ import annotations

import html
import os
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from sidecall import model

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH = 24
NAMES_MAX = 3
# Between two paintings; more often is seen by nobody.
PAUSE = 0.05


@dataclass
class Picture:
    """What is known of a turn, and what it looks like."""

    calls: int
    ended: int = 0
    failed: int = 0
    # Calls that run, by place, with what they say of themselves.
    running: dict[int, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    def take(self, event: model.Event) -> None:
        """Takes an event in."""
        if isinstance(event, model.Accepted):
            self.names = {place: call.tool for place, call in enumerate(event.plan.calls)}
            self.calls = max(self.calls, len(event.plan.calls) + event.plan.calls_omitted)
        elif isinstance(event, model.Planned):
            self.names[event.index] = event.call.tool
            self.calls = max(self.calls, event.index + 1)
        elif isinstance(event, model.Started):
            self.running[event.index] = f"attempt {event.attempt}" if event.attempt > 1 else ""
        elif isinstance(event, model.Retrying):
            self.running[event.index] = f"{event.failure.code}, again in {event.delay:.1f} s"
        elif isinstance(event, model.Progress):
            self.running[event.index] = _progress(event)
        elif isinstance(event, model.Finished):
            self.running.pop(event.result.index, None)
            self.ended += 1
            self.failed += event.result.is_error

    def share(self) -> float:
        """How much is done, from 0 to 1."""
        return self.ended / self.calls if self.calls else 1.0

    def words(self, elapsed: float) -> str:
        """The figures, and who runs."""
        parts = [f"{self.ended}/{self.calls}"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        parts.append(f"{elapsed:.1f} s")
        shown = [
            f"{self.names.get(place, place)} ({said})"
            if said
            else str(self.names.get(place, place))
            for place, said in sorted(self.running.items())[:NAMES_MAX]
        ]
        if len(self.running) > NAMES_MAX:
            shown.append(f"{len(self.running) - NAMES_MAX} more")
        return "  ".join([*parts, ", ".join(shown)]).rstrip()

    def line(self, elapsed: float, columns: int) -> str:
        """One line of a terminal."""
        full = round(self.share() * WIDTH)
        bar = "█" * full + "░" * (WIDTH - full)
        return f"{bar} {self.words(elapsed)}"[: columns - 1]

    def page(self, elapsed: float) -> str:
        """A notebook's cell."""
        return (
            f'<progress max="1" value="{self.share():.3f}" style="width:16em"></progress> '
            f"<code>{html.escape(self.words(elapsed))}</code>"
        )


def _progress(event: model.Progress) -> str:
    figures = ""
    if event.done is not None and event.total:
        figures = f"{100 * event.done / event.total:.0f} %"
    elif event.done is not None:
        figures = f"{event.done:g}"
    return " ".join(part for part in (figures, event.message) if part)


class Painter(Protocol):
    """Shows a picture."""

    def paint(self, picture: Picture, elapsed: float) -> None:
        """Shows it as it is now."""

    def end(self) -> None:
        """Leaves what was shown last."""


class Terminal:
    """One line that is painted over."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def paint(self, picture: Picture, elapsed: float) -> None:
        """Shows it as it is now."""
        try:
            columns = os.get_terminal_size(self._out.fileno()).columns or 80
        except (OSError, ValueError):
            columns = 80
        self._out.write(f"\r\x1b[2K{picture.line(elapsed, columns)}")
        self._out.flush()

    def end(self) -> None:
        """Leaves what was shown last."""
        self._out.write("\n")
        self._out.flush()


class Notebook:
    """A cell's output that is replaced."""

    def __init__(self, display: Callable[..., Any], markup: Callable[[str], Any]) -> None:
        self._display = display
        self._markup = markup
        self._handle: Any = None

    def paint(self, picture: Picture, elapsed: float) -> None:
        """Shows it as it is now."""
        page = self._markup(picture.page(elapsed))
        if self._handle is None:
            self._handle = self._display(page, display_id=True)
        else:
            self._handle.update(page)

    def end(self) -> None:
        """Leaves what was shown last."""


def painter() -> Painter | None:
    """Who can show something here: a notebook, a terminal, or nobody."""
    # Only where somebody has imported it already can this be a notebook.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and getattr(shell, "kernel", None) is not None:
        display = sys.modules.get("IPython.display")
        if display is not None:
            return Notebook(display.display, display.HTML)
    if sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return Terminal(sys.stderr)
    return None


class Bar:
    """Paints a turn's events where there is somebody to see them."""

    def __init__(self, calls: int, shown: Painter | None = None) -> None:
        self._picture = Picture(calls)
        self._painter = shown or painter()
        self._began = time.monotonic()
        self._painted = 0.0

    def show(self, event: model.Event) -> None:
        """Takes an event in, and paints now and then."""
        self._picture.take(event)
        now = time.monotonic()
        is_last = isinstance(event, model.Done)
        if self._painter is not None and (is_last or now - self._painted >= PAUSE):
            self._painted = now
            self._painter.paint(self._picture, now - self._began)

    def end(self) -> None:
        """Leaves what was shown last."""
        if self._painter is not None and self._painted:
            self._painter.end()
