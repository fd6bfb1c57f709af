"""How the API says no: an `error` event with a code, a sentence and the parameter that is wrong. Codes and sentences
are those seen from the real service; where none was seen, `invalid_value` says that a value cannot be taken."""

from typing import Any

from pydantic import ValidationError

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
    """The refusal of an event without a parameter that it must have."""
    return Refused("missing_required_parameter", f"Missing required parameter: '{param}'.", param=param)


def unknown(param: str) -> Refused:
    """The refusal of a parameter that the API does not have."""
    return Refused("unknown_parameter", f"Unknown parameter: '{param}'.", param=param)


def invalid(param: str, why: str) -> Refused:
    """The refusal of a value, with the reason."""
    return Refused("invalid_value", f"Invalid value for '{param}': {why}", param=param)


def from_validation(error: ValidationError, given: Any) -> Refused:
    """The one refusal that the API sends for `given`, though several things may be wrong with it.

    A missing parameter is named before an unknown one, as the service does with a session of the beta's shape; of
    several ways in which one value is wrong, the one that lies deepest in it.
    """
    rank = {"missing": 0, "union_tag_not_found": 0, "extra_forbidden": 1}
    first = min(error.errors(include_url=False), key=lambda it: (rank.get(it["type"], 2), -len(it["loc"])))
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


def _path(given: Any, loc: tuple[int | str, ...], *, keep_last: bool) -> str:
    """`session.tools[0].name` for a pydantic location, without the names of union members that it also holds."""
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
