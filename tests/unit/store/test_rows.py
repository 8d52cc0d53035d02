"""What goes to PostgreSQL: sorted, compact, and able to come back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callplane.store import rows
from callplane.store.ports import Commit, IllegalCommit
from callplane.testing.register_builders import (
    claim,
    elapse,
    gate_row,
    holder_row,
    intent,
    number,
    person,
    receive,
)
from callplane.values import HolderId, Platform

PARTS = st.text(min_size=1).filter(lambda text: "/" not in text)


@given(platform=st.sampled_from(Platform), tenant=PARTS, user=st.text(min_size=1))
def test_a_holder_comes_back(platform: Platform, tenant: str, user: str) -> None:
    holder = HolderId(platform, tenant, user)
    assert rows.holder_from(rows.holder_key(holder)) == holder


def test_a_tenant_with_a_slash_would_not() -> None:
    with pytest.raises(IllegalCommit, match="slash"):
        rows.holder_key(HolderId(Platform.SIP, "a/b", "c"))


def document(commit: Commit) -> Any:
    return json.loads(rows.commit_json(commit, commit.moves))


def test_an_empty_commit_is_an_empty_document() -> None:
    assert rows.commit_json(Commit(), ()) == "{}"


def test_every_part_is_sorted_by_its_key() -> None:
    content = document(
        Commit(
            holders=[holder_row("eve"), holder_row("bob")],
            dropped_holders=[person("dan"), person("ann")],
            intents=[intent("2"), intent("1")],
            gate_rows=[gate_row(1), gate_row(2), gate_row(3)],
            gate_dropped=["f" * 64, "0" * 64],
        )
    )
    holders = [each["holder"] for each in content["holders"]]
    assert holders == sorted(holders)
    assert [each.get("is_dropped", False) for each in content["holders"]] == [
        True,
        False,
        True,
        False,
    ]
    assert [each["request_id"] for each in content["intents"]] == ["1", "2"]
    change_ids = [each["change_id"] for each in content["gate_rows"]]
    assert change_ids == sorted(change_ids)
    assert len(change_ids) == 5


def test_a_move_says_what_its_row_must_be() -> None:
    (move,) = document(Commit(moves=[receive(1, person("bob"))]))["moves"]
    assert move["required_receiver"] == str(person("bob"))
    assert "required_holder" not in move
    (move,) = document(Commit(moves=[elapse(1)]))["moves"]
    assert move["must_have_rested"] is True
    assert "holder" not in move


def test_a_name_stated_beside_a_move_goes_with_it() -> None:
    commit = Commit(moves=[claim(1, person("ann"))], holders=[holder_row("ann")])
    assert document(commit)["moves"][0]["user_name"] == "ann@contoso.example"
    commit = Commit(moves=[claim(1, person("ann"))], holders=[holder_row("bob")])
    assert "user_name" not in document(commit)["moves"][0]


def test_any_mapping_is_json() -> None:
    applied: Mapping[str, Any] = MappingProxyType({"policies": MappingProxyType({"a": [1, None]})})
    (holder,) = document(Commit(holders=[holder_row("ann", applied=applied)]))["holders"]
    assert holder["applied"] == {"policies": {"a": [1, None]}}


def test_what_is_no_json_is_refused() -> None:
    bad = replace(holder_row("ann"), applied={"number": number(1)})
    with pytest.raises(IllegalCommit, match="E164 cannot be stored as JSON"):
        document(Commit(holders=[bad]))
