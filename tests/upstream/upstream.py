"""An API in a process of its own, with a log that nobody else writes.

It shares no code, runtime or clock reading with what is tested. The port goes
to standard output. Standard library only.

    GET  /ok/...             200 `{}`
    GET  /row/NAME           a row, `{"name": NAME}`
    GET  /busy/...           200, or 429 while a storm is on
    POST /ledger/KIND/ID     an effect, counted; then what KIND says
    GET  /counter/NAME       a row of the store, with its version as ETag
    POST /counter/NAME       reads, waits, writes: one more
    PUT  /counter/NAME       writes, where `If-Match` is still the version
    POST /storm?SETTINGS     begins or ends a storm
    GET  /log                `NANOSECONDS STATUS METHOD PATH`, a line each
    GET  /effects            `COUNT ID`, a line each
    GET  /came/N             how many requests have come, once there are N
    GET  /quiet              answers once none of them is in progress

Of these only the first seven are written down, and take the time that `--delay`
says: half of it before anything happens, half after.
"""

import argparse
import asyncio
import json
import time
import urllib.parse


class Store:
    """Rows in a Redis: its protocol is a few lines, so there is no driver."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.lock = reader, writer, asyncio.Lock()

    @classmethod
    async def connect(cls, port):
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def command(self, *words):
        parts = [str(word).encode() for word in words]
        async with self.lock:
            self.writer.write(b"*%d\r\n" % len(parts))
            for part in parts:
                self.writer.write(b"$%d\r\n%s\r\n" % (len(part), part))
            line = (await self.reader.readline()).decode().strip()
            if line[0] == "-":
                raise RuntimeError(line)
            if line[0] == "$":
                size = int(line[1:])
                return None if size < 0 else (await self.reader.readexactly(size + 2))[:-2].decode()
            return line[1:]

    async def read(self, name):
        return int(await self.command("GET", name) or 0)

    async def write(self, name, value):
        await self.command("SET", name, value)

    async def write_if(self, name, expected, value):
        """Writes where the row is still what was read; the store decides."""
        script = """if (redis.call('GET', KEYS[1]) or '0') ~= ARGV[1] then return 0 end
                    redis.call('SET', KEYS[1], ARGV[2]) return 1"""
        return await self.command("EVAL", script, 1, name, expected, value) == "1"


class Api:
    def __init__(self, store, meet, patience, delay, ledger):
        self.store, self.meet, self.patience = store, meet, patience
        self.delay, self.file = delay, ledger
        self.log, self.effects, self.keys = [], {}, set()
        self.changed = asyncio.Condition()
        self.storm_on, self.retry_after = False, None
        # Writers that have read and not written.
        self.between, self.met = 0, asyncio.Event()

    async def answer(self, method, target, headers):
        """Status, headers and body; a status of 0 cuts the connection."""
        at = time.monotonic_ns()
        path, _, query = target.partition("?")
        if path == "/log":
            return 200, {}, "".join(f"{at} {status} {line}\n" for at, status, line in self.log)
        if path == "/effects":
            return 200, {}, "".join(f"{count} {name}\n" for name, count in self.effects.items())
        if path == "/storm":
            settings = dict(urllib.parse.parse_qsl(query))
            self.storm_on = settings["on"] == "yes"
            self.retry_after = settings.get("retry_after")
            return 200, {}, "{}"
        if path.startswith("/came/"):
            async with self.changed:
                await self.changed.wait_for(lambda: len(self.log) >= int(path[6:]))
            return 200, {}, str(len(self.log))
        if path == "/quiet":
            async with self.changed:
                await self.changed.wait_for(lambda: all(status is not None for _, status, _ in self.log))
            return 200, {}, "{}"
        entry = [at, None, f"{method} {path}"]
        self.log.append(entry)
        await self.tell()
        if self.delay:
            await asyncio.sleep(self.delay / 2)
        answer = await self.of_a_tool(method, path.split("/")[1:], headers)
        entry[1] = answer[0]
        await self.tell()
        if self.delay:
            await asyncio.sleep(self.delay / 2)
        return answer

    async def tell(self):
        """Wakes those who wait for something to come, or to end."""
        async with self.changed:
            self.changed.notify_all()

    async def of_a_tool(self, method, path, headers):
        match method, path:
            case "GET", ["ok", *_]:
                return 200, {}, "{}"
            case "GET", ["row", name]:
                return 200, {}, json.dumps({"name": name})
            case "GET", ["busy", *_]:
                if not self.storm_on:
                    return 200, {}, "{}"
                wait = {"Retry-After": self.retry_after} if self.retry_after else {}
                return 429, wait, "slow down"
            case "POST", ["ledger", kind, name]:
                return self.ledger(kind, name, headers)
            case "GET", ["counter", name]:
                value = await self.store.read(name)
                return 200, {"ETag": f'"{value}"'}, json.dumps({"value": value})
            case "POST", ["counter", name]:
                value = await self.store.read(name)
                await self.met_another()
                await self.store.write(name, value + 1)
                return 200, {}, json.dumps({"value": value + 1})
            case "PUT", ["counter", name]:
                await self.met_another()
                expected = headers.get("if-match")
                if expected is None:
                    return 428, {}, "If-Match is missing"
                expected = int(expected.strip('"'))
                if not await self.store.write_if(name, expected, expected + 1):
                    return 412, {}, "the row is another version"
                return 200, {}, json.dumps({"value": expected + 1})
        return 404, {}, "no such path"

    async def met_another(self):
        """Waits between reading and writing until enough others do."""
        self.between += 1
        if self.between >= self.meet:
            self.met.set()
        try:
            await asyncio.wait_for(self.met.wait(), self.patience)
        except asyncio.TimeoutError:
            pass
        self.between -= 1
        if self.between == 0:
            self.met = asyncio.Event()

    def ledger(self, kind, name, headers):
        """A payment: refused before, made and lost, made and failed, or made."""
        attempt = sum(line == f"POST /ledger/{kind}/{name}" for _, _, line in self.log)
        if kind == "refused" and attempt == 1:
            return 429, {}, "slow down"
        key = headers.get("idempotency-key")
        if key is None or key not in self.keys:
            self.keys.add(key)
            self.effects[name] = self.effects.get(name, 0) + 1
            if self.file:
                self.file.write(f"{name}\n")
                self.file.flush()
        if kind == "lost" and attempt == 1:
            return 0, {}, ""
        if kind == "failed" and attempt == 1:
            return 503, {}, "made, and failed after"
        return 200, {}, "{}"


async def serve(api, reader, writer):
    try:
        while line := (await reader.readline()).decode().strip():
            method, target, _ = line.split(" ")
            headers = {}
            while header := (await reader.readline()).decode().strip():
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            await reader.readexactly(int(headers.get("content-length", 0)))
            status, extra, body = await api.answer(method, target, headers)
            if status == 0:
                break
            head = {"Content-Type": "application/json", "Content-Length": len(body.encode()), **extra}
            lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
            writer.write(f"HTTP/1.1 {status} Said\r\n{lines}\r\n{body}".encode())
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis", type=int, help="the store's port")
    parser.add_argument("--meet", type=int, default=1, help="writers that wait for each other")
    parser.add_argument("--patience", type=float, default=0.05, help="and for how many seconds")
    parser.add_argument("--delay", type=float, default=0, help="seconds that an answer takes")
    parser.add_argument("--ledger", type=argparse.FileType("a"), help="takes a line for each effect")
    arguments = parser.parse_args()
    store = await Store.connect(arguments.redis) if arguments.redis else None
    api = Api(store, arguments.meet, arguments.patience, arguments.delay, arguments.ledger)
    server = await asyncio.start_server(lambda *pair: serve(api, *pair), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
