"""One step of an agent's loop, made by a provider's own SDK.

`ask` sends the first request, with Sidecall's tools and instructions as they
are, to a scripted model, and prints the assistant's message as the SDK writes
it. `answer` sends the second, with that message and Sidecall's bundle. Whatever
the SDK would refuse ends the program, and so does a bundle that is wrong and
that it takes. What arrives at the model is judged by the Rust test.
"""

import argparse
import base64
import json
import sys
from pathlib import Path

WORDS = "Look it up."


def fail(message):
    sys.exit(f"agent_loop: {message}")


def must_refuse(what, attempt):
    """The judge must be able to say no."""
    try:
        attempt()
    except Exception:  # Each SDK has its own.
        return
    fail(f"the SDK took {what}")


class Anthropic:
    def __init__(self, url):
        import anthropic
        from anthropic.types import MessageParam, ToolParam
        from pydantic import TypeAdapter

        self.client = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)
        self.message, self.tool = TypeAdapter(MessageParam), TypeAdapter(ToolParam)

    def request(self, step, history):
        for message in history:
            # What can be read once only is validated while it is read.
            content = self.message.validate_python(message)["content"]
            isinstance(content, str) or list(content)
        for tool in step["tools"]:
            self.tool.validate_python(tool)
        return self.client.messages.create(
            model="claude-none",
            max_tokens=1024,
            system=step["instructions"],
            tools=step["tools"],
            messages=[{"role": "user", "content": WORDS}, *history],
        )

    def ask(self, step):
        return self.request(step, []).to_json()

    def answer(self, step):
        turn, bundle = json.loads(step["turn"]), step["bundle"]
        content = [
            {key: block[key] for key in block if key in ("type", "id", "name", "input", "text")}
            for block in turn["content"]
        ]
        assistant = {"role": "assistant", "content": content}
        self.request(step, [assistant, {"role": "user", "content": bundle}])
        broken = [{**bundle[0], "tool_use_id": 7}]
        must_refuse("an id that is no text", lambda: self.request(step, [{"role": "user", "content": broken}]))


class OpenAiChat:
    def __init__(self, url):
        import openai
        from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam
        from pydantic import TypeAdapter

        self.client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        self.message = TypeAdapter(ChatCompletionMessageParam)
        self.tool = TypeAdapter(ChatCompletionFunctionToolParam)

    def request(self, step, history):
        for message in history:
            for value in self.message.validate_python(message).values():
                isinstance(value, (str, type(None))) or list(value)
        for tool in step["tools"]:
            self.tool.validate_python(tool)
        return self.client.chat.completions.create(
            model="gpt-5",
            tools=step["tools"],
            messages=[
                {"role": "system", "content": step["instructions"]},
                {"role": "user", "content": WORDS},
                *history,
            ],
        )

    def ask(self, step):
        return self.request(step, []).choices[0].message.to_json()

    def answer(self, step):
        turn, bundle = json.loads(step["turn"]), step["bundle"]
        assistant = {key: turn[key] for key in ("role", "content", "tool_calls")}
        self.request(step, [assistant, *bundle])
        broken = {**bundle[0], "tool_call_id": 7}
        must_refuse("an id that is no text", lambda: self.request(step, [broken]))


class OpenAiResponses:
    def __init__(self, url):
        import openai
        from openai.types.responses import FunctionToolParam, ResponseInputItemParam
        from pydantic import TypeAdapter

        self.client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        self.item, self.tool = TypeAdapter(ResponseInputItemParam), TypeAdapter(FunctionToolParam)

    def request(self, step, history):
        for item in history:
            for value in self.item.validate_python(item).values():
                isinstance(value, (str, type(None))) or list(value)
        for tool in step["tools"]:
            # The API's own default; the types want it said.
            self.tool.validate_python({"strict": None, **tool})
        return self.client.responses.create(
            model="gpt-5",
            instructions=step["instructions"],
            tools=step["tools"],
            input=[{"role": "user", "content": WORDS}, *history],
        )

    def ask(self, step):
        return self.request(step, []).to_json()

    def answer(self, step):
        turn, bundle = json.loads(step["turn"]), step["bundle"]
        self.request(step, [*turn["output"], *bundle])
        broken = {**bundle[0], "call_id": 7}
        must_refuse("an id that is no text", lambda: self.request(step, [broken]))


