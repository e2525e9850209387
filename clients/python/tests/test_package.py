"""What is installed."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sidecall

SOURCE = Path(os.environ.get("SIDECALL_TEST_SOURCE", Path(__file__).parents[1]))


def test_the_installed_package_is_the_one_that_is_tested():
    assert "site-packages" in sidecall.__file__
    assert (Path(sidecall.__file__).parent / "py.typed").exists()
    assert importlib.metadata.version("sidecall") == sidecall.__version__


@pytest.mark.skipif(not (SOURCE / "generate.sh").exists(), reason="outside of the repository")
def test_generated_code_is_what_the_generator_makes(tmp_path):
    environment = {**os.environ, "PYTHON": os.environ.get("SIDECALL_TEST_PYTHON", sys.executable)}
    subprocess.run([SOURCE / "generate.sh", tmp_path], check=True, env=environment)
    committed = SOURCE / "src/sidecall/_proto"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 4
    for name in names:
        same = (tmp_path / name).read_bytes() == (committed / name).read_bytes()
        assert same, f"{name} is out of date: run clients/python/generate.sh"


def test_importing_it_imports_no_sdk():
    code = "import sidecall, sys; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(out.stdout.split())
    sdks = {"anthropic", "openai", "google.genai", "langchain_core", "langgraph", "pydantic"}
    assert not loaded & sdks


def test_everything_that_is_named_is_there():
    for name in sidecall.__all__:
        assert getattr(sidecall, name).__doc__ is not None


def test_a_status_is_read_with_other_google_rpc_types_around():
    """googleapis-common-protos registers its own under the names of google.rpc."""
    from google.rpc import error_details_pb2, status_pb2

    from sidecall._proto import refusal_pb2

    status = status_pb2.Status(code=8)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="EXHAUSTED", domain="d"))
    read = refusal_pb2.Status.FromString(status.SerializeToString())
    assert read.details[0].type_url.endswith("/google.rpc.ErrorInfo")
    assert refusal_pb2.ErrorInfo.FromString(read.details[0].value).reason == "EXHAUSTED"


def test_batch_ids_are_version_7_and_sorted():
    import uuid

    from sidecall._ids import uuid7

    ids = [uuid7() for _ in range(200)]
    assert len(set(ids)) == 200
    assert {uuid.UUID(one).version for one in ids} == {7}
    assert {uuid.UUID(one).variant for one in ids} == {uuid.RFC_4122}
    stamps = [one[:13] for one in ids]
    assert stamps == sorted(stamps)


@pytest.mark.skipif(not (SOURCE / "README.md").exists(), reason="outside of the repository")
def test_the_readmes_code_is_python_and_names_what_there_is():
    import ast
    import re
    import textwrap

    page = (SOURCE / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= 6
    for block in blocks:
        tree = ast.parse("async def agent():\n" + textwrap.indent(block, "    "))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sidecall"):
                module = __import__(node.module, fromlist=["_"])
                for name in node.names:
                    assert hasattr(module, name.name), name.name
            if isinstance(node, ast.MatchClass):
                assert hasattr(sidecall, node.cls.id), node.cls.id
