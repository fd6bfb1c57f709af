"""The API's refusals: an `error` event with a code, a sentence and the wrong parameter. Codes and sentences were seen
from the real service; where none was seen, the code is `invalid_value`."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import ErrorDetails

_TYPES = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "null": "a value",
}


class Refused(Exception):
    """A client event that is answered with an `error` event and otherwise has no effect."""

    def __init__(
        self, code: str | None, message: str, *, param: str | None = None, kind: str = "invalid_request_error"
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.param, self.kind = code, message, param, kind

    def error(self, event_id: str | None) -> dict[str, Any]:
        """The `error` object; `event_id` is the refused client event's, if it had one."""
        return {
            "type": self.kind,
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "event_id": event_id,
        }


def missing(param: str) -> Refused:
    """The refusal of an event that lacks a required parameter."""
    return Refused("missing_required_parameter", f"Missing required parameter: '{param}'.", param=param)


def unknown(param: str) -> Refused:
    """The refusal of a parameter that the API does not have."""
    return Refused("unknown_parameter", f"Unknown parameter: '{param}'.", param=param)


def invalid(param: str, why: str) -> Refused:
    """The refusal of a value, with the reason."""
    return Refused("invalid_value", f"Invalid value for '{param}': {why}", param=param)


def refusal(given: Any, broken: Sequence[ErrorDetails], mistyped: Sequence[ErrorDetails] = ()) -> Refused:
    """The one refusal that the API sends for `given`, which may break several rules and types.

    A missing parameter comes before an unknown one, as the service does with a session in the beta's format. If one
    value has several errors, the one nested deepest counts.
    """
    rank = {"missing": 0, "union_tag_not_found": 0, "extra_forbidden": 1}
    found = [*broken, *_of_the_type_meant(mistyped)]
    first = min(found, key=lambda it: (rank.get(it["type"], 2), -len(it["loc"])))
    kind, loc = first["type"], first["loc"]
    if kind == "missing":
        return missing(_path(given, loc, keep_last=True))
    path = _path(given, loc, keep_last=False)
    if kind == "union_tag_not_found":
        return missing(f"{path}.type")
    if kind == "extra_forbidden":
        return unknown(path)
    if kind in _TYPES:
        got = type(first["input"]).__name__ if first["input"] is not None else "null"
        message = f"Invalid type for '{path}': expected {_TYPES[kind]}, but got {got} instead."
        return Refused("invalid_type", message, param=path)
    return invalid(path, first["msg"])


def _of_the_type_meant(errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """The errors of the union member that the client meant.

    The SDK's unions have no discriminator, so pydantic lists the errors of every member. The member whose `type` and
    `role` match counts, else the one with the fewest errors.
    """
    tags = [it for it in errors if it["type"] == "literal_error" and it["loc"][-1] in ("type", "role")]
    others = {it["loc"][:-1] for it in tags}
    meant = [it for it in errors if not any(_lies_in(it, other) for other in others)]
    if meant or not errors:
        return meant
    outermost = [it for it in tags if not any(_lies_in(it, other) for other in others - {it["loc"][:-1]})]
    return [min(outermost, key=lambda tag: sum(_lies_in(it, tag["loc"][:-1]) for it in errors))]


def _lies_in(error: ErrorDetails, loc: tuple[int | str, ...]) -> bool:
    return error["loc"][: len(loc)] == loc


def _path(given: Any, loc: tuple[int | str, ...], *, keep_last: bool) -> str:
    """A path like `session.tools[0].name` for a pydantic location, without the union members' names in it."""
    path, current = "", given
    for number, step in enumerate(loc):
        last = number == len(loc) - 1
        if isinstance(current, dict) and step in current:
            path, current = f"{path}.{step}" if path else str(step), current[step]
        elif isinstance(current, list) and isinstance(step, int):
            path, current = f"{path}[{step}]", current[step]
        elif last and keep_last:
            path = f"{path}.{step}" if path else str(step)
    return path
