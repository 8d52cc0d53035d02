"""The emergency guard of a decision cannot be taken out unnoticed."""

from __future__ import annotations

import pytest

from callplane.billing import decision
from callplane.billing.quotes import Quote, Refusal
from callplane.testing.billing_builders import attempt, context, line
from callplane.testing.dialled_forms import SERVED


def refused() -> list[str]:
    broke = line(suspended=True)
    answers = {
        str(form): decision.decide(
            context(broke), attempt(form.dialled, outside_line=form.outside_line)
        )
        for form in SERVED
    }
    return [form for form, found in answers.items() if not isinstance(found, Quote)]


def test_every_served_form_is_let_go() -> None:
    assert refused() == []


def test_a_decision_that_knows_no_services_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision, "service_dialled", lambda dialled, outside_line: None)
    assert len(refused()) == len({str(form) for form in SERVED})


def test_a_decision_that_asks_for_the_line_first_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def suspicious(context: decision.CallContext, asked: decision.Attempt) -> decision.Decision:
        if context.line is None or context.line.suspended:
            return Refusal(decision.RefusalReason.LINE_SUSPENDED)
        return honest(context, asked)

    honest = decision.decide
    monkeypatch.setattr(decision, "decide", suspicious)
    assert refused() != []
