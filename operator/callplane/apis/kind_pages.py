"""The parts of `docs/kinds/*.md` that follow from the models, so that no page can fall behind them.

`callplane.apis.generate` calls `filled` for each page. What stands between a pair of marks is
written anew; everything else on a page is written by people and left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from callplane.apis import crd
from callplane.apis.kinds import Kind
from callplane.apis.schema import Schema

MARK: Final = "<!-- {}: written by `make gen` -->"
END: Final = "<!-- end -->"
PARTS: Final = ("example", "spec", "status")

_REGION = re.compile(MARK.replace("{}", "([a-z]+)") + "\n.*?" + re.escape(END), re.DOTALL)
_TYPES: Final[Mapping[str, str]] = {
    "string": "text",
    "integer": "whole number",
    "boolean": "`true` or `false`",
    "object": "object",
}
_FORMATS: Final[Mapping[str, str]] = {"date-time": "time", "date": "day"}
#: Every kind has these; docs/kinds/README.md says once what they mean.
_IN_EVERY_STATUS: Final = frozenset({"conditions", "observedGeneration", "lastHandledReconcileAt"})


def filled(page: str, kind: Kind, *, sample: str) -> str:
    """`page` with its generated parts as the model and the sample manifest have them now.

    Raises ValueError when the page lacks one of the parts or has another one.
    """
    found = tuple(match[1] for match in _REGION.finditer(page))
    if found != PARTS:
        raise ValueError(f"the page of {kind.name} has the parts {found}, not {PARTS}")
    texts = {
        "example": f"```yaml\n{sample.strip()}\n```",
        "spec": _spec(schema_of(kind, "spec")),
        "status": "\n".join(_table(schema_of(kind, "status"), without=_IN_EVERY_STATUS)),
    }
    return _REGION.sub(lambda match: "\n\n".join(_region(match[1], texts[match[1]])), page)


def schema_of(kind: Kind, part: str) -> Schema:
    """The schema of `spec` or `status` as the custom resource definition has it."""
    version = crd.custom_resource_definition(kind)["spec"]["versions"][0]
    found: Schema = version["schema"]["openAPIV3Schema"]["properties"][part]
    return found


def _region(name: str, text: str) -> tuple[str, str, str]:
    return (MARK.format(name), text, END)


def _spec(schema: Schema) -> str:
    required = schema.get("required", ())
    blocks = [_sentence(schema)]
    if rules := list(_rules(schema)):
        blocks.append("Of the spec as a whole:\n\n" + "\n".join(f"- {rule}" for rule in rules))
    for name, field in schema["properties"].items():
        blocks.append(f"### {name}")
        blocks.append(f"{_sentence(field)}\n\n{_facts(field, is_required=name in required)}")
        if rules := list(_rules(field)):
            blocks.append("\n".join(f"- {rule}" for rule in rules))
        if inner := list(_inner(field)):
            blocks.append("\n".join([*_HEAD, *inner]))
    return "\n\n".join(blocks)


_HEAD: Final = ("| field | type | meaning |", "|---|---|---|")


def _table(schema: Schema, *, without: frozenset[str]) -> list[str]:
    """One row a field of an object, nested ones included."""
    rows = []
    for name, field in schema["properties"].items():
        if name not in without:
            rows.append(_row(name, field, is_required=False))
            rows.extend(_inner(field, prefix=f"{name}{_suffix(field)}"))
    if not rows:
        return ["Nothing beside what every kind reports."]
    return [*_HEAD, *rows]


def _inner(field: Schema, prefix: str = "") -> Iterator[str]:
    """Rows of what is inside a field: of an object, or of the entries of a list."""
    held = field.get("items", field)
    required = held.get("required", ())
    for name, child in held.get("properties", {}).items():
        path = f"{prefix}.{name}" if prefix else name
        yield _row(path, child, is_required=name in required)
        yield from _inner(child, prefix=f"{path}{_suffix(child)}")


def _row(path: str, field: Schema, *, is_required: bool) -> str:
    meaning = " ".join([_sentence(field), *(f"{_capital(rule)}." for rule in _rules(field))])
    facts = _facts(field, is_required=is_required).rstrip(".")
    return f"| `{path}` | {_cell(facts)} | {_cell(meaning)} |"


def _facts(field: Schema, *, is_required: bool) -> str:
    """Type, bounds and default in one line."""
    facts = [_type(field)]
    if is_required:
        facts.append("required")
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        facts.append(f"{low} to {high}")
    if "maxItems" in field:
        facts.append(f"at most {field['maxItems']}")
    if field.get("type") == "string" and "maxLength" in field and "pattern" not in field:
        facts.append(f"at most {field['maxLength']} characters")
    if "default" in field:
        default = field["default"]
        shown = str(default).lower() if isinstance(default, bool) else default
        facts.append(f"default `{shown}`")
    text = ", ".join(facts)
    return f"{_capital(text)}."


def _type(field: Schema) -> str:
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        inner = _type(field["items"])
        return f"list of {'objects' if inner == 'object' else inner}"
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}"
    return _FORMATS.get(field.get("format", ""), _TYPES[field["type"]])


def _rules(field: Schema) -> Iterator[str]:
    """What the API server refuses, in its own words."""
    held: list[dict[str, Any]] = [
        *field.get("x-kubernetes-validations", ()),
        *field.get("items", {}).get("x-kubernetes-validations", ()),
    ]
    yield from (str(rule["message"]) for rule in held)


def _suffix(field: Schema) -> str:
    return "[]" if field.get("type") == "array" else ""


def _sentence(field: Schema) -> str:
    return str(field.get("description", ""))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
