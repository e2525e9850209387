"""Type hints as JSON Schema."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime as dt
import decimal
import enum
import inspect
import json
import pathlib
import types
import typing
import uuid
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from sidecall.worker.docstrings import parsed

Schema = dict[str, Any]

SIMPLE: dict[Any, Schema] = {
    Any: {},
    object: {},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    decimal.Decimal: {"type": "number"},
    type(None): {"type": "null"},
    bytes: {"type": "string", "contentEncoding": "base64"},
    dt.datetime: {"type": "string", "format": "date-time"},
    dt.date: {"type": "string", "format": "date"},
    dt.time: {"type": "string", "format": "time"},
    uuid.UUID: {"type": "string", "format": "uuid"},
    pathlib.Path: {"type": "string"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    set: {"type": "array", "uniqueItems": True},
    frozenset: {"type": "array", "uniqueItems": True},
    dict: {"type": "object"},
}
ARRAYS = (
    list,
    set,
    frozenset,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Collection,
    collections.abc.Set,
)
OBJECTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)

# What `annotated_types` and pydantic's Field say, in JSON Schema's words, where the
# type is a number or a text; of arrays see below.
BOUNDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
}


class Unsupported(TypeError):
    """A hint that says nothing in JSON."""


@dataclasses.dataclass
class Schemas:
    """Writes schemas; keeps what they refer to."""

    definitions: Schema = dataclasses.field(default_factory=dict)
    _inside: list[Any] = dataclasses.field(default_factory=list)

    def of(self, hint: Any) -> Schema:
        """A hint's schema.

        Raises:
            Unsupported: It has none.

        """
        if isinstance(hint, typing.TypeVar):
            hint = hint.__bound__ or Any
        if hint is None:
            hint = type(None)
        alias = getattr(hint, "__value__", None) or getattr(hint, "__supertype__", None)
        if alias is not None and not isinstance(hint, enum.Enum):
            return self.of(alias)
        if isinstance(hint, collections.abc.Hashable) and hint in SIMPLE:
            return dict(SIMPLE[hint])
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self._annotated(arguments[0], arguments[1:])
        if _mark(hint):
            return self.of(arguments[0])
        if origin is Literal:
            return _literal(list(arguments))
        if origin is Union or origin is types.UnionType:
            return self._union(arguments)
        if origin is tuple:
            return self._tuple(arguments)
        if origin in ARRAYS:
            unique = {"uniqueItems": True} if origin in (set, frozenset) else {}
            return {"type": "array", "items": self.of(arguments[0]), **unique}
        if origin in OBJECTS:
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if inspect.isclass(hint):
            return self._class(hint)
        raise Unsupported(f"{hint!r} has no JSON Schema")

    def _annotated(self, hint: Any, notes: tuple[Any, ...]) -> Schema:
        schema = self.of(hint)
        for note in notes:
            if isinstance(note, str):
                schema["description"] = note
                continue
            inner = [note, *(getattr(note, "metadata", None) or ())]
            for one in inner:
                for attribute, key in BOUNDS.items():
                    value = getattr(one, attribute, None)
                    if value is not None and not callable(value):
                        schema[key] = value
                _lengths(schema, one)
            description = getattr(note, "description", None)
            if isinstance(description, str):
                schema["description"] = description
        return schema

    def _union(self, members: tuple[Any, ...]) -> Schema:
        schemas = [self.of(member) for member in members]
        kinds = [schema.get("type") for schema in schemas]
        if all(len(schema) == 1 and isinstance(schema.get("type"), str) for schema in schemas):
            return {"type": kinds}
        return {"anyOf": schemas}

    def _tuple(self, members: tuple[Any, ...]) -> Schema:
        if len(members) == 2 and members[1] is Ellipsis:  # noqa: PLR2004
            return {"type": "array", "items": self.of(members[0])}
        count = len(members)
        prefix = [self.of(member) for member in members]
        return {"type": "array", "prefixItems": prefix, "minItems": count, "maxItems": count}

    def _class(self, kind: Any) -> Schema:
        if issubclass(kind, enum.Enum):
            return _literal([member.value for member in kind])
        if hasattr(kind, "model_json_schema"):
            schema: Schema = kind.model_json_schema(mode="validation")
            self.definitions.update(schema.pop("$defs", {}))
            return schema
        if kind in self._inside:
            raise Unsupported(f"{kind.__name__} holds itself: pass `schema=`")
        self._inside.append(kind)
        try:
            if dataclasses.is_dataclass(kind):
                return self._dataclass(kind)
            if typing.is_typeddict(kind):
                return self._typed_dict(kind)
        finally:
            self._inside.pop()
        raise Unsupported(f"{kind.__name__} has no JSON Schema")

    def _dataclass(self, kind: Any) -> Schema:
        hints = get_type_hints(kind, include_extras=True)
        said = parsed(kind.__doc__)[1]
        properties, required = {}, []
        for one in dataclasses.fields(kind):
            if not one.init:
                continue
            properties[one.name] = self.described(hints[one.name], said.get(one.name))
            missing = dataclasses.MISSING
            if one.default is missing and one.default_factory is missing:
                required.append(one.name)
            elif one.default is not missing:
                _default(properties[one.name], one.default)
        return _object(properties, required)

    def _typed_dict(self, kind: Any) -> Schema:
        hints = get_type_hints(kind, include_extras=True)
        said = parsed(kind.__doc__)[1]
        properties = {name: self.described(hint, said.get(name)) for name, hint in hints.items()}
        # Python 3.10's own TypedDict does not know what typing_extensions marks.
        marks = {name: _mark(hint) for name, hint in hints.items()}
        required = kind.__required_keys__
        names = [n for n in hints if marks[n] == "Required" or (n in required and not marks[n])]
        return _object(properties, names)

    def described(self, hint: Any, description: str | None) -> Schema:
        """A schema with what is said of the value; the hint's own words go first."""
        schema = self.of(hint)
        if description:
            schema.setdefault("description", description)
        return schema


