"""What the API server refuses, with the message that kubectl shows; nothing of ours has to run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from callplane.testing.estates import Estate, Manifest
from callplane.testing.live_world import LiveWorld


@pytest.fixture(scope="module")
def estate(live_world: LiveWorld) -> Estate:
    """Namespaces to be refused in."""
    made = live_world.estate(users=1)
    live_world.apply(*made.namespaces())
    return made


REFUSED: dict[str, tuple[Callable[[Estate], Manifest], str, str]] = {
    "a malformed number": (
        lambda estate: estate.user(1, phoneNumber={"e164": "020 7946 0000"}),
        "spec.phoneNumber.e164",
        "should match",
    ),
    "two members of a union": (
        lambda estate: estate.user(1, phoneNumber={"e164": "+442079460000", "none": {}}),
        "spec.phoneNumber",
        "exactly one of rangeRef, phoneNumberRef, e164 or none must be set",
    ),
    "first above last": (
        lambda estate: estate.range(first="+442079460099", last="+442079460000"),
        "spec",
        "must not be greater",
    ),
    "a name and an id": (
        lambda estate: estate.user(1, userId="0d6f6b1c-3f5e-4a7d-b1c9-2e8f4a6d7b44"),
        "spec",
        "exactly one of",
    ),
    "a member the kind does not have": (
        lambda estate: estate.user(1, phoneNumbers=["+442079460000"]),
        "phoneNumbers",
        "unknown field",
    ),
    "an answer that nobody knows": (
        lambda estate: estate.approval("maybe", decision="Maybe", changeIds=["0" * 64]),
        "spec.decision",
        "Unsupported value",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_at_admission_with_the_path_of_the_field(
    live_world: LiveWorld, estate: Estate, what: str
) -> None:
    make, path, reason = REFUSED[what]
    manifest = make(estate)
    answer = live_world.apply_refused(manifest)
    assert path in answer
    assert reason in answer
    kind, metadata = manifest["kind"].lower(), manifest["metadata"]
    assert not live_world.exists(kind, metadata["name"], namespace=metadata["namespace"])


@pytest.mark.parametrize(
    ("kind", "change", "path"),
    [
        ("tenant", {"tenantId": "00000000-0000-4000-8000-000000000009"}, "spec.tenantId"),
        ("range", {"first": "+442079460001"}, "spec.first"),
        ("user", {"tenantRef": {"name": "other"}}, "spec.tenantRef"),
    ],
)
def test_what_must_not_change_is_refused(
    live_world: LiveWorld, kind: str, change: dict[str, object], path: str
) -> None:
    estate = live_world.estate(users=1)
    live_world.apply(*estate.namespaces())
    makers: dict[str, Callable[..., Manifest]] = {
        "tenant": estate.tenant,
        "range": estate.range,
        "user": lambda **spec: estate.user(1, **spec),
    }
    live_world.apply(makers[kind]())
    answer = live_world.apply_refused(makers[kind](**change))
    assert path in answer
    assert "cannot be changed" in answer


def test_every_field_of_every_kind_explains_itself(live_world: LiveWorld) -> None:
    kinds = live_world.kubectl("api-resources", "--categories=callplane", "-o", "name").stdout
    for resource in kinds.split():
        text = live_world.kubectl("explain", resource.partition(".")[0], "--recursive").stdout
        assert "<no description>" not in text
        assert "spec" in text
    one = live_world.kubectl("explain", "teamsuser.spec.phoneNumber.rangeRef").stdout
    assert "rangeRef <Object>" in one
