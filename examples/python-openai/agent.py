"""An agent with OpenAI's Responses API."""

from __future__ import annotations

import os

from openai import OpenAI

from sidecall import Sidecall

QUESTION = "What should I know before I call Lovelace?"


def main() -> None:
    """Asks until there is nothing to be run."""
    model = OpenAI(base_url=os.environ["MODEL_URL"] + "/v1", api_key="none")
    with Sidecall() as sidecall:
        tools = sidecall.list_tools("openai_responses")
        items: list = [{"role": "user", "content": QUESTION}]
        while True:
            response = model.responses.create(
                model="scripted", instructions=tools.instructions, tools=tools, input=items
            )
            items += response.output
            results = sidecall.execute(
                response, session_id="example-python-openai", progress=True
            )
            if not results:
                print(response.output_text)
                return
            print(f"{len(results)} calls in {results.summary.duration:.1f} s")
            items += results


main()
