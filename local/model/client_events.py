"""Parses client events with the official SDK's types, and with `rules.py` for what these do not check."""

import json
from typing import Any, Final, get_args

from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter, ValidationError

from local.model.refusals import Refused, missing, refusal
from local.model.rules import broken_rules


def _type_of(event: Any) -> str:
    [name] = get_args(event.model_fields["type"].annotation)
    return str(name)


CLIENT_EVENTS: Final[dict[str, TypeAdapter[Any]]] = {
    _type_of(event): TypeAdapter(event) for event in get_args(get_args(RealtimeClientEvent)[0])
}


def decode(message: str | bytes) -> dict[str, Any]:
    """The JSON object in a frame; raises `Refused` for a binary frame, invalid JSON, or JSON that is not an object."""
    if isinstance(message, bytes):
        raise Refused("invalid_event", "Binary frames are not supported: send each event as a text frame.")
    try:
        event = json.loads(message)
    except ValueError:
        raise Refused("invalid_json", "The JSON of your event could not be parsed.") from None
    if not isinstance(event, dict):
        raise Refused("invalid_event", "An event must be a JSON object.")
    return event


def parse(event: dict[str, Any]) -> RealtimeClientEvent:
    """The event in the SDK's types; raises `Refused`, which names the first mistake in it."""
    if "type" not in event:
        raise missing("type")
    known = CLIENT_EVENTS.get(event["type"]) if isinstance(event["type"], str) else None
    if known is None:
        names = ", ".join(f"'{name}'" for name in CLIENT_EVENTS)
        message = f"Invalid value: {event['type']!r}. Supported values are: {names}."
        raise Refused("invalid_value", message, param="type")
    broken = list(broken_rules(event))
    try:
        parsed: RealtimeClientEvent = known.validate_python(event, strict=True, extra="forbid")
    except ValidationError as error:
        raise refusal(event, broken, error.errors(include_url=False)) from None
    if broken:
        raise refusal(event, broken)
    return parsed
