"""A function as a tool."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

from sidecall import _wire
from sidecall._proto import sidecall_pb2 as pb
from sidecall.model import Effect
from sidecall.worker.context import Context
from sidecall.worker.schema import of_parameters
from sidecall.worker.values import convert, lowered, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Tool:
    """What is offered, and what runs."""

    function: Callable[..., Any]
    name: str
    description: str
    schema: Mapping[str, Any]
    effect: Effect
    timeout: float | None
    latency: float | None
    hints: Mapping[str, Any]
    context_name: str | None
    # Whether the schema was written by hand: the input is passed as it is.
    is_by_hand: bool

    @classmethod
    def of(
        cls,
        function: Callable[..., Any],
        *,
        name: str | None,
        description: str | None,
        schema: Mapping[str, Any] | None,
        effect: Effect | str,
        timeout: float | None,
        latency: float | None,
        local_names: dict[str, Any] | None = None,
    ) -> Tool:
        """Reads a function's hints and its docstring.

        Raises:
            TypeError: Its parameters cannot be described.
            ValueError: Its name or its effect is none.

        """
        name = name or function.__name__
        if not NAME.fullmatch(name):
            raise ValueError(
                f"`{name}` is no tool's name: letters, digits, `_` and `-`, at most 64"
            )
        hints = get_type_hints(function, localns=local_names, include_extras=True)
        hints.pop("return", None)
        contexts = [key for key, hint in hints.items() if hint is Context]
        derived: Mapping[str, Any]
        if schema is None:
            derived, said = of_parameters(function, hints, set(contexts))
        else:
            derived, said = schema, inspect.cleandoc(function.__doc__ or "")
        description = said if description is None else description
        if not description:
            raise ValueError(
                f"{name} says nothing of itself: write a docstring, by which the model knows "
                "what it is for, or pass `description=`"
            )
        return cls(
            function=function,
            name=name,
            description=description,
            schema=derived,
            effect=Effect(effect),
            timeout=timeout,
            latency=latency,
            hints=hints,
            context_name=contexts[0] if contexts else None,
            is_by_hand=schema is not None,
        )

    @property
    def is_async(self) -> bool:
        """Whether it runs on the event loop."""
        return inspect.iscoroutinefunction(self.function)

    def message(self) -> pb.WorkerTool:
        """As the wire has it."""
        message = pb.WorkerTool(
            name=self.name,
            description=self.description,
            input_schema_json=json.dumps(self.schema, ensure_ascii=False),
            effect=_wire.effect_message(self.effect),
        )
        if self.timeout is not None:
            _wire.set_seconds(message.timeout, self.timeout)
        if self.latency is not None:
            _wire.set_seconds(message.latency, self.latency)
        return message

    def arguments(self, input_json: str, context: Context) -> dict[str, Any]:
        """What the function is called with.

        Raises:
            ValueError: The input is not what the hints say.

        """
        value = read(input_json)
        if not isinstance(value, dict):
            raise ValueError("input: expected an object")  # noqa: TRY004 - the caller's.
        given = (
            lowered(value)
            if self.is_by_hand
            else {key: convert(one, self.hints.get(key, Any), key) for key, one in value.items()}
        )
        if self.context_name is not None:
            given[self.context_name] = context
        return given