class Gemini:
    def __init__(self, url):
        from google import genai
        from google.genai import types

        self.types = types
        options = types.HttpOptions(base_url=url)
        self.client = genai.Client(api_key="none", vertexai=False, http_options=options)

    def request(self, step, history):
        types = self.types
        declarations = [types.FunctionDeclaration.model_validate(tool) for tool in step["tools"]]
        config = types.GenerateContentConfig(
            system_instruction=step["instructions"],
            tools=[types.Tool(function_declarations=declarations)],
        )
        user = types.Content(role="user", parts=[types.Part(text=WORDS)])
        return self.client.models.generate_content(
            model="gemini-3-pro", contents=[user, *history], config=config
        )

    def ask(self, step):
        return self.request(step, []).model_dump_json()

    def results(self, bundle):
        # Bytes are base64 in JSON, and plain in Python.
        parts = [self.types.Part.model_validate_json(json.dumps(item)) for item in bundle]
        return self.types.Content(role="user", parts=parts)

    def answer(self, step):
        turn = self.types.GenerateContentResponse.model_validate_json(step["turn"])
        bundle = step["bundle"]
        self.request(step, [turn.candidates[0].content, self.results(bundle)])
        broken = {"functionResponse": {**bundle[0]["functionResponse"], "response": ["x"]}}
        must_refuse("a response that is no object", lambda: self.results([broken]))
        broken = {"functionResponse": {**bundle[0]["functionResponse"], "is_error": True}}
        must_refuse("an unknown member", lambda: self.results([broken]))


class Bedrock:
    def __init__(self, url):
        from botocore.config import Config
        from botocore.session import Session

        session = Session()
        session.set_credentials("none", "none")
        config = Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=20)
        self.client = session.create_client(
            "bedrock-runtime", region_name="eu-central-1", endpoint_url=url, config=config
        )

    def request(self, step, history):
        return self.client.converse(
            modelId="amazon.nova-pro-v1:0",
            system=[{"text": step["instructions"]}],
            toolConfig={"tools": step["tools"]},
            messages=[{"role": "user", "content": [{"text": WORDS}]}, *history],
        )

    def ask(self, step):
        response = self.request(step, [])
        return json.dumps({"output": response["output"], "stopReason": response["stopReason"]})

    def answer(self, step):
        turn, bundle = json.loads(step["turn"]), step["bundle"]
        for item in bundle:
            for block in item["toolResult"]["content"]:
                for kind in ("image", "document", "video"):
                    # The SDK wants the bytes themselves.
                    if kind in block:
                        source = block[kind]["source"]
                        source["bytes"] = base64.b64decode(source["bytes"], validate=True)
        self.request(step, [turn["output"]["message"], {"role": "user", "content": bundle}])
        broken = {"toolResult": {"content": bundle[0]["toolResult"]["content"]}}
        must_refuse(
            "a result without an id",
            lambda: self.request(step, [{"role": "user", "content": [broken]}]),
        )
        broken = {"toolResult": {**bundle[0]["toolResult"], "content": [{"text": "x", "json": {}}]}}
        must_refuse(
            "two contents in one",
            lambda: self.request(step, [{"role": "user", "content": [broken]}]),
        )


class LangChain:
    """Behind it a model of Anthropic's, which judges as well."""

    def __init__(self, url):
        from langchain_anthropic import ChatAnthropic
        from langchain_core import messages
        from langchain_core.load import dumpd, load

        self.messages, self.dumpd, self.load = messages, dumpd, load
        self.model = ChatAnthropic(
            model="claude-none", base_url=url, api_key="none", max_retries=0, max_tokens=1024
        )

    def request(self, step, history):
        return self.model.bind_tools(step["tools"]).invoke(
            [("system", step["instructions"]), ("human", WORDS), *history]
        )

    def ask(self, step):
        message = self.request(step, [])
        match step["spelling"]:
            case "stored":
                return json.dumps(self.messages.message_to_dict(message))
            case "constructor":
                return json.dumps(self.dumpd(message))
            case _:
                return message.model_dump_json()

    def read(self, items, spelling):
        match spelling:
            case "stored":
                return self.messages.messages_from_dict(items)
            case "constructor":
                return [self.load(item, allowed_objects="messages") for item in items]
            case _:
                return self.messages.convert_to_messages(items)

    def answer(self, step):
        turn, bundle, spelling = json.loads(step["turn"]), step["bundle"], step["spelling"]
        read = self.read(bundle, spelling)
        for message in read:
            if type(message) is not self.messages.ToolMessage:
                fail(f"{message!r} is no ToolMessage")
        artifacts = [message.artifact for message in read if message.status == "error"]
        if not artifacts or not all("code" in artifact for artifact in artifacts):
            fail(f"an error without a code: {artifacts}")
        self.request(step, [*self.read([turn], spelling), *read])
        without = json.loads(json.dumps(bundle[0]).replace("tool_call_id", "call_id"))
        must_refuse("an answer without an id", lambda: self.read([without], spelling))


LOOPS = {
    "anthropic": Anthropic,
    "openai-chat": OpenAiChat,
    "openai-responses": OpenAiResponses,
    "gemini": Gemini,
    "bedrock": Bedrock,
    "langchain": LangChain,
}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("shape", choices=LOOPS)
    arguments.add_argument("step", choices=["ask", "answer"])
    arguments.add_argument("--model", required=True, help="the model's address")
    arguments.add_argument("--with", required=True, dest="given", help="a JSON file")
    options = arguments.parse_args()
    step = json.loads(Path(options.given).read_text())
    loop = LOOPS[options.shape](options.model)
    if options.step == "ask":
        print(json.dumps({"turn": loop.ask(step)}))
    else:
        loop.answer(step)
        print(json.dumps({"turn": None}))


if __name__ == "__main__":
    main()
