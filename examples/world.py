#!/usr/bin/env python3
"""The world that the examples run in: a scripted model, and a company's APIs.

The model speaks the HTTP APIs of Anthropic Messages and OpenAI Responses, whole
or streamed, so that an agent's real SDK is pointed at it by its base URL. What it
says is written below; how it takes an answer is as strict as the real ones are: a
`tool_use` without its `tool_result`, an unknown id or an empty text is refused with
their 400.

    python3 world.py [--host 127.0.0.1] [--port 8350]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Iterator
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]

# How long each of the company's APIs takes to answer, in seconds.
API_SECONDS = 0.2
# How long the model takes to write one block, in seconds.
BLOCK_SECONDS = 0.1

# ---------------------------------------------------------------- the company

CUSTOMER = {"id": "c-1843", "name": "Ada Lovelace", "tier": "gold", "region": "eu"}
ORDERS = [
    {"id": "o-17", "total": "1249.90", "shipment": "s-301"},
    {"id": "o-18", "total": "80.00", "shipment": "s-302"},
]
SHIPMENTS = {
    "s-301": {"id": "s-301", "state": "in transit", "eta": "2026-12-01"},
    "s-302": {"id": "s-302", "state": "delivered", "eta": None},
}


def company(path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
    """What the company's APIs answer."""
    if path == "/customers":
        asked = query.get("name", [""])[0]
        return 200, {"items": [CUSTOMER] if asked in CUSTOMER["name"] else []}
    if match := re.fullmatch(r"/customers/([^/]+)/(orders|tickets|billing)", path):
        if match[1] != CUSTOMER["id"]:
            return 404, {"error": f"no customer {match[1]}"}
        return 200, {
            "orders": {"items": ORDERS},
            "tickets": {"items": [{"id": "t-9", "subject": "Invoice address is wrong"}]},
            "billing": {"balance": "-12.50", "currency": "EUR"},
        }[match[2]]
    if match := re.fullmatch(r"/shipments/([^/]+)", path):
        shipment = SHIPMENTS.get(match[1])
        return (200, shipment) if shipment else (404, {"error": f"no shipment {match[1]}"})
    return 404, {"error": f"nothing is at {path}"}


# ---------------------------------------------------------------- the model


class Refused(Exception):
    """The request is not one that the real API would take."""


Call = tuple[str, Json]
Results = dict[str, list[Any]]


def script(results: Results, knows_references: bool, has_clock: bool) -> list[Call] | str:
    """What the model says next, by the results that it has seen of each tool."""
    clock: list[Call] = [("local_time", {})] if has_clock and "local_time" not in results else []
    if "find_customer" not in results:
        find: Call = ("find_customer", {"name": "Lovelace"})
        if not knows_references:
            return [find, *clock]
        # All at once: what is not known yet is named instead of waited for.
        found = "${find_customer.items[0].id}"
        return [
            find,
            ("list_orders", {"customer_id": found}),
            ("track_shipment", {"shipment_id": "${list_orders.items[0].shipment}"}),
            ("track_shipment", {"shipment_id": "${list_orders.items[1].shipment}"}),
            ("list_tickets", {"customer_id": found}),
            ("get_billing", {"customer_id": found}),
            *clock,
        ]
    customer = results["find_customer"][0]["items"][0]
    if "list_orders" not in results:
        asked = {"customer_id": customer["id"]}
        return [("list_orders", asked), ("list_tickets", asked), ("get_billing", asked)]
    orders = results["list_orders"][0]["items"]
    if "track_shipment" not in results:
        return [("track_shipment", {"shipment_id": order["shipment"]}) for order in orders]
    parcels = ", ".join(f"{s['id']} is {s['state']}" for s in results["track_shipment"])
    totals = " and ".join(order["total"] for order in orders)
    text = (
        f"{customer['name']} ({customer['tier']}) has two orders, of {totals}; {parcels}. "
        f"Open: {results['list_tickets'][0]['items'][0]['subject']}. "
        f"Balance {results['get_billing'][0]['balance']} EUR."
    )
    if "local_time" in results:
        text += f" It is {results['local_time'][0]['time']} where you are."
    return text


