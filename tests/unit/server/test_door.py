"""The door lets in who is known and may; whoever cannot be asked about waits outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from callplane.cluster.reviews import Question, Subject
from callplane.server.door import Door, Visitor
from callplane.server.ports import AccessUnavailable
from callplane.server.problems import Problem
from callplane.testing.admin_api_contract import assert_nothing
from callplane.testing.admin_api_world import TEAM_A, TEAM_B

PATH = f"/v1/namespaces/{TEAM_A}/numbers"


async def test_nobody_to_ask_means_nobody_comes_in(api: Any) -> None:
    assert (await api.get(PATH, "register-of-a")).status == 200
    api.access.is_down = True
    # His token was read a moment ago; his rights are not known.
    for who in ("register-of-a", "everything", "garbage"):
        answer = await api.get(PATH, who)
        assert_nothing(answer, 503)
        assert answer.headers["retry-after"] == "5"
    assert_nothing(await api.get(PATH, "no-token"), 401)
    assert api.metrics.registry.get_sample_value("callplane_api_unreviewed_total") == 3
    api.access.is_down = False
    assert (await api.get(PATH, "register-of-a")).status == 200


async def test_a_review_that_fails_open_is_missed(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: who cannot be asked about may."""
    inner = type(api.access).is_allowed

    async def open_door(self: Any, subject: Subject, question: Question) -> bool:
        try:
            return await inner(self, subject, question)
        except AccessUnavailable:
            return True

    monkeypatch.setattr(type(api.access), "is_allowed", open_door)
    with pytest.raises(AssertionError):
        await test_nobody_to_ask_means_nobody_comes_in(api)


async def test_a_cluster_that_is_not_known_yet_has_no_reach(api: Any) -> None:
    def unknown() -> NoReturn:
        raise AccessUnavailable("not known yet")

    object.__setattr__(api.door, "installation", unknown)
    assert_nothing(await api.get(PATH, "register-of-a"), 503)
    assert_nothing(await api.get(PATH, "no-rights"), 403)


async def test_questions_of_one_request_are_about_one_namespace(api: Any) -> None:
    visitor = Visitor(Subject("everything"), "id", "here")
    questions = [Question("get", "numbers", namespace=each) for each in (TEAM_A, TEAM_B)]
    with pytest.raises(ValueError, match="too many values"):
        await api.door.admit(visitor, *questions)
    with pytest.raises(ValueError, match="not enough values"):
        await api.door.admit(visitor)


async def test_full_numbers_take_a_setting_besides_the_right(api: Any) -> None:
    api.show_numbers = False
    api.rebuild()
    assert_nothing(await api.get(f"{PATH}?numbers=full", "everything"), 403)
    assert [line["reason"] for line in await api.trail()] == ["NumbersMasked"]


async def test_rights_are_asked_each_time_and_tokens_now_and_then(api: Any) -> None:
    for _ in range(3):
        await api.get(PATH, "register-of-a")
    assert api.access.asked == 1 + 3
    api.clock.advance(31)
    await api.get(PATH, "register-of-a")
    assert api.access.asked == 1 + 3 + 2


async def test_guessing_is_slowed_down(api: Any) -> None:
    api.burst = 3
    api.rebuild()
    assert (await api.get(PATH, "register-of-a")).status == 200
    asked = api.access.asked
    seen = []
    for _ in range(7):
        seen.append((await api.get(PATH, "garbage")).status)
        api.clock.advance(0.5)
    assert seen == [401, 401, 401, 429, 429, 429, 401]
    # Whom the door knows comes in meanwhile, and nobody was asked about most guesses.
    assert (await api.get(PATH, "register-of-a")).status == 200
    assert api.access.asked - asked <= 3
    reasons = [line["reason"] for line in await api.trail()]
    assert reasons.count("TooManyAttempts") == 3


@pytest.mark.parametrize(
    "values",
    [
        ["Basic dXNlcjpwYXNz"],
        ["Bearer"],
        ["Bearer "],
        ["Bearer a b"],
        ["Bearer a,b"],
        ["Bearer tök"],
        ["Bearer a\tb"],
        ["bearer: x"],
        ["Token x"],
        ["Bearer token-of-everything", "Bearer token-of-everything"],
        ["Bearer " + "x" * 12_289],
        [""],
    ],
)
async def test_a_header_that_is_none_lets_nobody_in(api: Any, values: list[str]) -> None:
    door: Door = api.door
    with pytest.raises(Problem) as caught:
        await door.enter(values, request_id="id-1", source="192.0.2.1")
    assert caught.value.answer.status == 401
    assert api.access.asked == 0


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_read_in_either_case(api: Any, scheme: str) -> None:
    visitor = await api.door.enter(
        [f"{scheme}  token-of-no-rights"], request_id="id-1", source="192.0.2.1"
    )
    assert visitor.subject.user == "no-rights"


async def test_the_trail_names_no_number_whatever_somebody_is_called(api: Any) -> None:
    subject = Subject("system:serviceaccount:x:+442079460123 " + "y" * 300)
    visitor = Visitor(subject, "id-1", "192.0.2.1")

    def nobody(who: Subject, question: Question) -> bool:
        return False

    with pytest.raises(Problem):
        await _with(api.door, nobody).admit(visitor, Question("get", "numbers"))
    (line,) = await api.trail()
    (event,) = api.events.events
    for told in (json.dumps(line), event.message):
        assert "442079460123" not in told
        assert len(told) < 700
    assert event.reason == "AccessRefused"
    assert event.subject.kind == "Pod"


def _with(door: Door, answer: Callable[[Subject, Question], bool]) -> Door:
    class Reviewer:
        async def is_allowed(self, subject: Subject, question: Question) -> bool:
            return answer(subject, question)

    object.__setattr__(door, "reviewer", Reviewer())
    return door
