"""What can go wrong with a batch as a whole.

A *call* that fails raises nothing: it has its result like every other. Of these
exceptions, all but :class:`Interrupted` mean that nothing has run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidecall.bundle import Bundle


class SidecallError(Exception):
    """What this package raises.

    ``bundle``: where a turn was handed over, an error result for each of its calls, none
    of which has run: for an agent that goes on all the same, since no provider takes a
    history with a call that has no result.
    """

    bundle: Bundle | None = None


class SidecallWarning(UserWarning):
    """What this package warns of."""


class InvalidTurn(SidecallError, ValueError):
    """What was handed over is no turn that this client can read. Nothing was sent."""


class Unavailable(SidecallError, ConnectionError):
    """No sidecar was reached in time. Nothing was sent."""


@dataclass(frozen=True)
class Violation:
    """What is wrong with one field of a request."""

    field: str
    description: str

    def __str__(self) -> str:
        return f"{self.field}: {self.description}"


class Refused(SidecallError):
    """The sidecar refused the request: nothing has run and nothing will.

    ``status`` is gRPC's word (``RESOURCE_EXHAUSTED``), ``reason`` Sidecall's
    (``EXHAUSTED``, empty where something else answered). ``retry_after``: the same
    request may be taken after that many seconds.
    """

    def __init__(
        self,
        message: str,
        *,
        status: str,
        reason: str = "",
        retry_after: float | None = None,
        violations: tuple[Violation, ...] = (),
        metadata: dict[str, str] | None = None,
    ) -> None:
        advice = f" ({self.advice})" if self.advice else ""
        super().__init__(f"{message}{advice}")
        self.message = message
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        self.violations = violations
        self.metadata = dict(metadata or {})

    advice = ""
    """What to do about it."""


class InvalidRequest(Refused):
    """The request is wrong; ``violations`` names each fault."""

    advice = "mend what `violations` names and send it again"


class Exhausted(Refused):
    """The process or the session has too much open."""

    advice = "wait `retry_after` seconds, or run fewer batches at once"


class TooLarge(Refused):
    """The turn is over a bound that no waiting mends."""

    advice = "send smaller turns, or raise the bound in the sidecar's configuration"


class Draining(Refused):
    """The sidecar is ending and takes no new turns."""

    advice = "send it again when the sidecar is back, or to another"


class BatchExists(Refused):
    """A batch of that id runs, or has run."""

    advice = "use a new batch_id for each turn; leave it out and one is made"


class NotFound(Refused):
    """No such batch runs."""

    advice = "it has ended, or it is another caller's"


class Unauthenticated(Refused):
    """The sidecar does not know the caller."""

    advice = (
        "pass a `token=` or a client certificate in `tls=` that the sidecar's `callers` know; "
        "its log says why this did not do"
    )


class PermissionDenied(Refused):
    """The caller may not do that."""

    advice = "have the sidecar's `callers` allow it"


class Unsupported(Refused):
    """The server does not know this request."""

    advice = "is a sidecar listening at this address, and is it as new as this client?"


class ServerFault(Refused):
    """A fault of the sidecar's; ``metadata["correlation_id"]`` finds it in its log."""

    advice = "find the correlation id in the sidecar's log"


class TimeOver(SidecallError, TimeoutError):
    """The time was over before anything was sent."""


class Interrupted(SidecallError):
    """The stream broke after the batch may have begun.

    Not raised by ``execute``: the bundle is whole all the same, and has this as its
    ``interrupted``. What had not ended by then has results that say so.
    """


class ToolError(SidecallError):
    """Raised by a worker's tool: the call fails, and the model reads the message."""
