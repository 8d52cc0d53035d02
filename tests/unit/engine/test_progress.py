"""Progress is reported when it lasts, and not before."""

from __future__ import annotations

from callplane.apis.reasons import Reason
from callplane.engine.progress import BRIEF_SECONDS, UnreportedProgress
from callplane.errors import Stalled, Waiting
from callplane.status.conditions import Succeeded
from callplane.values import ObjectKey

ANN = ObjectKey("TeamsUser", "sales", "ann")
RUNNING = Waiting(Reason.OPERATION_RUNNING, "assigning", after_seconds=60.0)


class Moments:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_change_under_way_says_nothing_until_it_has_lasted() -> None:
    moments = Moments()
    progress = UnreportedProgress(moments)
    assert progress.look_seconds(ANN, RUNNING) == BRIEF_SECONDS
    moments.now += 2.0
    assert progress.look_seconds(ANN, RUNNING) == BRIEF_SECONDS - 2.0
    moments.now += BRIEF_SECONDS - 2.0
    assert progress.look_seconds(ANN, RUNNING) is None


def test_a_sooner_look_that_the_pass_asks_for_is_kept() -> None:
    progress = UnreportedProgress(Moments())
    soon = Waiting(Reason.PROGRESSING, "reading back", after_seconds=0.5)
    assert progress.look_seconds(ANN, soon) == 0.5


def test_an_end_of_another_kind_is_reported_and_starts_the_count_anew() -> None:
    moments = Moments()
    progress = UnreportedProgress(moments)
    progress.look_seconds(ANN, RUNNING)
    moments.now += BRIEF_SECONDS
    for end in (
        Succeeded("has a number"),
        Stalled(Reason.RANGE_EXHAUSTED, "none left"),
        Waiting(Reason.LICENCE_PENDING, "waits for a licence", after_seconds=300.0),
    ):
        assert progress.look_seconds(ANN, end) is None
        assert progress.look_seconds(ANN, RUNNING) == BRIEF_SECONDS
