"""What a user's own type checker sees: read by mypy, never run."""

from typing import Annotated

from typing_extensions import assert_type

from sidecall import (
    AsyncSidecall,
    Bundle,
    CallResult,
    Context,
    Done,
    Event,
    Finished,
    Plan,
    Sidecall,
    ToolList,
    Worker,
)

worker = Worker(session_id="s")


@worker.tool
def plain(a: int) -> str:
    """A tool."""
    return str(a)


@worker.tool(effect="read_only")
async def named(a: Annotated[int, "A number."], context: Context) -> dict[str, int]:
    """A tool."""
    context.progress(1, 2)
    return {"a": a}


async def agent(message: object) -> None:
    assert_type(plain(1), str)
    async with AsyncSidecall() as client:
        bundle = await client.execute(message, session_id="s", ordering="ordered")
        assert_type(bundle, Bundle)
        assert_type(bundle.results[0], CallResult)
        assert_type(await client.plan(message, session_id="s"), Plan)
        assert_type(await client.list_tools("gemini"), ToolList)
        async for event in client.events(message):
            assert_type(event, Event)
            if isinstance(event, Finished):
                assert_type(event.result, CallResult)
            elif isinstance(event, Done):
                assert_type(event.bundle, Bundle)
        async with client.stream() as turn:
            await turn.feed(message)
            assert_type(await turn.commit(), Bundle)
    async with worker as same:
        assert_type(same, Worker)


def script(message: object) -> None:
    with Sidecall() as client, worker:
        assert_type(client.execute(message), Bundle)
        for event in client.events(message):
            assert_type(event, Event)
        client.execute(message, ordering="sorted")  # type: ignore[arg-type]
