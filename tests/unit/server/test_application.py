"""The API in memory does what `callplane.testing.admin_api_contract` says, and fails it without one
of its guards.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from callplane.cluster.reviews import Question, Subject
from callplane.server import cursors, front_door, queries, rendering
from callplane.server.door import Door
from callplane.store.admin_ports import Reach
from callplane.testing import admin_api_contract
from callplane.testing.admin_api_world import ELSEWHERE, FOREIGN, HERE, MemoryAdminReader

Patch = pytest.MonkeyPatch
CHECKS = admin_api_contract.CHECKS


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
async def test_the_wrong_person_gets_nothing(api: Any, check: admin_api_contract.Check) -> None:
    await check(api)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A guard that is taken out, and the check that must fail."""

    name: str
    apply: Callable[[Any, Patch], None]
    misses: str


def _always_allowed(api: Any, patch: Patch) -> None:
    async def yes(self: Any, subject: Subject, question: Question) -> bool:
        return True

    patch.setattr(type(api.access), "is_allowed", yes)


def _any_token(api: Any, patch: Patch) -> None:
    async def known(self: Any, token: str) -> Subject:
        return Subject("everything")

    patch.setattr(type(api.access), "subject_of", known)


def _namespace_not_asked(api: Any, patch: Patch) -> None:
    inner = type(api.access).is_allowed

    async def asked(self: Any, subject: Subject, question: Question) -> bool:
        return any(
            [
                await inner(self, subject, dataclasses.replace(question, namespace=each))
                for each in ("team-a", "team-b", "")
            ]
        )

    patch.setattr(type(api.access), "is_allowed", asked)


def _name_not_asked(api: Any, patch: Patch) -> None:
    inner = type(api.access).is_allowed

    async def asked(self: Any, subject: Subject, question: Question) -> bool:
        return any(
            [
                await inner(self, subject, dataclasses.replace(question, name=each))
                for each in (question.name, "sales")
            ]
        )

    patch.setattr(type(api.access), "is_allowed", asked)


def _reach_everywhere(api: Any, patch: Patch) -> None:
    inner = Door.admit

    async def admit(self: Door, visitor: Any, *questions: Question) -> Reach:
        return dataclasses.replace(await inner(self, visitor, *questions), namespace=None)

    patch.setattr(Door, "admit", admit)


def _every_cluster(api: Any, patch: Patch) -> None:
    api.reader._numbers = [(HERE, row) for where, row in api.reader._numbers]


def _one_question_is_enough(api: Any, patch: Patch) -> None:
    inner = Door.admit

    async def admit(self: Door, visitor: Any, *questions: Question) -> Reach:
        return await inner(self, visitor, questions[0])

    patch.setattr(Door, "admit", admit)


def _nothing_masked(api: Any, patch: Patch) -> None:
    patch.setattr(rendering, "mask_number", lambda text: text)


def _nothing_masked_inside(api: Any, patch: Patch) -> None:
    patch.setattr(rendering, "mask_numbers", lambda text: text)


def _any_path(api: Any, patch: Patch) -> None:
    class Anything:
        def fullmatch(self, path: bytes) -> bool:
            return True

    patch.setattr(front_door, "_PLAIN", Anything())


def _cursors_of_any_list(api: Any, patch: Patch) -> None:
    patch.setattr(queries, "_list_of", lambda request, query: "any")


def _cursors_in_the_clear(api: Any, patch: Patch) -> None:
    patch.setattr(cursors, "seal", lambda place, key, question: place and "~".join(place))
    patch.setattr(cursors, "opened", lambda text, key, question: tuple(text.split("~")))


def _no_trail(api: Any, patch: Patch) -> None:
    patch.setattr(Door, "_turn_away", lambda self, refused: None)


def _kept_by_proxies(api: Any, patch: Patch) -> None:
    patch.setattr(front_door, "ALWAYS", {"Cache-Control": "max-age=60"})


MUTANTS = (
    Mutant("rights always allow", _always_allowed, "whoever_has_no_right_gets_nothing"),
    Mutant("any token counts", _any_token, "strangers_get_nothing"),
    Mutant(
        "rights are asked without the namespace",
        _namespace_not_asked,
        "a_right_in_one_namespace_is_none_in_another",
    ),
    Mutant(
        "rights are asked without the name",
        _name_not_asked,
        "a_right_to_one_account_is_none_to_the_rest",
    ),
    Mutant("a reach forgets its namespace", _reach_everywhere, "a_namespace_shows_its_own_alone"),
    Mutant("clusters are not told apart", _every_cluster, "another_cluster_is_not_seen"),
    Mutant(
        "the right to digits is not asked",
        _one_question_is_enough,
        "numbers_are_masked_until_asked_for_with_a_right",
    ),
    Mutant(
        "numbers are not masked",
        _nothing_masked,
        "numbers_are_masked_until_asked_for_with_a_right",
    ),
    Mutant(
        "numbers in texts are not masked",
        _nothing_masked_inside,
        "numbers_are_masked_until_asked_for_with_a_right",
    ),
    Mutant("paths are taken as they come", _any_path, "no_path_leads_elsewhere"),
    Mutant(
        "cursors belong to no list",
        _cursors_of_any_list,
        "pages_follow_one_another_and_no_other_list",
    ),
    Mutant(
        "cursors are not sealed",
        _cursors_in_the_clear,
        "pages_follow_one_another_and_no_other_list",
    ),
    Mutant("refusals are not written down", _no_trail, "every_refusal_is_in_the_trail"),
    Mutant("answers may be kept", _kept_by_proxies, "every_answer_says_how_it_may_be_kept"),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
async def test_a_missing_guard_is_missed(api: Any, monkeypatch: Patch, mutant: Mutant) -> None:
    mutant.apply(api, monkeypatch)
    with pytest.raises(AssertionError):
        await CHECKS[mutant.misses](api)


def test_the_other_cluster_has_something_to_see() -> None:
    reader = MemoryAdminReader()
    assert any(where == ELSEWHERE and row.number == FOREIGN for where, row in reader._numbers)
