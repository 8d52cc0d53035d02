"""Rules on accounts, privileges and rate cards, each with an object that breaks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.apis import parsing
from callplane.rules import validation
from callplane.testing.object_patches import merge_patched

SAMPLES = Path(__file__).parents[3] / "manifests" / "samples"
ROW = {"prefix": "44", "name": "UK", "perMinute": "0.01", "effectiveFrom": "2026-01-01T00:00:00Z"}


def found(sample: str, patch: dict[str, Any]) -> list[tuple[str, str]]:
    manifest = yaml.safe_load((SAMPLES / f"{sample}.yaml").read_text(encoding="utf-8"))
    parsed = parsing.parse_strict(merge_patched(manifest, {"spec": patch}))
    assert parsed.resource is not None, parsed.errors
    return [(one.rule_id, one.field_path) for one in validation.validate_one(parsed.resource)]


@pytest.mark.parametrize("sample", ["callingaccount", "callprivilege", "ratecard"])
def test_a_sample_breaks_no_rule(sample: str) -> None:
    assert found(sample, {}) == []


@pytest.mark.parametrize("sample", ["callingaccount", "callprivilege", "ratecard"])
def test_a_zone_that_is_none(sample: str) -> None:
    assert found(sample, {"timeZone": "Mars/Phobos"}) == [("time-zone-unknown", "spec.timeZone")]


def test_a_prefix_with_two_prices_from_one_instant() -> None:
    again = {**ROW, "effectiveFrom": "2026-01-01T01:00:00+01:00"}
    later = {**ROW, "effectiveFrom": "2026-02-01T00:00:00Z"}
    assert found("ratecard", {"rows": [ROW, again, later]}) == [
        ("rate-twice", "spec.rows[0]"),
        ("rate-twice", "spec.rows[1]"),
    ]


def test_a_price_for_a_band_that_there_is_not() -> None:
    row = {**ROW, "bands": [{"band": "night", "perMinute": "0"}]}
    assert found("ratecard", {"rows": [row]}) == [("band-unknown", "spec.rows[0].bands")]


def test_a_service_charge_without_an_access_charge() -> None:
    row = {**ROW, "service": {"perMinute": "0.1"}}
    missing = [("access-charge-missing", "spec.rows[0].service")]
    assert found("ratecard", {"rows": [row], "accessCharges": None}) == missing
    late = [{"perMinute": "0.05", "effectiveFrom": "2026-01-02T00:00:00Z"}]
    assert found("ratecard", {"rows": [row], "accessCharges": late}) == missing
