"""Rules on carriers and on numbers at them, each with an object that breaks it."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.apis import parsing
from callplane.apis.model import Resource
from callplane.rules import validation

NUMBER, OTHER = "+442079460003", "+442079460004"


def parsed(kind: str, name: str, spec: dict[str, Any]) -> Resource:
    manifest = {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "platform"},
        "spec": spec,
    }
    found = parsing.parse_strict(manifest)
    assert found.resource is not None, found.errors
    return found.resource


def carrier(name: str = "main", **spec: Any) -> Resource:
    merged = {
        "type": "Simwood",
        "account": "930000",
        "credentials": {"user": "api", "secretRef": {"name": "s", "key": "k"}},
        "purchasing": {"enabled": True},
        **spec,
    }
    return parsed("Carrier", name, {k: v for k, v in merged.items() if v is not None})


def phone(name: str = "front", **spec: Any) -> Resource:
    merged = {
        "e164": NUMBER,
        "route": "DirectRouting",
        "carrierRef": {"name": "main"},
        **spec,
    }
    return parsed("PhoneNumber", name, {k: v for k, v in merged.items() if v is not None})


def rules_of(*resources: Resource) -> list[str]:
    return [finding.rule_id for finding in validation.validate_all(resources)]


def own() -> Resource:
    return carrier(type="BringYourOwn", credentials=None, purchasing=None)


@pytest.mark.parametrize(
    ("resources", "rule"),
    [
        ((carrier(), carrier("again")), "carrier-declared-twice"),
        ((carrier(trunk={"name": "sbc"}),), "trunk-without-endpoints"),
        ((own(), phone(acquisition="Order")), "carrier-cannot-be-asked"),
        (
            (
                own(),
                phone(
                    releasePolicy="Release",
                    releaseAcknowledgement={"number": NUMBER, "date": "2026-01-01"},
                ),
            ),
            "carrier-cannot-be-asked",
        ),
        ((carrier(purchasing=None), phone(acquisition="Order")), "purchasing-off"),
        (
            (carrier(), phone(acquisition="PortIn", portIn={"contactEmail": "n@example.com"})),
            "port-incomplete",
        ),
        (
            (
                phone(
                    carrierRef=None,
                    releasePolicy="Release",
                    releaseAcknowledgement={"number": NUMBER, "date": "2026-01-01"},
                ),
            ),
            "release-without-carrier",
        ),
        ((phone(),), "reference-unresolved"),
    ],
)
def test_what_does_not_fit_is_found_once(resources: tuple[Resource, ...], rule: str) -> None:
    assert rules_of(*resources) == [rule]


def test_what_fits_passes() -> None:
    terms = {"contactEmail": "n@example.com", "account": "A-1", "postcode": "LS1 1AA"}
    assert (
        rules_of(
            carrier(trunk={"endpoints": ["%e164@sbc1.example.com:5061"]}),
            carrier("second", account="930001"),
            phone(acquisition="Order"),
            phone("line", e164=OTHER, acquisition="PortIn", portIn=terms),
        )
        == []
    )
