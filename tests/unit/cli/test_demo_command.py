"""callplane demo: what did not go as the story says is said, and is an error."""

from __future__ import annotations

import pytest

from callplane.cli import app
from callplane.sandbox import demo
from callplane.sandbox.demo_page import Page
from callplane.sandbox.demo_stage import DemoFailed


def test_a_failed_expectation_is_an_error_with_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def tell(page: Page, clock: object, *, keep: bool, report: object) -> None:
        page.chapter("Somebody joins", elapsed_seconds=1)
        raise DemoFailed("Zoe is Ready and has no number")

    monkeypatch.setattr(demo, "tell", tell)
    assert app.run(["demo"]) == 1
    said = capsys.readouterr().out
    assert "1. Somebody joins" in said
    assert "FAILED: Zoe is Ready and has no number" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("keep", [True, False])
def test_keep_is_handed_on(monkeypatch: pytest.MonkeyPatch, *, keep: bool) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(demo, "tell", lambda *_, keep, report: asked.append(keep))
    assert app.run(["demo", "--keep"] if keep else ["demo"]) == 0
    assert asked == [keep]
