"""A function's parameters as the model sees them: a JSON Schema out of its annotations, and arguments checked by it."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Final, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_json

from worker.tools.errors import ArgumentsRejected, ToolDefinitionError
from worker.tools.tool import CallInfo

Arguments = TypeVar("Arguments", bound=BaseModel)

_SHOWN_PROBLEMS: Final = 8


class _PlainSchema(GenerateJsonSchema):
    """JSON Schema without the titles that pydantic derives from names: the model pays for them in every session."""

    # A default that JSON cannot hold need not be shown to the model: the function fills it in.
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

    They are checked as the JSON they came as, so that even a strict `date` may be written as a string.
    """
    try:
        return model.model_validate_json(to_json(arguments))
    except ValidationError as error:
        names = [field.alias or name for name, field in model.model_fields.items()]
        raise ArgumentsRejected("these arguments are wrong", problems_of(error, names)) from None


def problems_of(error: ValidationError, parameters: Iterable[str] = ()) -> dict[str, str]:
    """For each argument at fault, by its path: what is wrong with it and what is allowed."""
    problems = {}
    for problem in error.errors(include_url=False, include_input=False, include_context=False)[:_SHOWN_PROBLEMS]:
        path = ".".join(str(step) for step in problem["loc"]) or "arguments"
        match problem["type"]:
            case "missing":
                problems[path] = "is required, and is missing"
            case "extra_forbidden" if len(problem["loc"]) == 1:
                problems[path] = f"there is no such parameter; the parameters are: {', '.join(parameters) or 'none'}"
            case _:
                problems[path] = problem["msg"]
    return problems


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's parameters: those that the model fills in, as a model, and the names of those that get the call."""

    model: type[BaseModel]
    call_parameters: tuple[str, ...]

    @classmethod
    def of(cls, function: Callable[..., object], tool: str) -> Self:
        """Reads the function's annotations. Raises `ToolDefinitionError` naming the tool and the parameter."""
        annotations = _annotations(function, tool)
        fields: dict[str, Any] = {}
        call_parameters = []
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise ToolDefinitionError(
                    f"tool {tool!r}, parameter {str(parameter)!r}: the model passes arguments by name, "
                    "so *args, **kwargs and positional-only parameters are not allowed"
                )
            if parameter.name not in annotations:
                raise ToolDefinitionError(
                    f"tool {tool!r}, parameter {parameter.name!r}: it has no type; annotate it, as in "
                    f"`{parameter.name}: str`, so that the model knows what to pass"
                )
            annotation = annotations[parameter.name]
            if _is_call_info(annotation):
                call_parameters.append(parameter.name)
            else:
                # Named by number: pydantic reserves some names that a parameter may have, such as `copy`.
                fields[f"argument_{len(fields)}"] = (annotation, _field(parameter, annotation, tool))
        return cls(_model(fields, tool), tuple(call_parameters))

    def schema(self) -> dict[str, Any]:
        return schema_of(self.model)

    def bind(self, arguments: dict[str, Any], call: CallInfo) -> dict[str, Any]:
        """What to call the function with. What the model left out is left to the function's own defaults."""
        filled_in = checked(self.model, arguments)
        given = {type(filled_in).model_fields[name].alias: name for name in filled_in.model_fields_set}
        return {str(alias): getattr(filled_in, name) for alias, name in given.items()} | dict.fromkeys(
            self.call_parameters, call
        )


def _annotations(function: Callable[..., object], tool: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ToolDefinitionError(
            f"tool {tool!r}: the type {error.name!r} cannot be found when the program runs; "
            "define or import it at the top of the module, not under TYPE_CHECKING or in a function"
        ) from error


def _is_call_info(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated or get_origin(annotation) in (Union, UnionType):
        return any(_is_call_info(part) for part in get_args(annotation))
    return annotation is CallInfo


def _field(parameter: inspect.Parameter, annotation: Any, tool: str) -> Any:
    """The parameter's default and description: a string in `Annotated`, unless `Field(description=...)` is there."""
    if isinstance(parameter.default, FieldInfo):
        raise ToolDefinitionError(
            f"tool {tool!r}, parameter {parameter.name!r}: Field() is not a default; "
            f"write `{parameter.name}: Annotated[..., Field(...)] = ...`"
        )
    settings: dict[str, Any] = {"alias": parameter.name}
    if parameter.default is not parameter.empty:
        settings["default"] = parameter.default
    notes = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    texts = [note for note in notes if isinstance(note, str)]
    if texts and not any(isinstance(note, FieldInfo) and note.description for note in notes):
        settings["description"] = texts[0]
    return Field(**settings)


def _model(fields: dict[str, Any], tool: str) -> type[BaseModel]:
    try:
        model = create_model("Arguments", __config__=ConfigDict(extra="forbid"), **fields)
        schema_of(model)
    except (PydanticUserError, PydanticUndefinedAnnotation, TypeError) as error:
        named = [f", parameter {field.alias!r}" for annotation, field in fields.values() if not _fits(annotation)]
        raise ToolDefinitionError(
            f"tool {tool!r}{''.join(named[:1])}: its type cannot be told to a model as JSON; allowed are str, int, "
            f"float, bool, date, Literal, Enum, lists, dicts and pydantic models of these ({_first_line(error)})"
        ) from error
    return model


def _fits(annotation: Any) -> bool:
    try:
        TypeAdapter(annotation).json_schema()
    except (PydanticUserError, PydanticUndefinedAnnotation, TypeError):
        return False
    return True


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
