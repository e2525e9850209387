"""One batch as its events tell it: decides nothing of when, sends nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sidecall import _wire, model
from sidecall.bundle import Bundle
from sidecall.shapes.base import Block

if TYPE_CHECKING:
    from sidecall._proto import sidecall_pb2 as pb
    from sidecall.errors import Interrupted
    from sidecall.shapes.base import Provider


@dataclass
class Batch:
    """Takes events in; gives typed ones, and the bundle at the end."""

    batch_id: str
    provider: Provider
    calls: list[Block]
    is_accepted: bool = False
    is_finished: bool = False
    plan: model.Plan | None = None
    summary: model.Summary | None = None
    interrupted: Interrupted | None = None
    results: dict[int, model.CallResult] = field(default_factory=dict)
    _planned: dict[int, model.PlannedCall] = field(default_factory=dict)
    _edges: list[model.Edge] = field(default_factory=list)
    _items: list[str] = field(default_factory=list)
    _continues: bool = False
    # Pieces of blocks that are too large for one message, by call and block.
    _pieces: dict[tuple[int, int], list[str | bytes]] = field(default_factory=dict)

    def apply(self, event: pb.BatchEvent) -> model.Event | None:
        """Takes an event in. Pieces, and events of a newer server, give none."""
        kind = event.WhichOneof("event")
        handler = getattr(self, f"_on_{kind}", None)
        given: model.Event | None = handler(getattr(event, kind)) if kind and handler else None
        return given

    def _on_accepted(self, message: pb.BatchAccepted) -> model.Event:
        self.is_accepted = True
        self.batch_id = message.batch_id
        self.plan = _wire.plan(message.plan)
        self._planned = dict(enumerate(self.plan.calls))
        self._edges = list(self.plan.edges)
        return model.Accepted(message.batch_id, self.plan)

    def _on_call_planned(self, message: pb.CallPlanned) -> model.Event:
        call, edges = _wire.planned(message.call), tuple(map(_wire.edge, message.edges))
        self._planned[message.index] = call
        self._edges += edges
        return model.Planned(message.index, call, edges)

    def _on_started(self, message: pb.CallStarted) -> model.Event:
        return model.Started(
            call_id=message.call_id,
            index=message.index,
            attempt=message.attempt,
            at=_wire.seconds(message.at),
            timings=_wire.timings(message.timings),
        )

    def _on_progress(self, message: pb.CallProgress) -> model.Event:
        return model.Progress(
            call_id=message.call_id,
            index=message.index,
            done=message.done if message.HasField("done") else None,
            total=message.total if message.HasField("total") else None,
            message=message.message,
        )

    def _on_retrying(self, message: pb.CallRetrying) -> model.Event:
        return model.Retrying(
            call_id=message.call_id,
            index=message.index,
            attempt=message.attempt,
            delay=_wire.seconds(message.delay),
            failure=_wire.failure(message.failure),
        )

    def _on_result_part(self, message: pb.ResultPart) -> None:
        key = (message.index, message.content_index)
        piece = message.text if message.WhichOneof("piece") == "text" else message.data
        self._pieces.setdefault(key, []).append(piece)

    def _on_call_finished(self, message: pb.CallFinished) -> model.Event:
        index = message.result.index
        blocks = [
            self._joined(index, place, block) if block.in_parts else _wire.content(block)
            for place, block in enumerate(message.result.content)
        ]
        result = _wire.result(message.result, blocks)
        self.results[index] = result
        return model.Finished(result)

    def _joined(self, index: int, place: int, block: pb.Content) -> model.Content:
        pieces = self._pieces.pop((index, place), [])
        text = "".join(piece for piece in pieces if isinstance(piece, str))
        data = b"".join(piece for piece in pieces if isinstance(piece, bytes))
        empty = _wire.content(block)
        if isinstance(empty, (model.Text, model.Json)):
            return replace(empty, text=text)
        if isinstance(empty, (model.Image, model.Document)):
            return replace(empty, data=data)
        return empty

    def _on_bundle_part(self, message: pb.BundlePart) -> None:
        items = list(message.items)
        if self._continues and items:
            self._items[-1] += items.pop(0)
        self._items += items
        self._continues = message.last_item_continues

    def _on_batch_finished(self, message: pb.BatchFinished) -> model.Event:
        self.summary = _wire.summary(message.summary)
        self.is_finished = True
        return model.Done(self.bundle())

    def interrupt(self, cause: Interrupted, failure: model.Failure) -> list[model.Event]:
        """The stream has broken: every call that has no result gets one.

        What may have run and may not be run twice is ``outcome_unknown``; ``failure`` is
        that of the others.
        """
        self.interrupted = cause
        events: list[model.Event] = []
        for index, block in enumerate(self.calls):
            if index not in self.results:
                self.results[index] = self._lost(index, block, failure)
                events.append(model.Finished(self.results[index]))
        self.is_finished = True
        return [*events, model.Done(self.bundle())]

    def places(self) -> dict[int, int]:
        """The calls' places, by their blocks' places in the turn that was sent."""
        return {one.place: n for n, one in enumerate(self.calls) if one.place >= 0}

    def refuse(self, failure: model.Failure, faults: dict[int, list[str]]) -> Bundle:
        """What has not ended never began: it has that failure, some with their faults."""
        for index, block in enumerate(self.calls):
            # A call that only reads may have ended before its turn was refused.
            if index in self.results:
                continue
            self.results[index] = model.CallResult(
                call_id=block.id or f"call_{index + 1}",
                tool=block.name,
                index=index,
                outcome=model.Outcome.FAILED,
                is_error=True,
                failure=replace(
                    failure, message=" ".join([failure.message, *faults.get(index, ())])
                ),
                is_synthetic=True,
            )
        return self._written()

    def _lost(self, index: int, block: Block, failure: model.Failure) -> model.CallResult:
        planned = self._planned.get(index)
        outcome = model.Outcome.FAILED
        if planned is not None and planned.fault is not None:
            failure = planned.fault
        elif (parent := self._failed_parent(index)) is not None:
            outcome = model.Outcome.SKIPPED
            failure = model.Failure(
                code=model.FailureCode.DEPENDENCY_FAILED,
                origin=model.FailureOrigin.CALLER,
                retry=model.RetryAdvice.NEVER,
                message=f"{parent.call_id} ({parent.tool}), which this call needs, did not "
                "succeed, so it was not run. Mend that call first.",
            )
        elif planned is None or not planned.effect.is_harmless:
            failure = model.Failure(
                code=model.FailureCode.OUTCOME_UNKNOWN,
                origin=model.FailureOrigin.SIDECALL,
                retry=model.RetryAdvice.VERIFY_FIRST,
                message="The sidecar went away while this call was open, so it may have taken "
                "effect and nobody knows. Find out what has happened (read the record, look at "
                "the list) before you call it again.",
            )
        return model.CallResult(
            call_id=planned.call_id if planned else block.id or f"call_{index + 1}",
            tool=planned.tool if planned else block.name,
            index=index,
            outcome=outcome,
            is_error=True,
            failure=failure,
            is_synthetic=True,
        )

    def _failed_parent(self, index: int) -> model.CallResult | None:
        for edge in self._edges:
            if edge.child == index and edge.strength is model.EdgeStrength.NEED:
                parent = self.results.get(edge.parent)
                known = parent is not None and not parent.is_synthetic
                if parent is not None and known and parent.outcome is not model.Outcome.SUCCEEDED:
                    return parent
        return None

    def bundle(self) -> Bundle:
        """The bundle: the sidecar's own, or of what results there are."""
        if self.interrupted is not None:
            return self._written()
        return self._of([json.loads(item) for item in self._items])

    def _written(self) -> Bundle:
        """Of what results there are, in the provider's shape."""
        results = [self.results[index] for index in sorted(self.results)]
        return self._of([self.provider.item(self._block(one), one) for one in results])

    def _of(self, items: list[dict[str, Any]]) -> Bundle:
        results = tuple(self.results[index] for index in sorted(self.results))
        return Bundle.of(
            items,
            batch_id=self.batch_id,
            shape=self.provider.shape,
            results=results,
            plan=self.whole_plan(),
            summary=self.summary,
            interrupted=self.interrupted,
        )

    def _block(self, result: model.CallResult) -> Block:
        if result.index < len(self.calls):
            return self.calls[result.index]
        return Block(result.call_id, result.tool)

    def whole_plan(self) -> model.Plan | None:
        """The plan with the calls that came later."""
        if self.plan is None or len(self._planned) == len(self.plan.calls):
            return self.plan
        calls = tuple(self._planned[index] for index in sorted(self._planned))
        return replace(self.plan, calls=calls, edges=tuple(self._edges))
