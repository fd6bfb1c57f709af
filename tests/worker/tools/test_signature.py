"""JSON Schemas of typed functions, and their bound arguments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Optional

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from worker.tools import ArgumentsRejected, CallContext, ToolDefinitionError, tool
from worker.tools.signature import Signature

CALL = CallContext(call_sid="CA1", caller="+12025550117", called="+12025550143", language="en")


class Board(Enum):
    HALF = "half"
    FULL = "full"


class Guest(BaseModel):
    name: str
    age: int | None = None


class Party(BaseModel):
    head: Guest
    others: list[Guest] = []


async def everything(
    party: Party,
    day: date,
    board: Board,
    floors: list[int],
    rate: Annotated[Decimal, Field(gt=0, description="per night")],
    view: Annotated[Literal["sea", "garden"], "what the window shows"] = "sea",
    note: Optional[str] = None,  # noqa: UP045 - one of the ways in which people write it
    copy: bool = False,
) -> None: ...


def refuse(function: Any) -> str:
    """The error message for a function that cannot be a tool."""
    with pytest.raises(ToolDefinitionError) as refusal:
        Signature.of(function, "my_tool")
    return str(refusal.value)


def test_a_signature_becomes_a_valid_json_schema() -> None:
    """Parameters of every allowed type become properties; those without a default are required."""
    schema = Signature.of(everything, "everything").schema()
    Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert list(schema["properties"]) == ["party", "day", "board", "floors", "rate", "view", "note", "copy"]
    assert schema["required"] == ["party", "day", "board", "floors", "rate"]
    assert schema["properties"]["day"] == {"format": "date", "type": "string"}
    assert schema["properties"]["floors"] == {"items": {"type": "integer"}, "type": "array"}
    assert schema["properties"]["note"] == {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    assert schema["properties"]["copy"] == {"default": False, "type": "boolean"}


def test_nested_models_are_defined_within_the_schema() -> None:
    """A schema contains its own `$defs`, because the API cannot resolve others."""
    schema = Signature.of(everything, "everything").schema()
    assert set(schema["$defs"]) == {"Board", "Guest", "Party"}
    validator = Draft202012Validator(schema)
    arguments = {"party": {"head": {"name": "Robin"}}, "day": "2030-05-03", "board": "half", "floors": [], "rate": 90}
    assert validator.is_valid(arguments)
    assert not validator.is_valid(arguments | {"party": {"head": {"age": 7}}})
    assert not validator.is_valid(arguments | {"board": "none"})


def test_a_parameter_is_described_by_a_string_or_a_field() -> None:
    """Both ways of describing a parameter reach the model."""
    properties = Signature.of(everything, "everything").schema()["properties"]
    assert properties["view"]["description"] == "what the window shows"
    assert properties["rate"]["description"] == "per night"


def test_schemas_carry_no_titles() -> None:
    """Titles that repeat names would cost tokens in every session."""
    assert "'title'" not in str(Signature.of(everything, "everything").schema())


def test_a_field_called_title_stays() -> None:
    """Only pydantic's own titles go, not a property that has this name."""

    def books(title: str) -> None: ...

    assert Signature.of(books, "books").schema()["properties"] == {"title": {"type": "string"}}


def test_the_call_is_passed_in_and_not_shown() -> None:
    """The worker fills in a parameter annotated with `CallContext`, optional or not."""

    def greet(name: str, call: CallContext, again: CallContext | None = None) -> None: ...

    signature = Signature.of(greet, "greet")
    assert list(signature.schema()["properties"]) == ["name"]
    assert signature.bind({"name": "Robin"}, CALL) == {"name": "Robin", "call": CALL, "again": CALL}


def test_arguments_arrive_as_their_types() -> None:
    """Strings and objects become dates, enums and models; omitted arguments keep the function's defaults."""
    arguments = {
        "party": {"head": {"name": "Robin"}},
        "day": "2030-05-03",
        "board": "full",
        "floors": [1, 2],
        "rate": "99.50",
        "copy": True,
    }
    assert Signature.of(everything, "everything").bind(arguments, CALL) == {
        "party": Party(head=Guest(name="Robin")),
        "day": date(2030, 5, 3),
        "board": Board.FULL,
        "floors": [1, 2],
        "rate": Decimal("99.50"),
        "copy": True,
    }


