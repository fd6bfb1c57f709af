"""Makes a JSON Schema of a pydantic model, and validates the LLM's arguments."""

from collections.abc import Iterable
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_json

from worker.tools.errors import ArgumentsRejected

Arguments = TypeVar("Arguments", bound=BaseModel)

_SHOWN_PROBLEMS: Final = 8


class _PlainSchema(GenerateJsonSchema):
    """JSON Schema without the titles that pydantic derives from names: they cost tokens in every session."""

    # The model need not see a default that JSON cannot represent: the function fills it in.
    ignored_warning_kinds = GenerateJsonSchema.ignored_warning_kinds | {"non-serializable-default"}

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of an arguments model: an object, with `$defs` for the models nested in it."""
    schema = model.model_json_schema(schema_generator=_PlainSchema)
    for part in (schema, *schema.get("$defs", {}).values()):
        part.pop("title", None)
    schema.pop("description", None)  # the tool has its own
    return schema


def checked(model: type[Arguments], arguments: dict[str, Any]) -> Arguments:
    """The arguments as an instance of their model. Raises `ArgumentsRejected`, with what is wrong and what is allowed.

    They are validated as JSON, so that even a strict `date` may be a string.
    """
    try:
        return model.model_validate_json(to_json(arguments))
    except ValidationError as error:
        names = [field.alias or name for name, field in model.model_fields.items()]
        raise ArgumentsRejected("these arguments are wrong", problems_of(error, names)) from None


def problems_of(error: ValidationError, parameters: Iterable[str] = ()) -> dict[str, str]:
    """By the path of each wrong argument: what is wrong with it and what is allowed."""
    problems = {}
    for problem in error.errors(include_url=False, include_input=False, include_context=False)[:_SHOWN_PROBLEMS]:
        path = ".".join(str(step) for step in problem["loc"]) or "arguments"
        match problem["type"]:
            case "missing":
                problems[path] = "is required, and is missing"
            case "extra_forbidden" if len(problem["loc"]) == 1:
                problems[path] = f"there is no such parameter; the parameters are: {', '.join(parameters) or 'none'}"
            case _:
                problems[path] = problem["msg"].removeprefix("Value error, ")
    return problems
