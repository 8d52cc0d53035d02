"""The benchmark counts what no policy looks at; of what matters there is nothing, on no target."""

from __future__ import annotations

import pytest

import measure
from callplane_stacks import policies


def test_nothing_that_matters_is_unguarded_on_any_target() -> None:
    _, wrong = measure.unguarded()
    assert wrong == []


def test_a_target_without_policies_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "guards", lambda _kind, _properties: [])
    _, wrong = measure.unguarded()
    # The database, firewalls and machines of three targets, and pods.
    assert {"cluster.callplane-system.callplane-ledger", "database", "sbc1"} <= set(wrong)
    assert len(wrong) > 100
