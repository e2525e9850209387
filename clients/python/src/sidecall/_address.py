"""Where a sidecar is, and how it is spoken to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import grpc

ADDRESS = "SIDECALL_ADDRESS"
USUAL = "unix:///run/sidecall/sidecall.sock"

LOOPBACK = ("127.", "localhost", "[::1]", "::1")

OPTIONS: tuple[tuple[str, int], ...] = (
    # The sidecar bounds what it takes and what it sends; a second bound here would
    # only refuse what it allows.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A refusal's details travel in the trailers.
    ("grpc.max_metadata_size", 64 << 10),
    # A sidecar that hangs is found out while something is open.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # One that comes back is found at once.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # No name server's TXT record may have a batch sent twice.
    ("grpc.service_config_disable_resolution", 1),
)


@dataclass(frozen=True)
class TLS:
    """Certificates, as PEM bytes or as paths of files.

    ``ca``: whom to trust, where that is not the system's authorities. ``cert`` and
    ``key``: who the caller is. ``server_name``: the name in the server's certificate,
    where that is not the address's.
    """

    ca: bytes | str | Path | None = None
    cert: bytes | str | Path | None = None
    key: bytes | str | Path | None = None
    server_name: str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """As gRPC wants them."""
        if (self.cert is None) != (self.key is None):
            raise ValueError("a certificate needs its key: pass both `cert` and `key`, or neither")
        ca, key, cert = map(_pem, (self.ca, self.key, self.cert))
        return grpc.ssl_channel_credentials(ca, key, cert)


def _pem(source: bytes | str | Path | None) -> bytes | None:
    if source is None or isinstance(source, bytes):
        return source
    return Path(source).read_bytes()


@dataclass(frozen=True)
class Address:
    """A sidecar's address, understood."""

    text: str
    target: str
    is_tls: bool
    is_local: bool

    @classmethod
    def parse(cls, text: str | None, *, tls: TLS | None = None) -> Address:
        """Reads an address.

        Raises:
            ValueError: It is none.

        """
        text = text or os.environ.get(ADDRESS) or USUAL
        scheme, separator, rest = text.partition(":")
        if text.startswith("/"):
            return cls(f"unix://{text}", f"unix://{text}", tls is not None, is_local=True)
        if scheme in ("unix", "unix-abstract") and separator:
            if text.startswith("unix://") and not text.startswith("unix:///"):
                raise ValueError(f"`{text}` names no absolute path: write unix:///path/to.sock")
            return cls(text, text, tls is not None, is_local=True)
        if scheme in ("http", "https", "tcp") and rest.startswith("//"):
            parts = urlsplit(text)
            if scheme == "http" and tls is not None:
                raise ValueError(f"`{text}` is not encrypted, and `tls` was given: write https://")
            usual = {"https": ":443", "http": ":80"}.get(scheme, "")
            target = f"{parts.netloc}{parts.path}" if parts.port else f"{parts.netloc}{usual}"
            is_tls = scheme == "https" or tls is not None
        else:
            target, is_tls = text, tls is not None
        if "/" in target or ":" not in target or not target.rpartition(":")[2].isdigit():
            raise ValueError(
                f"`{text}` is no address: write unix:///path/to.sock, http://host:port or "
                "https://host:port"
            )
        return cls(text, target, is_tls, is_local=target.startswith(LOOPBACK))