def test_a_strict_date_may_be_written_as_json_writes_it() -> None:
    """Arguments are checked as JSON, which has no other way to write a date than as a string."""

    def arrive(day: Annotated[date, Field(strict=True)]) -> None: ...

    assert Signature.of(arrive, "arrive").bind({"day": "2030-05-03"}, CALL) == {"day": date(2030, 5, 3)}


def test_a_default_that_only_the_field_has_is_filled_in() -> None:
    """A default in `Field` is passed on, because the function itself has none."""

    def order(dishes: Annotated[list[str], Field(default_factory=lambda: ["soup"])]) -> None: ...

    assert Signature.of(order, "order").bind({}, CALL) == {"dishes": ["soup"]}


def test_a_default_that_json_cannot_hold_is_not_shown(recwarn: pytest.WarningsRecorder) -> None:
    """A sentinel as default reaches the function unchanged."""
    unset = object()

    def search(text: str, after: Any = unset) -> None: ...

    signature = Signature.of(search, "search")
    assert signature.schema()["properties"]["after"] == {}
    assert signature.bind({"text": "x"}, CALL) == {"text": "x"}
    assert not recwarn.list


def test_each_wrong_argument_is_reported_with_what_is_allowed() -> None:
    """The error names the problem of each argument, so that the model can correct it."""

    def stay(nights: Annotated[int, Field(ge=1, le=30)], view: Literal["sea", "garden"], guest: Guest) -> None: ...

    with pytest.raises(ArgumentsRejected) as rejected:
        Signature.of(stay, "stay").bind({"nights": 31, "view": "yard", "guest": {}, "dog": True}, CALL)
    assert rejected.value.problems == {
        "nights": "Input should be less than or equal to 30",
        "view": "Input should be 'sea' or 'garden'",
        "guest.name": "is required, and is missing",
        "dog": "there is no such parameter; the parameters are: nights, view, guest",
    }


def test_a_parameter_may_have_any_name(recwarn: pytest.WarningsRecorder) -> None:
    """Names that pydantic reserves are allowed, too."""

    def odd(copy: bool, model_config: str, schema: int, _hidden: int = 0) -> None: ...

    signature = Signature.of(odd, "odd")
    arguments = {"copy": True, "model_config": "x", "schema": 3, "_hidden": 4}
    assert list(signature.schema()["properties"]) == list(arguments)
    assert signature.bind(arguments, CALL) == arguments
    assert not recwarn.list


def test_a_parameter_without_a_type_is_refused() -> None:
    """The decorator raises an error that names the function and the parameter."""

    def add(a: int, b) -> None:  # type: ignore[no-untyped-def] # on purpose
        """Adds."""

    with pytest.raises(ToolDefinitionError, match=r"tool 'add', parameter 'b': it has no type; .*`b: str`"):
        tool(add)


@pytest.mark.parametrize(
    ("function", "parameter"),
    [(lambda *args: None, r"'\*args'"), (lambda **kwargs: None, r"'\*\*kwargs'"), (lambda a, /: None, "'a'")],
)
def test_parameters_that_cannot_be_passed_by_name_are_refused(function: Any, parameter: str) -> None:
    """The model passes arguments by name, so these parameters are not allowed."""
    with pytest.raises(ToolDefinitionError, match=f"parameter {parameter}: the model passes arguments by name"):
        Signature.of(function, "my_tool")


def test_a_type_that_json_cannot_hold_is_refused() -> None:
    """The error names the parameter, not only the function."""

    def connect(host: str, socket: memoryview) -> None: ...

    assert refuse(connect).startswith("tool 'my_tool', parameter 'socket': its type cannot be told to a model as JSON")


def test_a_type_that_cannot_be_found_is_refused() -> None:
    """An annotation that names no existing type is an error."""

    def visit(place: Nowhere) -> None: ...  # type: ignore[name-defined] # noqa: F821 - on purpose

    assert "the type 'Nowhere' cannot be found when the program runs" in refuse(visit)


def test_field_as_a_default_is_refused() -> None:
    """In a plain call the parameter would be the `Field` itself."""

    def stay(nights: int = Field(1, ge=1)) -> None: ...

    assert "parameter 'nights': Field() is not a default; write `nights: Annotated" in refuse(stay)
