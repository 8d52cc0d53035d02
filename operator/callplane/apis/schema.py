"""From pydantic's JSON Schema to the structural schema that the API server accepts.

Pydantic writes `$ref`, `title`, `anyOf` with null, `const` and defaults of whole models; a CRD may
have none of them. `structural_schema` turns one into the other and adds list bounds and CEL rules;
it refuses what would make a poor CRD (no description, no bound, recursion) instead of guessing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from callplane.apis.constraints import Constraint
from callplane.apis.model import Model

Schema = dict[str, Any]

_KEPT = (
    "type",
    "format",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
)


class SchemaError(ValueError):
    """A model that cannot become a good CRD; the message names model and field."""


def structural_schema(model: type[Model]) -> Schema:
    """The OpenAPI v3 schema of `model`, inlined and bounded, with its CEL rules."""
    return _object(model, trail=())


def _object(model: type[Model], *, trail: tuple[type[Model], ...]) -> Schema:
    raw = model.model_json_schema(mode="validation", schema_generator=GenerateJsonSchema)
    # Pydantic writes a model that contains itself as a reference, even at the top.
    if "$ref" in raw or model in trail:
        raise SchemaError(f"{model.__name__} contains itself; a CRD cannot say so")
    definitions = raw.get("$defs", {})
    properties: Schema = {}
    for attribute, info in model.model_fields.items():
        name = info.alias or attribute
        where = f"{model.__name__}.{name}"
        nested = _nested_models(info.annotation)
        fragment = _value(raw["properties"][name], definitions, nested, where, (*trail, model))
        if not info.description:
            raise SchemaError(f"{where} has no description")
        default = _stable_default(info.default)
        if default is not None:
            fragment["default"] = default
        properties[name] = {"description": info.description, **fragment}
    schema: Schema = {"type": "object"}
    if properties:
        schema["properties"] = properties
    if required := raw.get("required"):
        schema["required"] = sorted(required)
    if rules := [_rule(entry) for entry in model.invariants if entry.cel]:
        schema["x-kubernetes-validations"] = rules
    return schema


def _value(
    raw: Mapping[str, Any],
    definitions: Mapping[str, Any],
    nested: dict[str, type[Model]],
    where: str,
    trail: tuple[type[Model], ...],
) -> Schema:
    """One value: a model becomes its object, everything else keeps its type and its bounds."""
    merged = _resolved(raw, definitions, where)
    if (title := merged.get("title")) in nested and merged.get("type") == "object":
        return {**_object(nested[title], trail=trail), **_bounds(raw)}
    result: Schema = {key: merged[key] for key in _KEPT if key in merged}
    match merged.get("type"):
        case "string":
            _demand(result, ("maxLength", "enum", "format"), where)
        case "integer":
            # The API server reads integers as 64 bits wide; saying so keeps clients honest.
            result["format"] = "int64"
            _demand(result, ("minimum", "enum"), where)
        case "array":
            _demand(result, ("maxItems",), where)
            result["items"] = _value(merged["items"], definitions, nested, f"{where}[]", trail)
        case "object":
            _demand(result, ("maxProperties",), where)
            values = merged.get("additionalProperties")
            if not isinstance(values, Mapping):
                raise SchemaError(f"{where} is an open object; give it a model")
            result["additionalProperties"] = _value(
                values, definitions, nested, f"{where}{{}}", trail
            )
        case "boolean":
            pass
        case other:
            raise SchemaError(f"{where} has type {other!r}, which no CRD of ours may have")
    return result


def _resolved(raw: Mapping[str, Any], definitions: Mapping[str, Any], where: str) -> Schema:
    """`raw` with its reference followed and the null of an optional field taken out."""
    merged = dict(raw)
    if options := merged.pop("anyOf", None):
        real = [option for option in options if option.get("type") != "null"]
        if len(real) != 1:
            raise SchemaError(f"{where} is a union of types; use a model with exactly_one")
        merged = {**_resolved(real[0], definitions, where), **merged}
    if reference := merged.pop("$ref", None):
        target = definitions[reference.removeprefix("#/$defs/")]
        merged = {**target, **{key: merged[key] for key in merged if key != "title"}}
    if "const" in merged:
        merged["enum"] = [merged.pop("const")]
    if (names := merged.pop("propertyNames", None)) is not None:
        merged.setdefault("maxProperties", names.get("maxProperties"))
    return {key: value for key, value in merged.items() if value is not None}


def _bounds(raw: Mapping[str, Any]) -> Schema:
    return {key: raw[key] for key in ("minProperties", "maxProperties") if key in raw}


def _demand(result: Mapping[str, Any], bounds: tuple[str, ...], where: str) -> None:
    if not any(bound in result for bound in bounds):
        raise SchemaError(f"{where} has no bound; give it one of {', '.join(bounds)}")


def _stable_default(default: Any) -> Any:
    """The default that the API server writes into objects, or None.

    Only switches and names of choices: a number or a duration that is tuned in a later version
    must not live on in objects that never named it.
    """
    if isinstance(default, Enum):
        return default.value
    return default if isinstance(default, bool) else None


def _rule(constraint: Constraint) -> Schema:
    rule: Schema = {"rule": constraint.cel, "message": constraint.message}
    if constraint.field_path:
        rule["fieldPath"] = constraint.field_path
    return rule


def _nested_models(annotation: Any) -> dict[str, type[Model]]:
    """Every model that the annotation mentions, by name."""
    found: dict[str, type[Model]] = {}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not issubclass(annotation, Model):
            raise SchemaError(f"{annotation.__name__} is not built on the API's own base model")
        found[annotation.__name__] = annotation
    for argument in getattr(annotation, "__args__", ()):
        found.update(_nested_models(argument))
    return found
