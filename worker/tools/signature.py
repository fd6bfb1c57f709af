"""A function's parameters for the model: makes a JSON Schema of its annotations, and binds the model's arguments."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Self, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic.fields import FieldInfo

from worker.tools.errors import ToolDefinitionError
from worker.tools.schema import checked, schema_of
from worker.tools.tool import CallContext


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's parameters. `model` is a pydantic model of those that the LLM fills in.

    `call_parameters` are the names of those that get the `CallContext`, `optional` of those with a default.
    """

    model: type[BaseModel]
    call_parameters: tuple[str, ...]
    optional: frozenset[str]

    @classmethod
    def of(cls, function: Callable[..., object], tool: str) -> Self:
        """Reads the function's annotations. Raises `ToolDefinitionError` naming the tool and the parameter."""
        annotations = _annotations(function, tool)
        fields: dict[str, Any] = {}
        call_parameters = []
        parameters = inspect.signature(function).parameters.values()
        for parameter in parameters:
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
            if _is_call_context(annotation):
                call_parameters.append(parameter.name)
            else:
                # Numbered, because pydantic reserves some names that a parameter may have, such as `copy`.
                fields[f"argument_{len(fields)}"] = (annotation, _field(parameter, annotation, tool))
        optional = frozenset(parameter.name for parameter in parameters if parameter.default is not parameter.empty)
        return cls(_model(fields, tool), tuple(call_parameters), optional)

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the parameters that the model fills in."""
        return schema_of(self.model)

    def bind(self, arguments: dict[str, Any], call: CallContext) -> dict[str, Any]:
        """The keyword arguments for the function. Omitted ones are left to its own defaults."""
        filled_in = checked(self.model, arguments)
        bound: dict[str, Any] = dict.fromkeys(self.call_parameters, call)
        for name, field in self.model.model_fields.items():
            parameter = str(field.alias)
            if name in filled_in.model_fields_set or parameter not in self.optional:
                bound[parameter] = getattr(filled_in, name)
        return bound


def _annotations(function: Callable[..., object], tool: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ToolDefinitionError(
            f"tool {tool!r}: the type {error.name!r} cannot be found when the program runs; "
            "define or import it at the top of the module, not under TYPE_CHECKING or in a function"
        ) from error


def _is_call_context(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated or get_origin(annotation) in (Union, UnionType):
        return any(_is_call_context(part) for part in get_args(annotation))
    return annotation is CallContext


def _field(parameter: inspect.Parameter, annotation: Any, tool: str) -> Any:
    """The field with the parameter's default and its description: a string in `Annotated`, or that of a `Field`."""
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
