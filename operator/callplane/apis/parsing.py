"""The two ways in: strict for files that people write, lenient for what the API server kept.

Strict forbids unknown fields and gathers every error with its field path (`callplane validate`,
`plan`, `apply`). Lenient ignores unknown fields, so that an older operator tolerates newer objects,
and never lets a broken status stand in the way: status is never evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pydantic
from pydantic_core import ErrorDetails

from callplane.apis import constraints, fields, registry
from callplane.apis.constraints import FieldError
from callplane.apis.model import API_VERSION, Resource


@dataclass(frozen=True, slots=True)
class Parsed:
    """One manifest read: the object, or every reason why it is none. Never both."""

    kind: str
    namespace: str
    name: str
    resource: Resource | None
    errors: tuple[FieldError, ...] = ()


def parse_strict(manifest: Mapping[str, Any]) -> Parsed:
    """Read one manifest of ours as the API server would, and stricter: unknown fields are errors.

    `status` is not looked at, as `kubectl apply` does not. The manifest's `kind` selects the model.
    """
    kind_name, namespace, name = _identity(manifest)

    def refused(*errors: FieldError) -> Parsed:
        return Parsed(kind_name, namespace, name, None, errors)

    if manifest.get("apiVersion") != API_VERSION:
        return refused(FieldError("apiVersion", f"must be {API_VERSION}"))
    kind = registry.BY_NAME.get(kind_name)
    if kind is None:
        known = ", ".join(sorted(registry.BY_NAME))
        return refused(FieldError("kind", f"unknown kind {kind_name!r}; known are {known}"))
    body = {key: value for key, value in manifest.items() if key != "status"}
    try:
        resource = kind.model.model_validate(body, extra="forbid", by_alias=True, by_name=False)
    except pydantic.ValidationError as error:
        unions = constraints.union_violations(kind.model, body)
        return refused(*_field_errors(error), *unions)
    errors = tuple(constraints.violations(resource))
    if not name and not resource.metadata.generate_name:
        errors = (FieldError("metadata.name", "is required"), *errors)
    return refused(*errors) if errors else Parsed(kind_name, namespace, name, resource)


def parse_lenient(body: Mapping[str, Any], *, kind: str | None = None) -> Parsed:
    """Read one object as the API server gave it. `kind` helps where list items leave theirs out.

    Raises LookupError for a kind that is not ours: the caller watches our kinds only.
    """
    body_kind, namespace, name = _identity(body)
    kind_name = kind or body_kind
    model = registry.kind_named(kind_name).model
    try:
        resource = _validated(model, body)
    except pydantic.ValidationError as error:
        errors = _field_errors(error)
        return Parsed(kind_name, namespace, name, None, errors)
    broken = tuple(constraints.violations(resource))
    return Parsed(kind_name, namespace, name, None if broken else resource, broken)


def _validated(model: type[Resource], body: Mapping[str, Any]) -> Resource:
    try:
        return model.model_validate(dict(body), by_alias=True, by_name=False)
    except pydantic.ValidationError as error:
        if not any(detail["loc"][:1] == ("status",) for detail in error.errors()):
            raise
    without_status = {key: value for key, value in body.items() if key != "status"}
    return model.model_validate(without_status, by_alias=True, by_name=False)


def _identity(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping):
        metadata = {}
    return (
        str(manifest.get("kind") or ""),
        str(metadata.get("namespace") or ""),
        str(metadata.get("name") or ""),
    )


def _field_errors(error: pydantic.ValidationError) -> tuple[FieldError, ...]:
    details = error.errors(include_url=False, include_input=False)
    return tuple(
        FieldError(_path(detail["loc"]), _message(detail))
        for detail in details
        if not _follows_from_another(detail, details)
    )


def _follows_from_another(detail: ErrorDetails, details: Sequence[ErrorDetails]) -> bool:
    """A list seems too short when its entries are not valid; the entries say enough."""
    depth = len(detail["loc"])
    return detail["type"] == "too_short" and any(
        len(other["loc"]) > depth and other["loc"][:depth] == detail["loc"] for other in details
    )


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step != "[key]":
            path += f".{step}" if path else step
    return path


def _message(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "unknown field"
        case "string_pattern_mismatch":
            pattern = str(context.get("pattern"))
            return fields.PATTERN_HINTS.get(pattern, f"must match {pattern}")
        case "enum" | "literal_error":
            return f"must be one of {context.get('expected')}"
        case "string_type":
            return "must be text; in YAML, put it in quotes"
        case "model_type" | "dict_type":
            return "must be a mapping"
        case "tuple_type" | "list_type":
            return "must be a list"
        case _:
            message = detail["msg"]
            return message[:1].lower() + message[1:]
