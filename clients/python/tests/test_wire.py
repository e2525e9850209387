"""Messages as types: what is new, absent or in parts."""

from sidecall import Effect, FailureCode, Outcome, Source, _wire
from sidecall._batch import Batch
from sidecall._proto import sidecall_pb2 as pb
from sidecall.model import EdgeKind, EdgeStrength, FailureOrigin, RetryAdvice
from sidecall.shapes import PROVIDERS


def test_every_word_of_the_wire_is_known():
    for table, kind, own in (
        (_wire.OUTCOMES, Outcome, "unknown"),
        (_wire.CODES, FailureCode, "unknown"),
        (_wire.ORIGINS, FailureOrigin, "unknown"),
        (_wire.ADVICE, RetryAdvice, "unknown"),
        (_wire.KINDS, EdgeKind, "unknown"),
        (_wire.STRENGTHS, EdgeStrength, "unknown"),
        (_wire.SOURCES, Source, "unspecified"),
    ):
        # Zero is never sent, or says that there is none.
        assert table[0] == own
        assert len(set(table)) == len(table)
        assert set(table) | {kind.UNKNOWN} == set(kind)
    assert _wire.EFFECTS[0] is Effect.AT_MOST_ONCE
    assert set(_wire.EFFECTS) == set(Effect)


def test_words_of_a_newer_server_are_read():
    assert _wire.word(_wire.CODES, 999) is FailureCode.UNKNOWN
    assert _wire.word(_wire.SOURCES, 999) is Source.UNKNOWN
    assert _wire.effect(999) is Effect.AT_MOST_ONCE
    batch = Batch("b", PROVIDERS["anthropic"], [])
    assert batch.apply(pb.BatchEvent(sequence=1)) is None


def test_a_block_and_an_item_that_came_in_parts_are_whole():
    batch = Batch("b", PROVIDERS["anthropic"], [])
    for text in ("one, ", "two"):
        part = pb.ResultPart(call_id="c", index=0, content_index=1, text=text)
        assert batch.apply(pb.BatchEvent(result_part=part)) is None
    for data in (b"PN", b"G"):
        part = pb.ResultPart(call_id="c", index=0, content_index=2, data=data)
        batch.apply(pb.BatchEvent(result_part=part))
    content = [
        pb.Content(text="first"),
        pb.Content(text="", in_parts=True),
        pb.Content(image=pb.Blob(media_type="image/png"), in_parts=True),
    ]
    result = pb.ToolResult(call_id="c", tool="t", outcome=pb.OUTCOME_SUCCEEDED, content=content)
    event = batch.apply(pb.BatchEvent(call_finished=pb.CallFinished(result=result)))
    first, second, third = event.result.content
    assert (first.text, second.text, third.data) == ("first", "one, two", b"PNG")
    for items, continues in ((['{"a": 1}', '{"b":'], True), ([" 2"], True), (["}"], False)):
        part = pb.BundlePart(items=items, last_item_continues=continues)
        batch.apply(pb.BatchEvent(bundle_part=part))
    done = batch.apply(pb.BatchEvent(batch_finished=pb.BatchFinished()))
    assert list(done.bundle) == [{"a": 1}, {"b": 2}]
