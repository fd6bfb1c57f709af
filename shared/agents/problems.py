"""Problems in agent files, worded so that their author can correct all of them at once."""

import reprlib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from shared.agents.sections import TABLES


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: its file and key, what is wrong, and what is allowed."""

    file: str
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.key, self.message) if part)


class AgentError(ValueError):
    """The agents cannot be used. The message lists every problem of every file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(["the agents cannot be used:", *(f"  {problem}" for problem in self.problems)]))


def did_you_mean(wrong: str, right: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or "" if no right word is close to the wrong one."""
    close = get_close_matches(wrong, list(right), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def problems_in(file: str, error: ValidationError, schema: type[BaseModel]) -> list[Problem]:
    """The problems that pydantic found in a file, with the keys as the file has them."""
    found = error.errors(include_url=False)
    return [Problem(file, _key(detail), _message(detail, schema)) for detail in found]


def _key(detail: Any) -> str:
    """`("tools", 2)` as `tools[2]`, without pydantic's names for the kinds of a table."""
    place = detail["loc"]
    if place[:2] in TABLES or place[1:2] == ("word",):
        place = (place[0], *place[2:])
    if detail["type"] == "union_tag_invalid":
        place = (*place, "type")
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")


def _message(detail: Any, schema: type[BaseModel]) -> str:
    value = reprlib.repr(detail["input"])
    match detail["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return _unknown_key(detail["loc"], schema)
        case "value_error":
            return str(detail["ctx"]["error"])
        case "literal_error" | "union_tag_invalid":
            allowed = detail["ctx"].get("expected") or detail["ctx"]["expected_tags"]
            return f"is {_tag(detail, value)}; allowed: {allowed}"
        case "model_type" | "model_attributes_type" | "dict_type" | "union_tag_not_found":
            return f"is {value}; allowed: a table, with a line of its own for each setting"
        case _:
            return f"is {value}; {detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _tag(detail: Any, value: str) -> str:
    return repr(detail["ctx"]["tag"]) if "tag" in detail["ctx"] else value


def _unknown_key(place: tuple[int | str, ...], schema: type[BaseModel]) -> str:
    """The message for an unknown key: where it belongs, if any table knows it, and which keys are allowed here."""
    *table, key = (str(step) for step in place)
    section = TABLES.get(tuple(table), schema)
    hint = did_you_mean(key, section.model_fields)
    if table and key in schema.model_fields:
        # In TOML, all keys that follow a table's heading belong to that table.
        hint = f" in the table [{table[0]}]; write it above the first table"
    for (name, *kind), other in TABLES.items():
        if key in other.model_fields and table[:1] in ([], [name]):
            hint = f" here; it belongs to type = {kind[0]!r}" if table else f" here; it belongs in the table [{name}]"
    return f"is not allowed{hint}; allowed: {', '.join(section.model_fields)}"
