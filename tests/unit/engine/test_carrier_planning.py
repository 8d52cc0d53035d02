"""A plan says what would be bought, ported and given back, and what stands in the way."""

from __future__ import annotations

from typing import Any

import pytest

from callplane.plan.document import Level
from callplane.testing.planning_builders import Estate, number

CARRIER = {
    "type": "Simwood",
    "account": "930000",
    "credentials": {"user": "api", "secretRef": {"name": "s", "key": "k"}},
}
BUYS = {"purchasing": {"enabled": True}}
TERMS = {"contactEmail": "numbers@example.com"}
KEYS = {
    "releasePolicy": "Release",
    "releaseAcknowledgement": {"number": number(150).text, "date": "2026-01-01"},
}


async def said(carrier: dict[str, Any] | None, spec: dict[str, Any]) -> list[tuple[str, str]]:
    estate = Estate()
    if carrier is not None:
        estate.put("Carrier", "main", {**CARRIER, **carrier}, namespace="platform")
    phone = {"e164": number(150).text, "route": "DirectRouting", "carrierRef": {"name": "main"}}
    estate.put("PhoneNumber", "front", {**phone, **spec}, namespace="platform")
    plan = await estate.plan()
    assert any("not observed by a plan" in remark for remark in plan.remarks)
    return [
        (note.level.value, note.reason)
        for each in plan.objects
        if each.key.name == "front"
        for note in each.notes
    ]


@pytest.mark.parametrize(
    ("carrier", "spec", "level", "reason"),
    [
        (BUYS, {"acquisition": "Order"}, Level.WAITS, "OrderPending"),
        ({}, {"acquisition": "Order"}, Level.BLOCKED, "PurchasingDisabled"),
        (None, {"acquisition": "Order"}, Level.WAITS, "DependencyNotReady"),
        (BUYS, {"acquisition": "PortIn", "portIn": TERMS}, Level.WAITS, "OrderPending"),
        (BUYS, {"releasePolicy": "Release"}, Level.BLOCKED, "ReleaseRefused"),
        (BUYS, KEYS, Level.WAITS, "ReleaseWaiting"),
    ],
)
async def test_a_number_at_a_carrier(
    carrier: dict[str, Any] | None, spec: dict[str, Any], level: Level, reason: str
) -> None:
    assert await said(carrier, spec) == [(level.value, reason)]


async def test_a_number_that_is_ours_is_only_counted() -> None:
    assert await said({}, {}) == []
