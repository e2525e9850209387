"""An agent in a pod. `POST /ask` with a question, and it answers.

It asks the model until that calls no more tools, and leaves the tools to the Sidecall
beside it: their addresses, credentials and rates are nothing that it knows of.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

from sidecall import Sidecall

MODEL_URL = os.environ["MODEL_URL"]
QUESTION = "What should I know before I call Lovelace?"
TURNS = 10


def complete(body: dict) -> dict:
    """One answer of the model's."""
    request = Request(f"{MODEL_URL}/v1/messages", json.dumps(body).encode())
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)


def ask(sidecall: Sidecall, question: str) -> str:
    """The model's last word."""
    tools = sidecall.list_tools("anthropic")
    messages: list = [{"role": "user", "content": question}]
    for _ in range(TURNS):
        answer = complete(
            {
                "model": "scripted",
                "max_tokens": 1024,
                "system": tools.instructions,
                "messages": messages,
                **tools.params,
            }
        )
        messages.append({"role": "assistant", "content": answer["content"]})
        bundle = sidecall.execute(answer)
        if not bundle:
            return answer["content"][0]["text"]
        for result in bundle.results:
            print(f"{result.tool}: {result.outcome}")
        messages += bundle.messages
    return "I found no end of it."


class Handler(BaseHTTPRequestHandler):
    """What the pod serves."""

    sidecall: Sidecall

    def do_GET(self) -> None:
        """The kubelet's probes."""
        self.answer(200 if self.path == "/healthz" else 404, "")

    def do_POST(self) -> None:
        """A question, or the one that the scripted model knows."""
        question = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        self.answer(200, ask(self.sidecall, question or QUESTION) + "\n")

    def answer(self, status: int, text: str) -> None:
        """One answer."""
        self.send_response(status)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing of probes."""


def main() -> None:
    """Serves until the pod ends; the sidecar is there until this is gone."""
    server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler)
    # Waits for the answers that are being given.
    server.daemon_threads = False
    stop = threading.Thread(target=server.shutdown)
    signal.signal(signal.SIGTERM, lambda *_: stop.start())
    with Sidecall() as Handler.sidecall:
        print(f"listening at {server.server_address[1]}", flush=True)
        server.serve_forever()
        server.server_close()


main()
