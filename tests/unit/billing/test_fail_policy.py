"""The fail policy as a table: what calls do while the books or call control are away."""

from __future__ import annotations

import pytest

from callplane.billing.fail_policy import AtGrant, NewCall, Outage, at_grant, new_call
from callplane.billing.quotes import Mode

ANY, BRIEF, NONE = NewCall(None), NewCall(600), NewCall(0)
LOCAL, BRIEF_LOCAL = NewCall(None, by_local_map=True), NewCall(600, by_local_map=True)

# Mode, onOutage allows → database away, call control silent, at the end of a grant.
TABLE = [
    *((mode, allows, ANY, ANY, AtGrant.NO_TIMER)
      for mode in (Mode.EMERGENCY, Mode.EXEMPT, Mode.INBOUND) for allows in (True, False)),
    *((Mode.ON_NET, allows, ANY, LOCAL, AtGrant.RUNS_ON) for allows in (True, False)),
    (Mode.PLAN, True, BRIEF, BRIEF_LOCAL, AtGrant.ONE_EXTENSION),
    (Mode.PLAN, False, NONE, NONE, AtGrant.ONE_EXTENSION),
    *((mode, allows, NONE, NONE, AtGrant.ENDS)
      for mode in (Mode.CARD, Mode.PAYG, Mode.FREE, Mode.BYOC, None) for allows in (True, False)),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "allows", "database", "silent", "grant"), TABLE)
def test_fail_policy(
    mode: Mode | None, allows: bool, database: NewCall, silent: NewCall, grant: AtGrant
) -> None:
    assert new_call(mode, Outage.DATABASE, allows_bundled=allows) == database
    assert new_call(mode, Outage.CALL_CONTROL, allows_bundled=allows) == silent
    assert at_grant(mode) is grant


def test_every_mode_has_its_row() -> None:
    assert {row[0] for row in TABLE} == {*Mode, None}
