"""What the image is checked against: a DNS server that knows one name, and an upstream.

Both are on loopback of whichever network namespace this runs in. Each line of the input
asks for a number: `names` that were asked for, requests that were `seen` or are `open`.
It ends with its input.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = b"\x08upstream\x08sidecall\x04test\x00"
ADDRESS = bytes([127, 0, 0, 1])
TYPE_A = 1

counts = {"names": 0, "seen": 0, "open": 0}
lock = threading.Lock()


def count(what: str, by: int) -> None:
    """One more or less of something."""
    with lock:
        counts[what] += by


def answer(query: bytes) -> bytes:
    """RFC 1035, as far as a stub resolver asks: one question, and no compression in it."""
    end = query.index(b"\0", 12) + 5
    question = query[12:end]
    (kind,) = struct.unpack("!H", question[-4:-2])
    is_known = question[:-4].lower() == NAME
    records = b""
    if is_known and kind == TYPE_A:
        # A pointer to the question's name, a minute to live.
        records = b"\xc0\x0c" + struct.pack("!HHIH", TYPE_A, 1, 60, len(ADDRESS)) + ADDRESS
        count("names", 1)
    # Answered with authority; a name that nobody has is NXDOMAIN.
    flags = 0x8580 if is_known else 0x8583
    return query[:2] + struct.pack("!HHHHH", flags, 1, bool(records), 0, 0) + question + records


def names(server: socket.socket) -> None:
    """Answers for as long as there is somebody."""
    while True:
        query, client = server.recvfrom(512)
        server.sendto(answer(query), client)


class Handler(BaseHTTPRequestHandler):
    """`/wait/MS` answers after so long."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Waits, then answers."""
        count("seen", 1)
        count("open", 1)
        try:
            time.sleep(int(self.path.rsplit("/", 1)[1]) / 1000)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
        except OSError:
            self.close_connection = True
        finally:
            count("open", -1)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Upstream(ThreadingHTTPServer):
    """Takes many at once."""

    daemon_threads = True
    request_queue_size = 256


def main() -> None:
    """Serves until the input ends."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    threading.Thread(target=names, args=(server,), daemon=True).start()
    upstream = Upstream(("127.0.0.1", 8080), Handler)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        print(counts[line.strip()], flush=True)


main()
