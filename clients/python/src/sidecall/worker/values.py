"""A tool's input as its function wants it, and what it gave as blocks of a result."""

from __future__ import annotations

import base64
import collections.abc
import contextlib
import dataclasses
import datetime as dt
import decimal
import enum
import json
import pathlib
import types
import typing
import uuid
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from sidecall.model import Content, Document, Image, Json, Link, Text
from sidecall.worker.schema import ARRAYS, OBJECTS

FROM_TEXT: dict[Any, Any] = {
    dt.datetime: lambda text: dt.datetime.fromisoformat(text.replace("Z", "+00:00")),
    dt.date: dt.date.fromisoformat,
    dt.time: dt.time.fromisoformat,
    uuid.UUID: uuid.UUID,
    pathlib.Path: pathlib.Path,
    bytes: lambda text: base64.b64decode(text, validate=True),
}


def read(text: str) -> Any:
    """JSON whose decimals are exact until it is known what they are for."""
    return json.loads(text or "{}", parse_float=decimal.Decimal)


def convert(value: Any, hint: Any, path: str = "") -> Any:
    """A JSON value as the hint says.

    Raises:
        ValueError: It is no such value; the message says where.

    """
    alias = getattr(hint, "__value__", None) or getattr(hint, "__supertype__", None)
    if alias is not None:
        return convert(value, alias, path)
    origin, arguments = get_origin(hint), get_args(hint)
    name = getattr(origin, "__name__", getattr(origin, "_name", ""))
    if origin is Annotated or name in ("Required", "NotRequired"):
        return convert(value, arguments[0], path)
    if origin is Union or origin is types.UnionType:
        return _union(value, arguments, path)
    if origin is Literal:
        return _chosen(value, arguments, path)
    if origin is tuple:
        return _tuple(value, arguments, path)
    if origin in ARRAYS:
        _expect(value, list, "an array", path)
        items = [convert(one, arguments[0], f"{path}[{n}]") for n, one in enumerate(value)]
        return origin(items) if origin in (set, frozenset) else items
    if origin in OBJECTS:
        _expect(value, dict, "an object", path)
        return {key: convert(one, arguments[1], f"{path}.{key}") for key, one in value.items()}
    if isinstance(hint, type):
        return _instance(value, hint, path)
    return lowered(value)


def _instance(value: Any, kind: Any, path: str) -> Any:
    if issubclass(kind, enum.Enum):
        for member in kind:
            if member.value == lowered(value):
                return member
        raise _fault(path, f"one of {', '.join(repr(one.value) for one in kind)}", value)
    if hasattr(kind, "model_validate"):
        return kind.model_validate(lowered(value))
    if dataclasses.is_dataclass(kind):
        _expect(value, dict, "an object", path)
        hints = get_type_hints(kind, include_extras=True)
        for key in value.keys() - hints.keys():
            raise _fault(f"{path}.{key}", "no such key", value[key])
        make: Any = kind
        try:
            return make(**{k: convert(v, hints[k], f"{path}.{k}") for k, v in value.items()})
        except TypeError as error:
            raise ValueError(f"{path.lstrip('.') or 'input'}: {error}") from None
    if typing.is_typeddict(kind):
        _expect(value, dict, "an object", path)
        hints = get_type_hints(kind, include_extras=True)
        return {k: convert(v, hints.get(k, Any), f"{path}.{k}") for k, v in value.items()}
    if kind in FROM_TEXT:
        _expect(value, str, "a text", path)
        try:
            return FROM_TEXT[kind](value)
        except ValueError as error:
            raise ValueError(f"{path.lstrip('.') or 'input'}: {error}") from None
    if kind is decimal.Decimal:
        _expect(value, (int, decimal.Decimal), "a number", path)
        return decimal.Decimal(value)
    if kind is float:
        _expect(value, (int, decimal.Decimal), "a number", path)
        return float(value)
    if kind is int:
        if isinstance(value, decimal.Decimal) and value == value.to_integral_value():
            return int(value)
        _expect(value, int, "an integer", path)
        return value
    if kind in (str, bool, type(None)):
        _expect(value, kind, {str: "a text", bool: "true or false"}.get(kind, "null"), path)
    if kind in (set, frozenset, tuple):
        return kind(lowered(value))
    return lowered(value)


def _union(value: Any, members: tuple[Any, ...], path: str) -> Any:
    *others, last = members
    for member in others:
        with contextlib.suppress(ValueError):
            return convert(value, member, path)
    return convert(value, last, path)


def _chosen(value: Any, choices: tuple[Any, ...], path: str) -> Any:
    for choice in choices:
        if choice == value and type(choice) is type(value):
            return choice
    raise _fault(path, f"one of {', '.join(map(repr, choices))}", value)


def _tuple(value: Any, members: tuple[Any, ...], path: str) -> Any:
    _expect(value, list, "an array", path)
    if len(members) == 2 and members[1] is Ellipsis:  # noqa: PLR2004
        members = (members[0],) * len(value)
    if len(value) != len(members):
        raise _fault(path, f"{len(members)} items", value)
    pairs = enumerate(zip(value, members, strict=True))
    return tuple(convert(one, member, f"{path}[{n}]") for n, (one, member) in pairs)


def lowered(value: Any) -> Any:
    """Plain JSON, with floats."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, list):
        return [lowered(one) for one in value]
    if isinstance(value, dict):
        return {key: lowered(one) for key, one in value.items()}
    return value


def _expect(value: Any, kind: Any, words: str, path: str) -> None:
    # To Python a bool is an int.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _fault(path, words, value)


def _fault(path: str, words: str, value: Any) -> ValueError:
    came = json.dumps(lowered(value), default=str)
    where = path.lstrip(".") or "input"
    return ValueError(f"{where}: expected {words}; {came[:80]} came")


def contents(value: Any) -> list[Content]:
    """What a function gave, as blocks.

    A text is a text, bytes are a file, blocks are themselves, and everything else is JSON.

    Raises:
        TypeError: It is none of these.

    """
    if isinstance(value, (Text, Json, Image, Document, Link)):
        return [value]
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        return [Text(value)]
    if isinstance(value, (bytes, bytearray)):
        return [Document("application/octet-stream", bytes(value))]
    if (
        isinstance(value, (list, tuple))
        and value
        and all(isinstance(one, (Text, Json, Image, Document, Link)) for one in value)
    ):
        return list(value)
    return [Json(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False))]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, str):
        return value.value if isinstance(value, enum.Enum) else value
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = dataclasses.fields(value)
        return {one.name: _plain(getattr(value, one.name)) for one in named}
    if isinstance(value, collections.abc.Mapping):
        return {str(_plain(key)): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one) for one in value]
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (uuid.UUID, pathlib.PurePath)):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"a {type(value).__name__} is no JSON: return a text, a dict or a list")
