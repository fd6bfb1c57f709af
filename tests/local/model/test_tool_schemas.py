"""Tools' parameters must be JSON Schemas of objects; forced calls get arguments that satisfy them."""

from typing import Any

import jsonschema
import pytest

from local.model.refusals import Refused
from local.model.tool_schemas import check_tools, example_arguments, takes


def _tool(parameters: dict[str, Any] | None) -> dict[str, Any]:
    return {"type": "function", "name": "book", "parameters": parameters}


@pytest.mark.parametrize(
    "parameters",
    [
        {"day": {"type": "string"}},
        {},
        {"type": "string"},
        {"type": "object", "properties": ["day"]},
        {"type": "object", "properties": {"day": "string"}},
        {"type": "object", "required": "day"},
        {"type": "object", "properties": {"stay": {"$ref": "#/$defs/Stay"}}},
        {"type": "object", "properties": {"stay": {"$ref": "https://example.com/stay.json"}}},
    ],
    ids=["bare table", "nothing", "string", "list", "no schema", "required", "dangling", "far away"],
)
def test_what_is_no_schema_of_an_object_is_refused(parameters: dict[str, Any]) -> None:
    """Such as properties without a schema around them, and dangling references."""
    with pytest.raises(Refused) as refused:
        check_tools([_tool(parameters)], "session.tools")
    assert refused.value.code == "invalid_function_parameters"
    assert refused.value.param == "session.tools[0].parameters"
    assert "'book'" in refused.value.message


def test_a_schema_with_its_definitions_is_taken() -> None:
    """Also a tool without any parameters."""
    schema = {"type": "object", "properties": {"stay": {"$ref": "#/$defs/Stay"}}, "$defs": {"Stay": {"type": "object"}}}
    check_tools([_tool(schema), {"type": "function", "name": "look", "parameters": None}], "session.tools")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {}},
        {
            "type": "object",
            "properties": {
                "day": {"enum": ["mon", "tue"]},
                "guests": {"type": "integer", "minimum": 2},
                "price": {"type": "number"},
                "name": {"type": "string"},
                "sure": {"type": "boolean"},
                "rooms": {"type": "array", "items": {"type": "string"}},
                "unit": {"const": "nights"},
                "nights": {"type": "integer", "default": 3},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "stay": {"$ref": "#/$defs/Stay"},
                "nothing": {"type": "null"},
                "left_out": {"type": "string"},
            },
            "required": [
                "day",
                "guests",
                "price",
                "name",
                "sure",
                "rooms",
                "unit",
                "nights",
                "note",
                "stay",
                "nothing",
            ],
            "$defs": {"Stay": {"type": "object", "properties": {"from": {"type": "string"}}, "required": ["from"]}},
        },
    ],
    ids=["none", "all kinds"],
)
def test_the_arguments_of_a_forced_call_satisfy_its_schema(schema: dict[str, Any]) -> None:
    """Checked with a JSON Schema validator; optional arguments are left out."""
    arguments = example_arguments(schema)
    jsonschema.validate(arguments, schema)
    assert set(arguments) == set(schema.get("required", []))


@pytest.mark.parametrize(
    ("place", "taken"),
    [
        ({"type": "string"}, True),
        ({"description": "anything"}, True),
        (True, True),
        ({"enum": ["bar", "pool"], "type": "string"}, True),
        ({"anyOf": [{"const": "pool"}, {"type": "null"}]}, True),
        ({"$ref": "#/$defs/Place"}, True),
        ({"enum": ["bar"], "type": "string"}, False),
        ({"const": "bar"}, False),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, False),
        ({"type": "integer"}, False),
        (False, False),
        (None, False),
    ],
)
def test_whether_a_parameter_takes_a_text(place: Any, taken: bool) -> None:
    """The parameter exists, and its schema allows the text."""
    properties = {} if place is None else {"place": place}
    schema = {"type": "object", "properties": properties, "$defs": {"Place": {"enum": ["pool"]}}}
    assert takes(schema, "place", "pool") is taken
    assert takes({}, "place", "pool") is False
    if place is not None:
        assert jsonschema.Draft202012Validator(schema).is_valid({"place": "pool"}) is taken
