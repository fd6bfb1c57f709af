"""The API's rules for a tool's `parameters`, and example arguments that satisfy them for a forced tool call."""

from typing import Any

from local.model.refusals import Refused, invalid


def check_tools(tools: list[dict[str, Any]], param: str) -> None:
    """Raises `Refused` unless tool names are unique and each tool's parameters are the JSON Schema of an object."""
    names = [tool["name"] for tool in tools]
    for number, tool in enumerate(tools):
        where = f"{param}[{number}]"
        if tool["name"] in names[:number]:
            raise invalid(f"{where}.name", f"there are two tools called '{tool['name']}'")
        if tool.get("parameters") is not None:
            _check_schema(tool["name"], tool["parameters"], f"{where}.parameters")


def _check_schema(name: str, schema: dict[str, Any], param: str) -> None:
    kind = schema.get("type")
    if kind != "object":
        raise _invalid_schema(
            name, f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'.", param
        )
    properties = schema.get("properties", {})
    if not isinstance(properties, dict) or not all(isinstance(value, dict | bool) for value in properties.values()):
        raise _invalid_schema(name, "'properties' must be an object whose values are schemas.", param)
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(key, str) for key in required):
        raise _invalid_schema(name, "'required' must be an array of strings.", param)
    for reference in _references(schema):
        if _resolve(schema, reference) is None:
            raise _invalid_schema(name, f"reference '{reference}' points to nothing in the schema.", param)


def _invalid_schema(name: str, why: str, param: str) -> Refused:
    return Refused("invalid_function_parameters", f"Invalid schema for function '{name}': {why}", param=param)


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for child in node for found in _references(child)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [found for child in node.values() for found in _references(child)]


def _resolve(schema: dict[str, Any], reference: str) -> Any:
    """The part of the schema that a `#/...` reference names; None if there is none."""
    node: Any = schema
    if not reference.startswith("#"):
        return None
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            node = node.get(step) if isinstance(node, dict) else None
    return node


def example_arguments(schema: dict[str, Any] | None) -> dict[str, Any]:
    """The smallest arguments that a tool accepts: each required one, with its default or its first allowed value."""
    schema = schema or {}
    properties = schema.get("properties", {})
    return {key: _example(properties.get(key, {}), schema) for key in schema.get("required", [])}


def _example(schema: Any, root: dict[str, Any]) -> Any:
    if not isinstance(schema, dict):
        return ""
    if "$ref" in schema:
        return _example(_resolve(root, schema["$ref"]), root)
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return _example(schema[key][0], root)
    if schema.get("type") == "object":
        required = schema.get("required", [])
        return {key: _example(schema.get("properties", {}).get(key, {}), root) for key in required}
    least = schema.get("minimum", 1)
    plain = {"string": "unknown", "integer": least, "number": least, "boolean": True, "array": []}
    return plain.get(schema.get("type", "string"))


def takes(schema: dict[str, Any], name: str, text: str) -> bool:
    """Whether a tool has a parameter of this name that accepts this text."""
    return name in schema.get("properties", {}) and _allows(schema["properties"][name], text, schema)


def _allows(schema: Any, text: str, root: dict[str, Any]) -> bool:
    if not isinstance(schema, dict):
        return bool(schema)
    if "$ref" in schema:
        return _allows(_resolve(root, schema["$ref"]), text, root)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return any(_allows(kind, text, root) for kind in schema[key])
    return text in schema.get("enum", [schema.get("const", text)]) and schema.get("type", "string") == "string"
