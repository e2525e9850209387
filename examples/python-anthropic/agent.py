"""An agent with Anthropic's SDK: its tools run while the model is still writing.

One of them, `local_time`, is a function of this process; the others are APIs that only
Sidecall knows. To the model there is no difference.
"""

from __future__ import annotations

import asyncio
import os
from datetime import datetime, timezone

from anthropic import AsyncAnthropic

from sidecall import AsyncSidecall, Finished, Worker

SESSION = "example-python-anthropic"
QUESTION = "What should I know before I call Lovelace? And how late is it?"

worker = Worker(session_id=SESSION)


@worker.tool(effect="read_only")
async def local_time() -> dict[str, str]:
    """The time where the user is."""
    return {"time": datetime.now(tz=timezone.utc).astimezone().strftime("%H:%M")}


def show(event: object) -> None:
    """Says what ended."""
    if isinstance(event, Finished):
        result = event.result
        print(f"  {result.tool:<16} {result.outcome}")


async def main() -> None:
    """Asks until there is nothing to be run."""
    model = AsyncAnthropic(base_url=os.environ["MODEL_URL"], api_key="none")
    async with AsyncSidecall() as sidecall, worker:
        tools = await sidecall.list_tools("anthropic", session_id=SESSION)
        messages: list = [{"role": "user", "content": QUESTION}]
        while True:
            async with (
                sidecall.stream(session_id=SESSION, on_event=show) as turn,
                model.messages.stream(
                    model="scripted",
                    max_tokens=1024,
                    system=tools.instructions,
                    tools=tools,
                    messages=messages,
                ) as stream,
            ):
                async for event in stream:
                    await turn.feed(event)
                answer = await stream.get_final_message()
                results = await turn.commit()
            messages.append({"role": "assistant", "content": answer.content})
            if not results:
                print(answer.content[0].text)
                return
            messages += results.messages


asyncio.run(main())
