"""The built-in tools: their definitions for the model, and the parsing of its arguments."""

import json

import pytest
from jsonschema import Draft202012Validator

from shared.agents.tool_names import BUILT_IN_TOOLS, ESCALATE_TO_HUMAN
from worker.tools.builtin import BUILTIN_DEFINITIONS, EndCallArguments, EscalateArguments, parse_arguments


@pytest.mark.parametrize("name", BUILT_IN_TOOLS)
def test_definitions_are_what_a_session_takes(name: str) -> None:
    """Definitions are flat, with a description and a closed schema that describes each parameter."""
    definition = BUILTIN_DEFINITIONS[name]
    assert set(definition) == {"type", "name", "description", "parameters"}
    assert definition["type"] == "function"
    assert definition["name"] == name
    parameters = definition["parameters"]
    Draft202012Validator.check_schema(parameters)
    assert parameters["additionalProperties"] is False
    assert all(schema["description"] for schema in parameters["properties"].values())


def test_an_escalation_needs_a_reason_and_a_summary() -> None:
    """Urgency and another number to call are optional; the three urgencies are the escalation message's own."""
    parameters = BUILTIN_DEFINITIONS[ESCALATE_TO_HUMAN]["parameters"]
    assert parameters["required"] == ["reason", "summary"]
    assert list(parameters["properties"]) == ["reason", "summary", "urgency", "callback_number"]
    assert parameters["properties"]["urgency"]["enum"] == ["low", "normal", "high"]


def test_end_call_needs_no_arguments() -> None:
    """`end_call` needs no arguments, so that a farewell does not fail on them."""
    assert parse_arguments(EndCallArguments, "") == EndCallArguments()


def test_arguments_are_read() -> None:
    """Arguments are accepted with small deviations in form."""
    asked = parse_arguments(
        EscalateArguments,
        '{"reason": " Locked out ", "summary": "Room 214.", "urgency": "High", "callback_number": "  "}',
    )
    assert asked == EscalateArguments(reason="Locked out", summary="Room 214.", urgency="high", callback_number=None)


def test_what_is_left_out_has_its_default() -> None:
    """An escalation is of normal urgency unless the model says otherwise."""
    asked = parse_arguments(EscalateArguments, '{"reason": "Locked out", "summary": ""}')
    assert isinstance(asked, EscalateArguments)
    assert (asked.urgency, asked.callback_number) == ("normal", None)


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ('{"summary": "x"}', {"reason": "is required, and is missing"}),
        ('{"reason": " ", "summary": "x"}', {"reason": "String should have at least 1 character"}),
        (
            '{"reason": "x", "summary": "x", "urgency": "very"}',
            {"urgency": "Input should be 'low', 'normal' or 'high'"},
        ),
    ],
)
def test_wrong_arguments_become_an_output(arguments: str, wrong: dict[str, str]) -> None:
    """The output says that nothing was done, because the caller may already expect it."""
    output = parse_arguments(EscalateArguments, arguments)
    assert isinstance(output, str)
    assert json.loads(output) == {"error": "Nothing was done: these arguments are wrong", "arguments": wrong}


def test_arguments_that_are_no_object_become_an_output() -> None:
    """Truncated JSON, for example, gives an error output."""
    output = parse_arguments(EscalateArguments, '{"reason": "Locked')
    assert isinstance(output, str)
    assert json.loads(output)["error"].startswith("Nothing was done: the arguments are not valid JSON")
