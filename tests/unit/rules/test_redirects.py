"""Rules on interim redirects, each with what breaks it and what just does not."""

from __future__ import annotations

from typing import Any

from callplane.apis import parsing
from callplane.apis.model import Resource
from callplane.rules import validation


def made(kind: str, name: str, **spec: Any) -> Resource:
    parsed = parsing.parse_strict(
        {
            "apiVersion": "callplane.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": name, "namespace": "platform"},
            "spec": spec,
        }
    )
    assert parsed.resource is not None, parsed.errors
    return parsed.resource


def number(last: int) -> str:
    return f"+4420794600{last:02d}"


def block(*entries: tuple[int, int], route: str = "DirectRouting") -> Resource:
    redirects = [{"number": number(one), "to": number(other)} for one, other in entries]
    ends = {"first": number(0), "last": number(9)}
    return made("NumberRange", "london", **ends, route=route, interimRedirects=redirects)


def single(last: int, to: int) -> Resource:
    redirect = {"to": number(to), "until": "2027-01-01T00:00:00Z"}
    spec = {"e164": number(last), "route": "Sip", "interimRedirect": redirect}
    return made("PhoneNumber", "single", **spec)


def told(*resources: Resource) -> list[tuple[str, str, str]]:
    found = validation.validate_all(resources)
    return [
        (each.rule_id, each.name, each.field_path)
        for each in found
        if each.rule_id.startswith("redirect-")
    ]


def test_redirects_that_fit() -> None:
    assert told(block((1, 2), (3, 2)), single(20, 2)) == []


def test_a_number_of_somebody_elses_range() -> None:
    assert told(block((10, 2))) == [
        ("redirect-outside-range", "london", "spec.interimRedirects[0].number")
    ]


def test_calls_that_would_go_round() -> None:
    assert told(block((1, 2), (2, 3))) == [
        ("redirect-goes-round", "london", "spec.interimRedirects[0].to")
    ]
    assert told(block((1, 20)), single(20, 2)) == [
        ("redirect-goes-round", "london", "spec.interimRedirects[0].to")
    ]


def test_a_number_that_somebody_states() -> None:
    user = made(
        "TeamsUser",
        "ann",
        tenantRef={"name": "t"},
        userPrincipalName="a@example.com",
        phoneNumber={"e164": number(1)},
    )
    assert told(block((1, 2)), user) == [
        ("redirect-of-used-number", "london", "spec.interimRedirects[0]")
    ]
    assert told(block((2, 1)), user) == []


def test_a_number_that_somebody_states_by_its_name() -> None:
    user = made(
        "TeamsUser",
        "ann",
        tenantRef={"name": "t"},
        userPrincipalName="a@example.com",
        phoneNumber={"phoneNumberRef": {"name": "single"}},
    )
    assert told(block(), single(20, 2), user) == [
        ("redirect-of-used-number", "single", "spec.interimRedirect")
    ]
    assert told(block((1, 2)), user) == []


def test_calls_that_do_not_cross_our_sbc() -> None:
    assert told(block((1, 2), route="CallingPlan")) == [
        ("redirect-unsupported", "london", "spec.interimRedirects[0]")
    ]
