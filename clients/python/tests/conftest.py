"""A real sidecar, and a small world of APIs on loopback that it calls."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

BINARY = os.environ.get("SIDECALL_TEST_BINARY") or str(
    Path(__file__).parents[3] / "target/debug/sidecall"
)

TOOLS = """
  get_user:
    description: A user by id.
    input: {type: object, properties: {id: {type: string}}, required: [id]}
    http: {api: world, get: "/users/{id}"}
  list_orders:
    description: Orders of a user.
    input: {type: object, properties: {user: {type: string}}, required: [user]}
    http: {api: world, get: "/orders", query: {user: "{user}"}}
  echo:
    description: Says what it was sent.
    effect: at_least_once
    input: {type: object, properties: {a: {type: number}, b: {type: integer}}}
    http: {api: world, post: /echo, json: {a: "{a}", b: "{b}"}}
  hang:
    description: Answers when the test lets it.
    input: {type: object, properties: {n: {type: integer}}}
    http: {api: world, get: "/hang", query: {n: "{n}"}}
  hang_write:
    description: Takes effect, and answers when the test lets it.
    input: {type: object, properties: {n: {type: integer}}}
    http: {api: world, post: "/hang"}
  hang_keyed:
    description: The same, and knows a call by its key.
    input: {type: object, properties: {n: {type: integer}}}
    effect: keyed
    http: {api: world, post: "/hang"}
  large:
    description: As many bytes as are asked for.
    max_bytes: 16MiB
    input: {type: object, properties: {bytes: {type: integer}}, required: [bytes]}
    http: {api: world, get: "/large", query: {bytes: "{bytes}"}}
  fail:
    description: Says no.
    input: {type: object, properties: {id: {type: string}}}
    http: {api: world, get: "/fail"}
"""


class World:
    """An upstream that writes down what it was asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any, dict[str, str]]] = []
        self.arrived = threading.Condition()
        self.released = threading.Event()
        world = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                url = urlsplit(self.path)
                with world.arrived:
                    headers = {key.lower(): value for key, value in self.headers.items()}
                    value = body.decode()
                    world.requests.append((self.command, self.path, value, headers))
                    world.arrived.notify_all()
                status, kind, out = world.respond(url.path, parse_qs(url.query), body)
                try:
                    self.send_response(status)
                    self.send_header("content-type", kind)
                    self.send_header("content-length", str(len(out)))
                    self.end_headers()
                    self.wfile.write(out)
                except OSError:
                    pass

            do_GET = do_POST = answer

        class Server(ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A sidecar that was killed breaks its connections."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def respond(
        self, path: str, query: dict[str, list[str]], body: bytes
    ) -> tuple[int, str, bytes]:
        if path.startswith("/users/"):
            user = {"id": path[7:], "name": "Mara", "balance": 1249.5}
            return 200, "application/json", json.dumps(user).encode()
        if path == "/orders":
            orders = [{"id": "o-1", "user": query["user"][0]}]
            return 200, "application/json", json.dumps(orders).encode()
        if path == "/echo":
            return 200, "application/json", body
        if path == "/hang":
            self.released.wait(30)
            return 200, "text/plain", b"at last"
        if path == "/large":
            return 200, "text/plain", b"x" * int(query["bytes"][0])
        return 422, "text/plain", b"no"

    def wait_for(self, count: int, path: str = "") -> None:
        """Until that many requests have come."""
        with self.arrived:
            done = self.arrived.wait_for(lambda: self.count(path) >= count, timeout=20)
        assert done, self.requests

    def count(self, path: str = "") -> int:
        return sum(one[1].startswith(path) for one in self.requests)

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


class Sidecar:
    """A process of the real program."""

    def __init__(self, folder: Path, config: str, arguments: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.config = folder / "sidecall.yaml"
        self.config.write_text(config)
        self.socket = folder / "s.sock"
        self.arguments = arguments or ("--unix", str(self.socket))
        self.address = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = (self.folder / "sidecall.log").open("ab")
        self.process = subprocess.Popen(
            [BINARY, "serve", *self.arguments, "-c", str(self.config)], stdout=log, stderr=log
        )
        if self.address.startswith("unix:"):
            until(lambda: reachable(self.socket) or self.process.poll() is not None)
        assert self.process.poll() is None, (self.folder / "sidecall.log").read_text()

    def kill(self) -> None:
        """As a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()


def reachable(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Waits for what becomes true; there is nothing that says when."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.01)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture
def sidecars(world: World, tmp_path_factory: Any) -> Iterator[Callable[..., Sidecar]]:
    """Makes sidecars, and sees to their end."""
    made: list[Sidecar] = []

    def make(more: str = "", *, tools: str = TOOLS, start: bool = True) -> Sidecar:
        config = f"apis:\n  world: {{url: '{world.url}', response_bytes: 16MiB}}\n{more}\ntools:\n{tools}"
        sidecar = Sidecar(tmp_path_factory.mktemp("s"), config)
        made.append(sidecar)
        if start:
            sidecar.start()
        return sidecar

    yield make
    world.released.set()
    for sidecar in made:
        sidecar.stop()


@pytest.fixture
def sidecar(sidecars: Callable[..., Sidecar]) -> Sidecar:
    return sidecars()


def tool_use(number: int, name: str, **value: Any) -> dict[str, Any]:
    """An Anthropic block."""
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": value}


async def eventually(condition: Callable[[], bool], seconds: float = 20) -> None:
    """As `until`, and lets other tasks run."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not become true in time"
        await asyncio.sleep(0.01)


async def nothing_open(client: Any) -> None:
    """Until the sidecar has no open batch."""
    end = time.monotonic() + 20
    while (await client.status()).process.batches.used:
        assert time.monotonic() < end, "a batch stayed open"
        await asyncio.sleep(0.01)
