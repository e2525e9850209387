"""The words of the wire. One that is newer than this version is read as ``UNKNOWN``."""

from __future__ import annotations

from enum import Enum
from typing import Any, cast


class Word(str, Enum):
    """A word of the wire, in lower case: ``Outcome.FAILED == "failed"``."""

    def __str__(self) -> str:
        return str(self.value)


class Shape(Word):
    """Whose shape a turn, its bundle or a list of tools has."""

    ANTHROPIC = "anthropic"
    OPENAI_CHAT = "openai_chat"
    OPENAI_RESPONSES = "openai_responses"
    GEMINI = "gemini"
    BEDROCK = "bedrock"
    AI_SDK = "ai_sdk"
    LANGCHAIN = "langchain"


class Outcome(Word):
    """How a call ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


class Source(Word):
    """Where a result came from. ``NONE``: the call did not succeed."""

    NONE = "unspecified"
    EXECUTED = "executed"
    SHARED = "shared"
    CACHED = "cached"
    FALLBACK = "fallback"
    UNKNOWN = "unknown"


class FailureCode(Word):
    """What went wrong; docs/errors.md says what to do about each."""

    INVALID_INPUT = "invalid_input"
    UNKNOWN_TOOL = "unknown_tool"
    DENIED = "denied"
    TOOL_ERROR = "tool_error"
    CONFLICT = "conflict"
    DEPENDENCY_FAILED = "dependency_failed"
    RATE_LIMITED = "rate_limited"
    BUDGET_EXCEEDED = "budget_exceeded"
    REPEATED = "repeated"
    UNAVAILABLE = "unavailable"
    BACKEND_ERROR = "backend_error"
    ATTEMPT_TIMEOUT = "attempt_timeout"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    CANCELLED = "cancelled"
    LOCK_TIMEOUT = "lock_timeout"
    OVERLOADED = "overloaded"
    RESULT_TOO_LARGE = "result_too_large"
    RESULT_INVALID = "result_invalid"
    OUTCOME_UNKNOWN = "outcome_unknown"
    WORKER_LOST = "worker_lost"
    INTERNAL = "internal"
    UNKNOWN = "unknown"


class FailureOrigin(Word):
    """Whose fault it was."""

    CALLER = "caller"
    SIDECALL = "sidecall"
    BACKEND = "backend"
    UNKNOWN = "unknown"


class RetryAdvice(Word):
    """What the same call would do if it were made again."""

    NEVER = "never"
    SAME_INPUT = "same_input"
    AFTER = "after"
    CHANGED_INPUT = "changed_input"
    VERIFY_FIRST = "verify_first"
    UNKNOWN = "unknown"


class Effect(Word):
    """What running a tool twice means."""

    READ_ONLY = "read_only"
    KEYED = "keyed"
    AT_MOST_ONCE = "at_most_once"
    AT_LEAST_ONCE = "at_least_once"

    @property
    def is_harmless(self) -> bool:
        """Whether a call that may have run can be made again without a second thought."""
        return self in (Effect.READ_ONLY, Effect.KEYED)


class EdgeKind(Word):
    """Why a call waits for another."""

    EXPLICIT = "explicit"
    REFERENCE = "reference"
    AFTER = "after"
    RESOURCE = "resource"
    BLOCK_ORDER = "block_order"
    UNKNOWN = "unknown"


class EdgeStrength(Word):
    """What a parent's failure means for the child."""

    NEED = "need"
    OPTIONAL = "optional"
    ORDER = "order"
    KEYS = "keys"
    UNKNOWN = "unknown"


def effect_of(value: object) -> Effect:
    """The effect that is meant; what is not known is taken for the most careful."""
    try:
        return Effect(cast("Any", value))
    except ValueError:
        return Effect.AT_MOST_ONCE
