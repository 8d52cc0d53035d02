"""The committed definitions: fresh, structural, bounded, described, and refusing to be less."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import Field

from callplane.apis import crd, generate, registry, schema
from callplane.apis.kinds import Kind
from callplane.apis.model import Model

ROOT = Path(__file__).parents[3]
KINDS = [pytest.param(kind, id=kind.name) for kind in registry.KINDS]
FORBIDDEN = {
    "$ref",
    "$defs",
    "definitions",
    "dependencies",
    "patternProperties",
    "additionalItems",
    "prefixItems",
    "id",
    "title",
    "const",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
    "nullable",
    "uniqueItems",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "x-kubernetes-preserve-unknown-fields",
}


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema below `node` with its path."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            yield from nodes(node[keyword], f"{path}[]")


def schema_of(kind: Kind) -> dict[str, Any]:
    version = crd.custom_resource_definition(kind)["spec"]["versions"][0]
    return dict(version["schema"]["openAPIV3Schema"])


def test_committed_files_are_what_the_models_say() -> None:
    assert generate.stale_files(ROOT) == []


@pytest.mark.parametrize("kind", KINDS)
def test_definition_is_structural(kind: Kind) -> None:
    for path, node in nodes(schema_of(kind)):
        assert not FORBIDDEN & set(node), path
        assert isinstance(node["type"], str), path
        assert not ("properties" in node and "additionalProperties" in node), path


@pytest.mark.parametrize("kind", KINDS)
def test_everything_people_write_is_bounded_and_described(kind: Kind) -> None:
    bounds = {"string": "maxLength", "array": "maxItems", "integer": "minimum"}
    for part in ("spec", "status"):
        for path, node in nodes(schema_of(kind)["properties"][part], part):
            if not path.endswith("[]"):
                assert node["description"].endswith("."), path
            bound = bounds.get(node["type"])
            if bound and "enum" not in node and "format" not in node:
                assert bound in node, path
            if node["type"] == "object" and "additionalProperties" in node:
                assert "maxProperties" in node, path


@pytest.mark.parametrize("kind", KINDS)
def test_lists_of_named_entries_are_maps_and_their_keys_are_required(kind: Kind) -> None:
    for path, node in nodes(schema_of(kind)):
        if node.get("x-kubernetes-list-type") == "map":
            for key in node["x-kubernetes-list-map-keys"]:
                assert key in node["items"]["required"], path


@pytest.mark.parametrize("kind", KINDS)
def test_only_switches_and_choices_are_written_into_objects_by_the_server(kind: Kind) -> None:
    for path, node in nodes(schema_of(kind)):
        if "default" in node and path != ".status":
            assert isinstance(node["default"], bool) or "enum" in node, path
    assert schema_of(kind)["properties"]["status"]["default"] == {"observedGeneration": -1}


@pytest.mark.parametrize("kind", KINDS)
def test_rules_have_messages_of_one_line_and_no_full_stop(kind: Kind) -> None:
    for path, node in nodes(schema_of(kind)):
        for rule in node.get("x-kubernetes-validations", []):
            assert re.fullmatch(r"[^\n]+[^.\n]", rule["message"]), path


@pytest.mark.parametrize("kind", KINDS)
def test_columns_answer_is_it_fine_and_what_is_it(kind: Kind) -> None:
    names = [column.name for column in kind.columns]
    assert {"Ready", "Reason", "Message"} <= set(names)
    assert names[-1] == "Age"
    assert len(names) == len(set(names))


def test_names_of_kinds_are_unique() -> None:
    names = [
        name for kind in registry.KINDS for name in {kind.singular, kind.plural, *kind.short_names}
    ]
    assert len(names) == len(set(names))
    assert {name for kind in registry.KINDS for name in kind.short_names} == {
        *("tt", "wo", "nr", "pn", "tu", "wu", "sl", "cpr", "el", "pi", "cp", "ca", "car"),
        *("acct", "cplan", "rate", "dset", "sbc", "sph", "pbx"),
    }


def test_the_kinds_that_others_name_ask_for_consent() -> None:
    assert {kind.name for kind in registry.KINDS if kind.is_referable} == {
        "TeamsTenant",
        "Carrier",
        "WebexOrganization",
        "SessionBorderController",
        "NumberRange",
        "PhoneNumber",
        "CallPrivilege",
        "EmergencyLocation",
        "CallingAccount",
        "CallingPlan",
        "RateCard",
        "DestinationSet",
    }
    assert [kind.name for kind in registry.CONNECTION_KINDS] == [
        "TeamsTenant",
        "Carrier",
        "WebexOrganization",
        "SessionBorderController",
    ]


def test_repeated_values_are_written_in_full() -> None:
    for text in generate.rendered_files().values():
        assert not re.search(r"[&*]id\d", text)


def test_writing_makes_stale_files_fresh(tmp_path: Path) -> None:
    (tmp_path / "crds").mkdir()
    (tmp_path / "crds" / "dinosaurs.yaml").write_text("kind: Dinosaur\n", encoding="utf-8")
    assert generate.main(["--check", "--root", str(tmp_path)]) == 1
    assert generate.main(["--root", str(tmp_path)]) == 0
    assert generate.main(["--check", "--root", str(tmp_path)]) == 0
    assert not (tmp_path / "crds" / "dinosaurs.yaml").exists()
    for kind in registry.KINDS:
        definition = (tmp_path / "crds" / f"{kind.plural}.yaml").read_text(encoding="utf-8")
        assert yaml.safe_load(definition) == crd.custom_resource_definition(kind)
        editor = tmp_path / "schemas" / f"{kind.singular}_v1alpha1.json"
        assert json.loads(editor.read_text(encoding="utf-8")) == crd.editor_schema(kind)


def test_one_changed_byte_is_stale(tmp_path: Path) -> None:
    generate.main(["--root", str(tmp_path)])
    target = tmp_path / "crds" / "teamsusers.yaml"
    target.write_text(target.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert generate.stale_files(tmp_path) == [Path("crds/teamsusers.yaml")]


class Undescribed(Model):
    size: Annotated[int, Field(ge=0)]


class Unbounded(Model):
    text: Annotated[str, Field(description="No end.")]


class EndlessList(Model):
    words: Annotated[tuple[Annotated[str, Field(max_length=3)], ...], Field(description="Words.")]


class Anything(Model):
    value: Annotated[Any, Field(description="Whatever.")]


class Mixed(Model):
    value: Annotated[bool | Annotated[str, Field(max_length=3)], Field(description="Either.")]


class Open(Model):
    value: Annotated[dict[str, Any], Field(description="Open.", max_length=3)]


class Ratio(Model):
    value: Annotated[float, Field(description="Imprecise.")]


class Endless(Model):
    inner: Annotated[Endless | None, Field(description="Itself.")] = None


class Constant(Model):
    value: Annotated[Literal["a"], Field(description="One value.")]


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (Undescribed, "no description"),
        (Unbounded, "no bound"),
        (EndlessList, "no bound"),
        (Anything, "type None"),
        (Mixed, "union of types"),
        (Open, "open object"),
        (Ratio, "type 'number'"),
        (Endless, "contains itself"),
    ],
)
def test_a_model_that_makes_a_poor_definition_is_refused(model: type[Model], what: str) -> None:
    with pytest.raises(schema.SchemaError, match=what):
        schema.structural_schema(model)


def test_a_constant_becomes_a_choice_of_one() -> None:
    assert schema.structural_schema(Constant)["properties"]["value"]["enum"] == ["a"]
