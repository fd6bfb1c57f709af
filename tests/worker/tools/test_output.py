"""Results of any type as the string that the model reads."""

import dataclasses
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from worker.tools.output import MAX_CHARACTERS, error_output, to_output


class Colour(Enum):
    SEA = "blue"


class Size(StrEnum):
    BIG = "big"


@dataclasses.dataclass
class Room:
    number: int
    free: bool


class Price(BaseModel):
    amount: Decimal = Field(alias="theAmount")


class Door:
    def __str__(self) -> str:
        return "door 7"


@pytest.mark.parametrize(
    ("result", "output"),
    [
        ("Breakfast is from 7 to 10.", "Breakfast is from 7 to 10."),
        ("", ""),
        (Size.BIG, "big"),
        (Colour.SEA, "blue"),
        (None, "null"),
        (True, "true"),
        (3, "3"),
        ({"open": 7, "till": [10, 30]}, '{"open":7,"till":[10,30]}'),
        ((1, 2), "[1,2]"),
        ({7}, "[7]"),
        (Room(214, free=True), '{"number":214,"free":true}'),
        (Price(theAmount=Decimal("99.50")), '{"amount":"99.50"}'),
        ([Price(theAmount=Decimal(1))], '[{"amount":"1"}]'),
        (Decimal("99.50"), '"99.50"'),
        (date(2030, 5, 3), '"2030-05-03"'),
        (datetime(2030, 5, 3, 7, tzinfo=UTC), '"2030-05-03T07:00:00Z"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (b"text", '"text"'),
        (b"\xff\xfe", '"__4="'),
        (Door(), '"door 7"'),
        ({"door": Door(), 2: "two"}, '{"door":"door 7","2":"two"}'),
        ({"prénom": "Zoë"}, '{"prénom":"Zoë"}'),
        (math.nan, '"NaN"'),
        ([math.inf], '["Infinity"]'),
        ("half a \ud83d smile", "half a ? smile"),
    ],
)
def test_results(result: Any, output: str) -> None:
    """Text is unchanged, everything else becomes JSON."""
    assert to_output(result) == output


def test_a_structure_that_contains_itself() -> None:
    """A value that JSON cannot represent becomes its `str()`."""
    loop: list[Any] = [1]
    loop.append(loop)
    assert to_output(loop) == "[1, [...]]"


def test_a_huge_result_is_cut_and_says_so() -> None:
    """A truncated output says so."""
    output = to_output("x" * 20_000)
    assert len(output) == MAX_CHARACTERS
    assert output.endswith("x [cut here: the whole result has 20000 characters]")


def test_errors_are_json() -> None:
    """A failure is an object with `error`, distinct from a result."""
    assert json.loads(error_output("No.")) == {"error": "No."}
    assert json.loads(error_output("No.", {"day": "is wrong"})) == {"error": "No.", "arguments": {"day": "is wrong"}}