def value(text: str) -> Any:
    """A result as the script reads it."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise Refused(f"the script needs JSON and read {text[:80]!r}") from error


def anthropic(request: Json) -> list[Call] | str:
    """Reads a Messages request as its API does, and says what comes next."""
    names = set()
    for tool in request.get("tools", []):
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", tool["name"]):
            raise Refused(f"tools: the name {tool['name']!r} is not allowed")
        if tool["input_schema"].get("type") != "object":
            raise Refused(f"tools.{tool['name']}.input_schema.type: must be object")
        names.add(tool["name"])
    results: Results = {}
    due: dict[str, str] = {}
    for place, message in enumerate(request["messages"]):
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        given = [block for block in blocks if block["type"] == "tool_result"]
        ids = [block["tool_use_id"] for block in given]
        if sorted(ids) != sorted(due):
            raise Refused(
                f"messages.{place}: `tool_use` ids were found without `tool_result` blocks "
                f"immediately after, or the other way round: {sorted(set(ids) ^ set(due))}"
            )
        if given and blocks[: len(given)] != given:
            raise Refused(f"messages.{place}: `tool_result` blocks come first")
        for block in given:
            inner = block.get("content", [])
            inner = [{"type": "text", "text": inner}] if isinstance(inner, str) else inner
            if any(part["type"] == "text" and not part["text"].strip() for part in inner):
                raise Refused(f"messages.{place}: text content blocks must be non-empty")
            if block.get("is_error"):
                raise Refused(f"the script's tools do not fail: {inner}")
            text = "".join(part["text"] for part in inner)
            results.setdefault(due[block["tool_use_id"]], []).append(value(text))
        due = {b["id"]: b["name"] for b in blocks if b["type"] == "tool_use"}
    if due:
        raise Refused("the last message is an assistant's")
    return script(results, "${" in json.dumps(request.get("system", "")), "local_time" in names)


def openai(request: Json) -> list[Call] | str:
    """Reads a Responses request as its API does, and says what comes next."""
    names = {tool["name"] for tool in request.get("tools", [])}
    asked = request["input"]
    items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    calls = {item["call_id"]: item["name"] for item in items if item.get("type") == "function_call"}
    results: Results = {}
    answered = set()
    for item in items:
        if item.get("type") != "function_call_output":
            continue
        call_id = item["call_id"]
        if call_id not in calls or call_id in answered:
            raise Refused(f"No tool call found for function call output with call_id {call_id}.")
        answered.add(call_id)
        output = item["output"]
        text = output if isinstance(output, str) else "".join(part["text"] for part in output)
        results.setdefault(calls[call_id], []).append(value(text))
    if missing := calls.keys() - answered:
        raise Refused(f"No tool output found for function call {sorted(missing)[0]}.")
    return script(results, "${" in request.get("instructions", ""), "local_time" in names)


# ---------------------------------------------------------------- how it is said

_numbers = iter(range(1, 1 << 30))
_lock = threading.Lock()


def name(prefix: str) -> str:
    """An id that no other has."""
    with _lock:
        return f"{prefix}_{next(_numbers):06d}"


def messages_answer(request: Json, said: list[Call] | str) -> Json:
    """A whole Messages answer."""
    if isinstance(said, str):
        content = [{"type": "text", "text": said}]
    else:
        content = [
            {"type": "tool_use", "id": name("toolu"), "name": tool, "input": given}
            for tool, given in said
        ]
    return {
        "id": name("msg"),
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": content,
        "stop_reason": "end_turn" if isinstance(said, str) else "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def messages_events(answer: Json) -> Iterator[Json]:
    """The same as the API streams it."""
    yield {"type": "message_start", "message": answer | {"content": [], "stop_reason": None}}
    for index, block in enumerate(answer["content"]):
        time.sleep(BLOCK_SECONDS)
        if block["type"] == "text":
            begun, pieces = block | {"text": ""}, halves(block["text"])
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
        else:
            begun, pieces = block | {"input": {}}, halves(json.dumps(block["input"]))
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        yield {"type": "content_block_start", "index": index, "content_block": begun}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ended = {"stop_reason": answer["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}


def responses_answer(request: Json, said: list[Call] | str) -> Json:
    """A whole Responses answer."""
    if isinstance(said, str):
        text = {"type": "output_text", "text": said, "annotations": [], "logprobs": []}
        output: list[Json] = [
            {
                "type": "message",
                "id": name("msg"),
                "role": "assistant",
                "status": "completed",
                "content": [text],
            }
        ]
    else:
        output = [
            {
                "type": "function_call",
                "id": name("fc"),
                "call_id": name("call"),
                "name": tool,
                "arguments": json.dumps(given),
                "status": "completed",
            }
            for tool, given in said
        ]
    return {
        "id": name("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "model": request["model"],
        "output": output,
        "error": None,
        "incomplete_details": None,
        "instructions": request.get("instructions"),
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": request.get("tools", []),
        "top_p": 1.0,
    }


def responses_events(answer: Json) -> Iterator[Json]:
    """The same as the API streams it."""
    begun = answer | {"output": [], "status": "in_progress"}
    yield {"type": "response.created", "response": begun}
    for index, item in enumerate(answer["output"]):
        time.sleep(BLOCK_SECONDS)
        place = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "function_call":
            opened = item | {"arguments": "", "status": "in_progress"}
            yield {"type": "response.output_item.added", "output_index": index, "item": opened}
            for piece in halves(item["arguments"]):
                delta = {"type": "response.function_call_arguments.delta", "delta": piece}
                yield delta | place
            done = {"type": "response.function_call_arguments.done"}
            yield done | place | {"arguments": item["arguments"], "name": item["name"]}
        else:
            opened = item | {"content": [], "status": "in_progress"}
            yield {"type": "response.output_item.added", "output_index": index, "item": opened}
            for piece in halves(item["content"][0]["text"]):
                delta = {"type": "response.output_text.delta", "delta": piece, "logprobs": []}
                yield delta | place | {"content_index": 0}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": answer}


def halves(text: str) -> tuple[str, str]:
    """A text in the pieces in which it comes."""
    return text[: len(text) // 2], text[len(text) // 2 :]


# ---------------------------------------------------------------- the server


class Handler(BaseHTTPRequestHandler):
    """Answers the agent's SDK and the tools' requests."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The company's APIs."""
        url = urlsplit(self.path)
        if url.path == "/healthz":
            return self.answer(200, {})
        time.sleep(API_SECONDS)
        self.answer(*company(url.path, parse_qs(url.query)))

    def do_POST(self) -> None:
        """The model's APIs."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        request = json.loads(body)
        try:
            if self.path == "/v1/messages":
                answer = messages_answer(request, anthropic(request))
                events = messages_events
            elif self.path == "/v1/responses":
                answer = responses_answer(request, openai(request))
                events = responses_events
            else:
                return self.answer(404, {"error": {"message": f"nothing is at {self.path}"}})
        except Refused as refused:
            print(f"refused: {refused}", file=sys.stderr, flush=True)
            error = {"type": "invalid_request_error", "message": str(refused)}
            return self.answer(400, {"type": "error", "error": error})
        if request.get("stream"):
            return self.stream(events(answer))
        if isinstance(answer.get("content") or answer.get("output"), list):
            time.sleep(BLOCK_SECONDS * len(answer.get("content") or answer["output"]))
        self.answer(200, answer)

    def answer(self, status: int, body: Any) -> None:
        """One JSON answer."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, events: Iterator[Json]) -> None:
        """Server-sent events."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for number, event in enumerate(events):
            event.setdefault("sequence_number", number)
            data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
            self.wfile.write(data.encode())
            self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8350, help="0 takes a free one (8350)")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (127.0.0.1)")
    options = parser.parse_args()
    server = ThreadingHTTPServer((options.host, options.port), Handler)
    server.daemon_threads = True
    print(f"http://{options.host}:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
