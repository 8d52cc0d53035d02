"""Rules on lines at the SBC, each with what breaks it and what just does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.apis import parsing
from callplane.apis.model import Resource
from callplane.rules import validation
from callplane.testing.object_patches import merge_patched

SAMPLES = Path(__file__).parents[3] / "manifests" / "samples"
#: What these tests are not about.
BARE = {
    "accountRef": None,
    "callingPlanRef": None,
    "callPrivilegeRef": None,
    "emergencyLocationRef": None,
}


def made(base: str, name: str = "", **spec: Any) -> Resource:
    manifest = yaml.safe_load((SAMPLES / f"{base}.yaml").read_text(encoding="utf-8"))
    metadata = {"namespace": "platform", **({"name": name} if name else {})}
    parsed = parsing.parse_strict(
        merge_patched(manifest, {"metadata": metadata, "spec": BARE | spec})
    )
    assert parsed.resource is not None, parsed.errors
    return parsed.resource


def sbc(name: str = "example", **spec: Any) -> Resource:
    manifest = yaml.safe_load((SAMPLES / "sessionbordercontroller.yaml").read_text("utf-8"))
    patch = {"metadata": {"namespace": "platform", "name": name}, "spec": spec}
    parsed = parsing.parse_strict(merge_patched(manifest, patch))
    assert parsed.resource is not None, parsed.errors
    return parsed.resource


def block(name: str = "london", **spec: Any) -> Resource:
    return made("numberrange", name, **{"reservations": None, **spec})


def told(*resources: Resource) -> list[tuple[str, str, str]]:
    found = validation.validate_all(resources)
    return [(each.rule_id, each.name, each.field_path) for each in found]


def test_phones_and_trunks_that_fit_are_without_findings() -> None:
    phone = made("sipphone", phoneNumber={"none": None, "rangeRef": {"name": "london"}})
    trunk = made("pbxtrunk", numberRangeRefs=[{"name": "london"}], numbers=["+442079460005"])
    assert told(sbc(), block(), phone, trunk) == []


def test_what_a_line_names_must_be_there() -> None:
    trunk = made("pbxtrunk", numberRangeRefs=[{"name": "london"}], numbers=["+442079460005"])
    assert told(made("sipphone"), trunk) == [
        ("reference-unresolved", "branch", "spec.numberRangeRefs[0]"),
        ("number-undeclared", "branch", "spec.numbers[0]"),
        ("reference-unresolved", "branch", "spec.sbcRef"),
        ("reference-unresolved", "workshop", "spec.sbcRef"),
    ]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [({"use": "Service"}, "number-not-for-people"), ({"route": "Webex"}, "route-not-for-sbc")],
)
def test_numbers_that_cannot_be_had_at_the_sbc(changes: dict[str, Any], rule: str) -> None:
    phone = made("sipphone", phoneNumber={"none": None, "rangeRef": {"name": "london"}})
    trunk = made("pbxtrunk", numberRangeRefs=[{"name": "london"}], numbers=["+442079460005"])
    assert told(sbc(), block(**changes), phone, trunk) == [
        (rule, "branch", "spec.numberRangeRefs[0]"),
        (rule, "branch", "spec.numbers[0]"),
        (rule, "workshop", "spec.phoneNumber.rangeRef"),
    ]


def test_addresses_that_do_not_exist_are_all_told() -> None:
    trunk = made(
        "pbxtrunk",
        targets=["192.0.2.65:5060", "192.0.2.66:65536"],
        sources=["192.0.2.0/24", "198.51.100.65/27"],
    )
    service = made(
        "serviceline",
        webex=None,
        sip={"sbcRef": {"name": "example"}, "uri": "sip:desk@192.0.2.80:70000"},
    )
    assert told(sbc(), trunk, service) == [
        ("sip-address-unusable", "branch", "spec.sources[1]"),
        ("sip-address-unusable", "branch", "spec.targets[1]"),
        ("sip-address-unusable", "reception", "spec.sip.uri"),
    ]


def test_peers_that_cannot_be_told_apart() -> None:
    first = made("pbxtrunk", "a", trunk="a", sources=["192.0.2.0/26"])
    beside = made("pbxtrunk", "b", trunk="b", sources=["192.0.2.64/26"])
    inside = made("pbxtrunk", "c", trunk="c", sources=["192.0.2.96/32", "192.0.2.1/32"])
    assert told(sbc(), first, beside) == []
    assert told(sbc(), first, beside, inside) == [
        ("sip-peers-overlap", "c", "spec.sources[0]"),
        ("sip-peers-overlap", "c", "spec.sources[1]"),
    ]
    other = made("pbxtrunk", "d", trunk="d", sources=["192.0.2.0/26"], sbcRef={"name": "other"})
    assert told(sbc(), sbc("other", domain="other.callplane.example"), first, other) == []


def test_a_name_is_used_once_at_an_sbc() -> None:
    phones = [made("sipphone", name) for name in ("a", "b")]
    assert told(sbc(), *phones) == [("sip-name-twice", "b", "spec.username")]
    trunk = made("pbxtrunk", "x", trunk="workshop")
    assert told(sbc(), phones[0], trunk) == [("sip-name-twice", "x", "spec.trunk")]
    assert told(sbc(), phones[0], made("pbxtrunk", trunk="Workshop")) == []


def test_one_domain_has_one_object() -> None:
    assert told(sbc("a"), sbc("b")) == [("sbc-declared-twice", "b", "spec.domain")]


def test_one_number_named_by_a_phone_and_a_pbx() -> None:
    phone = made("sipphone", phoneNumber={"none": None, "e164": "+442079460005"})
    trunk = made("pbxtrunk", numbers=["+442079460004", "+442079460005"])
    assert told(sbc(), block(), phone, trunk) == [
        ("number-wanted-twice", "workshop", "spec.phoneNumber.e164")
    ]
