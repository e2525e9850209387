"""Both clients of one sidecar, for code that is called either way."""

from __future__ import annotations

import threading

from sidecall._aio import AsyncSidecall
from sidecall._sync import Sidecall


class Pair:
    """A client that was given, and its twin where that is needed."""

    def __init__(self, client: Sidecall | AsyncSidecall | str | None) -> None:
        if client is None or isinstance(client, str):
            client = AsyncSidecall(client)
        if isinstance(client, Sidecall):
            self._sync: Sidecall | None = client
            self.aio = client.twin()
        else:
            self._sync = None
            self.aio = client
        self._lock = threading.Lock()

    @property
    def sync(self) -> Sidecall:
        """The one without asyncio."""
        with self._lock:
            if self._sync is None:
                self._sync = Sidecall.of(self.aio.twin())
            return self._sync
