"""A provider SDK's own objects as plain JSON, without importing any SDK."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

from sidecall.errors import InvalidTurn

DEPTH_MAX = 64

# Stands before a number that is kept as its own text: no float has the zero of
# `1249.90`. What follows it is a number's text and nothing else, and nobody can guess it.
_MARK = f"\ue000{secrets.token_hex(8)}:"
_MARKED = re.compile(f'"{_MARK}([^"]*)"')


def plain(value: Any, depth: int = 0) -> Any:
    """What the value is as JSON: what is made of pydantic models, mappings and lists.

    Raises:
        InvalidTurn: Something in it is no JSON.

    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value.value if isinstance(value, Enum) else value
    if depth > DEPTH_MAX:
        raise InvalidTurn(f"the turn is nested more than {DEPTH_MAX} deep")
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        # Aliases, since Gemini's own JSON has other names than its SDK's fields. No
        # unset fields; a null in an input stays, as that is no field.
        return dump(mode="json", by_alias=True, exclude_none=True, warnings=False)
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, Decimal) and value.is_finite():
        return f"{_MARK}{value}"
    if isinstance(value, Enum):
        return plain(value.value, depth + 1)
    raise InvalidTurn(
        f"a {type(value).__name__} stands in the turn, which is no JSON: "
        "pass the provider SDK's message, its JSON text, or plain dicts and lists"
    )


def dumps(value: Any) -> str:
    """JSON text, as short as it can be.

    Raises:
        InvalidTurn: It holds what is no JSON, such as NaN.

    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise InvalidTurn(f"the turn is no JSON: {error}") from error
    return _MARKED.sub(r"\1", text) if _MARK in text else text


def loads(text: str) -> Any:
    """JSON text, parsed; what `dumps` writes of it has the same digits.

    Raises:
        InvalidTurn: It is none.

    """
    try:
        return json.loads(text, parse_float=_kept, parse_constant=_refused)
    except ValueError as error:
        raise InvalidTurn(f"the turn is a string that is no JSON: {error}") from error


def _kept(digits: str) -> str:
    return f"{_MARK}{digits}"


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def get(value: Any, name: str, default: Any = None) -> Any:
    """A field of an SDK's object or a dict's."""
    if isinstance(value, Mapping):
        return value.get(name, default)
    return getattr(value, name, default)


def objects(value: Any) -> list[dict[str, Any]] | None:
    """The list of objects that the value is; nothing where it is none."""
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    return None
