"""The results of a turn, as the model's API takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidecall.shapes import PROVIDERS

if TYPE_CHECKING:
    from sidecall.errors import Interrupted
    from sidecall.model import CallResult, Plan, Shape, Summary


class Bundle(list[dict[str, Any]]):
    """The results of all calls in call order, in the shape that the turn came in.

    It *is* the list of what is to be appended: ``tool_result`` blocks for Anthropic,
    ``tool`` messages for OpenAI Chat Completions, output items for Responses,
    ``functionResponse`` parts for Gemini, ``toolResult`` blocks for Bedrock,
    ``ToolMessage``s as dicts for LangChain. Where a turn had no calls it is empty.

    Attributes:
        batch_id: The batch's id, fixed before it was first sent.
        shape: Whose shape the items have.
        results: The same results, typed, in call order.
        plan: What depended on what.
        summary: Counts and times; ``None`` where the sidecar went away before it sent them.
        interrupted: What broke the stream, where something did. The bundle is whole all
            the same: what had not ended has results that say so.

    """

    batch_id: str
    shape: Shape
    results: tuple[CallResult, ...]
    plan: Plan | None
    summary: Summary | None
    interrupted: Interrupted | None

    @classmethod
    def of(
        cls,
        items: list[dict[str, Any]],
        *,
        batch_id: str,
        shape: Shape,
        results: tuple[CallResult, ...] = (),
        plan: Plan | None = None,
        summary: Summary | None = None,
        interrupted: Interrupted | None = None,
    ) -> Bundle:
        """Makes one."""
        bundle = cls(items)
        bundle.batch_id = batch_id
        bundle.shape = shape
        bundle.results = results
        bundle.plan = plan
        bundle.summary = summary
        bundle.interrupted = interrupted
        return bundle

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The bundle as messages, for ``history.extend(…)`` whatever the provider."""
        return PROVIDERS[self.shape].messages(list(self)) if self else []

    @property
    def message(self) -> dict[str, Any]:
        """The bundle as the one message that it is.

        Raises:
            TypeError: It is several (OpenAI, LangChain) or none (a turn without calls).

        """
        messages = self.messages
        if len(messages) != 1:
            raise TypeError(
                f"this bundle of {self.shape} is {len(messages)} messages, not one: "
                "append it with `history.extend(bundle.messages)`"
            )
        return messages[0]

    @property
    def has_errors(self) -> bool:
        """Whether a call did not succeed."""
        return any(result.is_error for result in self.results)

    def result(self, call: str | int) -> CallResult:
        """The result of a call, by its id or its place in the turn.

        Raises:
            LookupError: There is no such call.

        """
        for result in self.results:
            if call in (result.call_id, result.index):
                return result
        known = ", ".join(result.call_id for result in self.results)
        raise LookupError(f"no call {call!r} in this batch: it has {known or 'none'}")

    def __repr__(self) -> str:
        return (
            f"Bundle({super().__repr__()}, batch_id={self.batch_id!r}, shape={self.shape.value!r})"
        )