def _mark(hint: Any) -> str:
    """``Required`` or ``NotRequired``, where a key of a TypedDict is marked so."""
    origin = get_origin(hint)
    name = str(getattr(origin, "__name__", getattr(origin, "_name", "")))
    return name if name in ("Required", "NotRequired") else ""


def _object(properties: Schema, required: list[str]) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return {**schema, "additionalProperties": False}


def _literal(values: list[Any]) -> Schema:
    kinds = {type(value) for value in values}
    kind = SIMPLE.get(kinds.pop(), {}) if len(kinds) == 1 else {}
    return {**kind, "enum": values}


def _lengths(schema: Schema, note: Any) -> None:
    words = {"string": "Length", "array": "Items", "object": "Properties"}
    word = words.get(str(schema.get("type")))
    for attribute, start in (("min_length", "min"), ("max_length", "max")):
        value = getattr(note, attribute, None)
        if word and isinstance(value, int) and not (value == 0 and start == "min"):
            schema[f"{start}{word}"] = value


def _default(schema: Schema, value: Any) -> None:
    """Says the default where it is JSON."""
    if isinstance(value, enum.Enum):
        value = value.value
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return
    schema["default"] = value


def of_parameters(function: Any, hints: dict[str, Any], skipped: set[str]) -> tuple[Schema, str]:
    """The schema of a function's input, and the function's description.

    Raises:
        TypeError: A parameter has no hint, or one that says nothing in JSON.

    """
    description, said = parsed(function.__doc__)
    schemas = Schemas()
    properties: Schema = {}
    required: list[str] = []
    is_open = False
    for name, parameter in inspect.signature(function).parameters.items():
        if name in skipped:
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            is_open = True
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            raise TypeError(
                f"{function.__name__}: `{name}` cannot be given by name, as a tool's input is"
            )
        if name not in hints:
            raise TypeError(
                f"{function.__name__}: `{name}` has no type hint: write one, or pass `schema=`"
            )
        try:
            properties[name] = schemas.described(hints[name], said.get(name))
        except Unsupported as error:
            raise TypeError(f"{function.__name__}: `{name}`: {error}") from None
        if parameter.default is parameter.empty:
            required.append(name)
        elif parameter.default is not None:
            _default(properties[name], parameter.default)
    schema = _object(properties, required)
    if is_open:
        del schema["additionalProperties"]
    if schemas.definitions:
        schema["$defs"] = schemas.definitions
    return schema, description
