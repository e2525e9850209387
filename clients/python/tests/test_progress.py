"""What people see, and what traces see."""

import io
import sys
import types

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import sidecall
from conftest import tool_use
from sidecall import AsyncSidecall, Sidecall
from sidecall.model import (
    Accepted,
    Finished,
    Plan,
    PlannedCall,
    Progress,
    Retrying,
    Started,
    Timings,
)
from sidecall.progress import Bar, Notebook, Picture, Terminal, painter


class Screen(io.StringIO):
    def isatty(self):
        return True


def planned(*names):
    calls = [
        PlannedCall(f"c{n}", name, "read_only", 1, 0, False, None) for n, name in enumerate(names)
    ]
    return Accepted("b", Plan(tuple(calls)))


def test_a_picture_says_who_runs_and_how_far():
    picture = Picture(3)
    picture.take(planned("a", "b", "c"))
    for index in range(3):
        picture.take(Started(f"c{index}", index, 1, 0, Timings()))
    assert picture.line(1.25, 80) == f"{'░' * 24} 0/3  1.2 s  a, b, c"
    picture.take(Progress("c1", 1, 1, 4, "rows"))
    failure = sidecall.Failure(sidecall.FailureCode.UNAVAILABLE, "backend", "same_input", "m")
    picture.take(Retrying("c2", 2, 1, 0.5, failure))
    done = sidecall.CallResult("c0", "a", 0, sidecall.Outcome.FAILED, is_error=True)
    picture.take(Finished(done))
    line = picture.line(2, 80)
    assert (
        line
        == f"{'█' * 8}{'░' * 16} 1/3  1 failed  2.0 s  b (25 % rows), c (unavailable, again in 0.5 s)"[
            :79
        ]
    )
    assert len(picture.line(2, 40)) == 39
    assert 'value="0.333"' in picture.page(2)


def test_a_page_shows_no_markup_of_a_tools():
    picture = Picture(1)
    picture.take(planned("a"))
    picture.take(Progress("c0", 0, None, None, "<script>"))
    assert "<script>" not in picture.page(1)


def test_a_turn_draws_one_line_in_a_terminal(sidecar, monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with Sidecall(sidecar.address) as client:
        client.execute([tool_use(1, "get_user", id="u")], progress=True)
    lines = screen.getvalue().split("\r\x1b[2K")
    assert lines[-1].startswith("█" * 24 + " 1/1")
    assert lines[-1].endswith("\n")
    assert screen.getvalue().count("\n") == 1


def test_nothing_is_drawn_where_nobody_sees_it(monkeypatch, capsys):
    assert painter() is None
    monkeypatch.setattr(sys, "stderr", Screen())
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(painter(), Terminal)
    monkeypatch.setenv("TERM", "dumb")
    assert painter() is None


def test_a_notebooks_cell_is_drawn_over(monkeypatch):
    import IPython
    import IPython.display

    shown, updates = [], []

    class Handle:
        def update(self, page):
            updates.append(page.data)

    def display(page, display_id):
        shown.append(page.data)
        return Handle()

    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr(IPython.display, "display", display)
    drawn = painter()
    assert isinstance(drawn, Notebook)
    bar = Bar(2, drawn)
    bar.show(planned("a", "b"))
    bar.show(sidecall.Done(None))
    bar.end()
    assert len(shown) == len(updates) == 1
    assert "<progress" in shown[0]


async def test_the_callers_trace_goes_on_to_the_apis(sidecar, world):
    tracer = TracerProvider().get_tracer("agent")
    async with AsyncSidecall(sidecar.address) as client:
        with tracer.start_as_current_span("turn") as span:
            await client.execute([tool_use(1, "get_user", id="u")])
            expected = trace.format_trace_id(span.get_span_context().trace_id)
    assert world.requests[0][3]["traceparent"].split("-")[1] == expected


def test_the_callers_trace_goes_along_without_asyncio(sidecar, world):
    tracer = TracerProvider().get_tracer("agent")
    with Sidecall(sidecar.address) as client, tracer.start_as_current_span("turn") as span:
        client.execute([tool_use(1, "get_user", id="u")])
        expected = trace.format_trace_id(span.get_span_context().trace_id)
    assert world.requests[0][3]["traceparent"].split("-")[1] == expected
