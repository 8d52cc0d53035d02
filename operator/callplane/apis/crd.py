"""One kind as a CustomResourceDefinition and as a JSON Schema for editors."""

from __future__ import annotations

from typing import Any

from callplane.apis.kinds import Column, Kind
from callplane.apis.model import API_VERSION, GROUP, VERSION, Model
from callplane.apis.schema import Schema, SchemaError, structural_schema

CATEGORY = "callplane"


def custom_resource_definition(kind: Kind) -> dict[str, Any]:
    """The CRD of `kind`, ready to be written as YAML."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.crd_name},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": list(kind.short_names),
                "categories": [CATEGORY],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _root(kind)},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(column) for column in kind.columns],
                }
            ],
        },
    }


def editor_schema(kind: Kind) -> dict[str, Any]:
    """The same kind as JSON Schema: closed objects, unions as `oneOf`, no Kubernetes extensions.

    Editors and CI tools check manifests by it. Status is left open: people do not write it.
    """
    spec = _closed(structural_schema(_spec_model(kind)), _spec_model(kind))
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"{kind.name} ({API_VERSION})",
        "description": _summary(kind.model),
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string", "enum": [API_VERSION]},
            "kind": {"type": "string", "enum": [kind.name]},
            "metadata": {"type": "object"},
            "spec": {"description": _summary(_spec_model(kind)), **spec},
            "status": {"type": "object"},
        },
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
    }


def _root(kind: Kind) -> Schema:
    spec_model, status_model = _spec_model(kind), _part(kind, "status")
    status = structural_schema(status_model)
    # The numeric default inside status is the one below; a second one would hide a lost status.
    return {
        "description": _summary(kind.model),
        "type": "object",
        "properties": {
            "apiVersion": {
                "description": "Version of this representation of the object.",
                "type": "string",
            },
            "kind": {"description": "Kind of the object.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": {"description": _summary(spec_model), **structural_schema(spec_model)},
            # kstatus reads an object without a status as current; minus one says "not yet seen".
            "status": {
                "description": _summary(status_model),
                "default": {"observedGeneration": -1},
                **status,
            },
        },
        "required": ["spec"],
    }


def _column(column: Column) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.json_path,
    }
    if column.priority:
        entry["priority"] = column.priority
    return entry


def _spec_model(kind: Kind) -> type[Model]:
    return _part(kind, "spec")


def _part(kind: Kind, name: str) -> type[Model]:
    annotation = kind.model.model_fields[name].annotation
    if not (isinstance(annotation, type) and issubclass(annotation, Model)):
        raise SchemaError(f"{kind.name}.{name} is not a model")
    return annotation


def _summary(model: type[Model]) -> str:
    text = " ".join((model.__doc__ or "").split())
    if not text:
        raise SchemaError(f"{model.__name__} has no docstring, which is its description")
    return text


def _closed(schema: Schema, model: type[Model] | None) -> Schema:
    """`schema` without Kubernetes' extensions, refusing unknown fields, unions spelled out."""
    closed = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    if schema.get("x-kubernetes-list-type") == "set":
        closed["uniqueItems"] = True
    if closed["type"] == "array":
        closed["items"] = _closed(closed["items"], model)
    if closed["type"] == "object" and "additionalProperties" not in closed:
        closed["additionalProperties"] = False
        closed["properties"] = {
            name: _closed(value, _model_of(model, name))
            for name, value in schema.get("properties", {}).items()
        }
        for constraint in model.invariants if model else ():
            if constraint.alternatives:
                closed["oneOf"] = [{"required": list(group)} for group in constraint.alternatives]
    return closed


def _model_of(model: type[Model] | None, alias: str) -> type[Model] | None:
    """The model behind one property, looked for inside optional and list types."""
    for attribute, info in model.model_fields.items() if model else ():
        if (info.alias or attribute) == alias:
            return _first_model(info.annotation)
    return None


def _first_model(annotation: Any) -> type[Model] | None:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _first_model(argument)) is not None:
            return found
    return None
