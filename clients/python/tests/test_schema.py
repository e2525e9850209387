"""A function's hints and docstring as a tool, its input and its result."""

import dataclasses
import datetime as dt
import decimal
import enum
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypedDict

import jsonschema
import pydantic
import pytest
from typing_extensions import NotRequired

from sidecall import Context, Document, Effect, Image, Json, Text, Worker
from sidecall.worker.docstrings import parsed
from sidecall.worker.tool import Tool
from sidecall.worker.values import contents


def tool_of(function, **options):
    usual = {
        "name": None,
        "description": None,
        "schema": None,
        "effect": "at_most_once",
        "timeout": None,
        "latency": None,
    }
    return Tool.of(function, **{**usual, **options})


class Tier(enum.Enum):
    FREE = "free"
    PAID = "paid"


@dataclasses.dataclass
class Address:
    """Where somebody lives.

    Attributes:
        city: Its name.
    """

    street: str
    city: Annotated[str, "The city."] = "Lund"


class Filter(TypedDict):
    field: str
    value: NotRequired[int]


class Order(pydantic.BaseModel):
    id: str
    cents: int = pydantic.Field(ge=1, description="In cents.")


class Cart(pydantic.BaseModel):
    orders: list[Order]


def every_kind(
    text: str,
    count: int,
    share: float,
    flag: bool,
    names: list[str],
    pairs: dict[str, int],
    tier: Tier,
    kind: Literal["a", "b"],
    address: Address,
    filters: Sequence[Filter],
    cart: Cart,
    when: dt.date,
    amount: decimal.Decimal,
    point: tuple[int, float],
    anything: Any,
    either: int | str = 3,
    maybe: str | None = None,
    limit: Annotated[int, "At most so many.", pydantic.Field(ge=1, le=50)] = 10,
) -> None:
    """Takes one of every kind.

    Args:
        text: A text
            over two lines.
        count (int): How many.
    """


GIVEN = {
    "text": "x",
    "count": 3,
    "share": 1,
    "flag": True,
    "names": ["a"],
    "pairs": {"a": 1},
    "tier": "paid",
    "kind": "a",
    "address": {"street": "Main"},
    "filters": [{"field": "f"}],
    "cart": {"orders": [{"id": "o", "cents": 5}]},
    "when": "2026-11-21",
    "amount": 1249.90,
    "point": [1, 2.5],
    "anything": {"a": [1.5]},
}


def test_every_kind_of_hint_has_a_schema_that_the_input_fits():
    tool = tool_of(every_kind)
    schema = tool.schema
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(GIVEN, schema)
    assert tool.description == "Takes one of every kind."
    properties = schema["properties"]
    assert properties["text"] == {"type": "string", "description": "A text over two lines."}
    assert properties["count"] == {"type": "integer", "description": "How many."}
    assert properties["tier"] == {"type": "string", "enum": ["free", "paid"]}
    assert properties["kind"] == {"type": "string", "enum": ["a", "b"]}
    assert properties["either"] == {"type": ["integer", "string"], "default": 3}
    assert properties["maybe"] == {"type": ["string", "null"]}
    assert properties["limit"] == {
        "type": "integer",
        "description": "At most so many.",
        "minimum": 1,
        "maximum": 50,
        "default": 10,
    }
    assert properties["address"]["properties"]["city"]["default"] == "Lund"
    assert properties["address"]["required"] == ["street"]
    assert properties["filters"]["items"]["required"] == ["field"]
    assert schema["$defs"]["Order"]["properties"]["cents"]["minimum"] == 1
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == set(GIVEN)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("count", "three"),
        ("tier", "gold"),
        ("names", [1]),
        ("address", {"street": 1}),
        ("cart", {"orders": [{"id": "o", "cents": 0}]}),
        ("point", [1]),
        ("flag", 1),
        ("unknown", 1),
    ],
)
def test_an_input_that_the_hints_do_not_allow_fits_no_schema(name, wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**GIVEN, name: wrong}, tool_of(every_kind).schema)


def test_values_arrive_as_the_hints_say():
    text = (
        '{"share": 1, "tier": "paid", "address": {"street": "Main"}, "when": "2026-11-21",'
        ' "amount": 1249.90, "point": [1, 2.5], "anything": {"a": [1.5]}, "either": "x",'
        ' "cart": {"orders": [{"id": "o", "cents": 5}]}, "filters": [{"field": "f"}]}'
    )
    given = tool_of(every_kind).arguments(text, None)
    assert given["share"] == 1.0
    assert type(given["share"]) is float
    assert given["tier"] is Tier.PAID
    assert given["address"] == Address("Main")
    assert given["when"] == dt.date(2026, 11, 21)
    assert str(given["amount"]) == "1249.90"
    assert given["point"] == (1, 2.5)
    assert given["anything"] == {"a": [1.5]}
    assert type(given["anything"]["a"][0]) is float
    assert given["either"] == "x"
    assert given["cart"].orders[0].cents == 5
    assert given["filters"] == [{"field": "f"}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"count": "3"}', 'count: expected an integer; "3" came'),
        ('{"count": true}', "count: expected an integer; true came"),
        ('{"tier": "gold"}', "tier: expected one of 'free', 'paid'"),
        ('{"names": ["a", 1]}', r"names\[1\]: expected a text; 1 came"),
        ('{"address": {"street": 1}}', "address.street: expected a text"),
        ('{"address": {"city": "x"}}', "address: .*street"),
        ('{"when": "soon"}', "when: "),
        ("[]", "expected an object"),
    ],
)
def test_a_value_that_does_not_fit_is_said_with_its_place(text, says):
    with pytest.raises(ValueError, match=says):
        tool_of(every_kind).arguments(text, None)


def test_the_context_is_no_part_of_the_input():
    def looked(id: str, context: Context) -> str:
        """Looks."""

    tool = tool_of(looked)
    assert list(tool.schema["properties"]) == ["id"]
    assert tool.arguments('{"id": "x"}', "the context") == {"id": "x", "context": "the context"}


def test_what_cannot_be_described_is_refused_with_what_to_do():
    def unhinted(x):
        """A tool."""

    def starred(*x: int):
        """A tool."""

    def odd(x: set[memoryview]):
        """A tool."""

    def silent(x: int):
        pass

    with pytest.raises(TypeError, match="`x` has no type hint"):
        tool_of(unhinted)
    with pytest.raises(TypeError, match="by name"):
        tool_of(starred)
    with pytest.raises(TypeError, match="no JSON Schema"):
        tool_of(odd)
    with pytest.raises(ValueError, match="docstring"):
        tool_of(silent)
    with pytest.raises(ValueError, match="tool's name"):
        tool_of(every_kind, name="no good")
    with pytest.raises(ValueError, match="twice"):
        tool_of(every_kind, effect="twice")


def test_a_schema_by_hand_is_taken_as_it_is():
    def anything(**given):
        """Takes it."""

    schema = {"type": "object", "properties": {"a": {"type": "number"}}}
    tool = tool_of(anything, schema=schema)
    assert tool.schema is schema
    assert tool.arguments('{"a": 1.5}', None) == {"a": 1.5}


def test_a_decorated_function_stays_what_it_was():
    worker = Worker(session_id="s")

    class Local(enum.Enum):
        A = "a"

    @worker.tool
    def plain(x: "Local") -> str:
        """A tool whose hint names what is only known here."""
        return x.value

    @worker.tool(name="other", effect=Effect.READ_ONLY, timeout=2.5, latency=0.1)
    def named() -> str:
        """Another."""
        return "x"

    assert plain(Local.A) == "a"
    message = worker._tools["other"].message()
    assert message.timeout.seconds == 2
    assert message.effect == 1
    with pytest.raises(ValueError, match="already"):
        worker.tool(name="other")(named)


def test_a_worker_says_whose_its_tools_are():
    for options in ({}, {"session_id": "s", "shared": True}):
        with pytest.raises(ValueError, match="shared=True"):
            Worker(**options)


GOOGLE = """Sends a mail.

It is sent at once.

Args:
    to: Whom to.
    body (str, optional): What it says:
        all of it.
    **more: Others.

Returns:
    bool: Whether it went.
"""
NUMPY = """Sends a mail.

It is sent at once.

Parameters
----------
to : str
    Whom to.
body : str, optional
    What it says:
    all of it.

Returns
-------
bool
    Whether it went.
"""
SPHINX = """Sends a mail.

It is sent at once.

:param to: Whom to.
:param str body: What it says:
    all of it.
:returns: Whether it went.
"""


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX])
def test_docstrings_of_each_style_are_read(docstring):
    description, said = parsed(docstring)
    assert description == "Sends a mail.\n\nIt is sent at once."
    assert (said["to"], said["body"]) == ("Whom to.", "What it says: all of it.")


@pytest.mark.parametrize(
    ("value", "blocks"),
    [
        ("x", [Text("x")]),
        (None, [Json("null")]),
        ({"a": 1}, [Json('{"a": 1}')]),
        ([1, 2.5], [Json("[1, 2.5]")]),
        (Address("Main"), [Json('{"street": "Main", "city": "Lund"}')]),
        (Order(id="o", cents=1), [Json('{"id": "o", "cents": 1}')]),
        (Tier.PAID, [Json('"paid"')]),
        (b"PK", [Document("application/octet-stream", b"PK")]),
        (Image("image/png", b"x"), [Image("image/png", b"x")]),
        ([Text("a"), Json("1")], [Text("a"), Json("1")]),
        ({"at": dt.date(2026, 1, 2)}, [Json('{"at": "2026-01-02"}')]),
    ],
)
def test_what_a_function_gives_becomes_blocks(value, blocks):
    assert contents(value) == blocks


def test_what_is_no_json_is_refused():
    with pytest.raises(TypeError, match="return a text"):
        contents(object())
    with pytest.raises(ValueError, match="NaN|nan|Out of range"):
        contents(float("nan"))
