"""What is applied decides calls within seconds: kubectl, operator, PostgreSQL, call control."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from callplane.testing import polling
from callplane.testing.estates import Estate, Manifest
from callplane.testing.live_world import CallControlProcess, LiveWorld, OperatorProcess

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
LANDLINE, ABROAD = "02079460123", "0012025550123"
#: From the edit to the decision. The machine is shared, and any one edit may meet a pause of it:
#: half of the edits have to be as quick as we say, and all of them have to count.
FRESH_SECONDS = 2.0

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture(scope="module")
def call_control(live_world: LiveWorld) -> Iterator[CallControlProcess]:
    live_world.leader()
    process = live_world.start_call_control()
    yield process
    process.stop()


def sample(kind: str, namespace: str, **spec: Any) -> Manifest:
    found: Manifest = yaml.safe_load((SAMPLES / f"{kind}.yaml").read_text(encoding="utf-8"))
    found["metadata"]["namespace"] = namespace
    found["spec"] = {**found["spec"], **spec}
    return found


def terms(estate: Estate) -> list[Manifest]:
    """Card, set, plan, account and privilege, in the team's own namespace."""
    return [
        sample("ratecard", estate.team),
        sample("destinationset", estate.team),
        sample("callingplan", estate.team),
        account(estate),
        sample("callprivilege", estate.team, hours=[]),
    ]


def account(estate: Estate, **spec: Any) -> Manifest:
    """One that blocks what the bundle does not cover, and lets a test ask as often as it likes."""
    limits = {"dailyCap": "50", "callsPerMinutePerUser": 1000}
    usual = {"overspend": "Block", "rateCardBilling": False, "limits": limits}
    return sample("callingaccount", estate.team, **{**usual, **spec})


REFS = {
    "accountRef": {"name": "example"},
    "callingPlanRef": {"name": "domestic-300"},
}


class Desk:
    """One team whose first person may call."""

    def __init__(self, world: LiveWorld, call_control: CallControlProcess) -> None:
        self.world, self.call_control = world, call_control
        self.estate = world.estate()
        self.attempts = 0
        world.apply(*self.estate.base(), *terms(self.estate), self.estate.user(1, **REFS))
        world.ready(self.estate)
        number = self.estate.number_of(1)
        assert number is not None
        self.number = number

    def ask(self, dialled: str = LANDLINE) -> str:
        """`Allowed`, or the reason why not."""
        self.attempts += 1
        attempt_id = f"{self.estate.team}-{self.attempts}"
        verdict = self.call_control.ask(
            attempt_id=attempt_id,
            ingress="Teams",
            caller=self.number,
            dialled=dialled,
        )
        if not verdict["allow"]:
            return str(verdict["reason"])
        # Nobody goes on with this call.
        self.call_control.post("/v1/events", ev="failed", attempt_id=attempt_id)
        return "Allowed"

    def becomes(self, expected: str, dialled: str = LANDLINE) -> float:
        """Wait until the answer is that one; how long it took."""
        began = time.monotonic()
        polling.until(lambda: self.ask(dialled) == expected, f"the answer is {expected}")
        return time.monotonic() - began

    def version(self) -> int:
        """When anything was last written of what the team declares."""
        with psycopg.connect(self.world.database_url) as session:
            row = session.execute(
                "select coalesce(max(version), 0) from calls.entries where owner like %s",
                (f"%/{self.estate.team}/%",),
            ).fetchone()
        assert row is not None
        assert row[0] > 0, "nothing is written of the team"
        return int(row[0])


@pytest.fixture
def desk(live_world: LiveWorld, call_control: CallControlProcess) -> Desk:
    return Desk(live_world, call_control)


def test_edits_of_lines_accounts_and_plans_are_decided_by_within_two_seconds(desk: Desk) -> None:
    world, estate = desk.world, desk.estate
    desk.becomes("Allowed")
    took: dict[str, float] = {}

    def edit(what: str, manifest: Manifest, expected: str, dialled: str = LANDLINE) -> None:
        world.apply(manifest)
        took[what] = desk.becomes(expected, dialled)

    edit("suspended", account(estate, suspend=True), "LineSuspended")
    edit("resumed", account(estate), "Allowed")
    assert desk.ask(ABROAD) == "PrivilegeDenied"
    wide = {"callPrivilegeRef": {"name": "domestic-and-international"}}
    edit("privilege", estate.user(1, **REFS, **wide), "RateCardDisabled", ABROAD)
    edit("billing", account(estate, rateCardBilling=True), "Allowed", ABROAD)
    narrow = sample("callprivilege", estate.team, hours=[], allowedClasses=["Mobile"])
    edit("narrower", narrow, "PrivilegeDenied")
    edit("no privilege", estate.user(1, **REFS), "Allowed")
    edit("no plan", estate.user(1, accountRef=REFS["accountRef"]), "NoPlan")
    edit("plan again", estate.user(1, **REFS), "Allowed")
    assert desk.ask("03069990123") == "Allowed"
    world.apply(account(estate))
    rows = [{"prefix": "443", "treatment": "Bundled", "name": "UK-wide"}]
    edit("another set", sample("destinationset", estate.team, rows=rows), "RateCardDisabled")
    edit("nobody's line", estate.user(1), "UnknownLine")
    assert statistics.median(took.values()) < FRESH_SECONDS, took


def test_a_plan_brings_its_minutes_at_once_and_a_month_keeps_them(desk: Desk) -> None:
    world, estate = desk.world, desk.estate
    desk.becomes("Allowed")
    account = f"{estate.team}/example"

    def minutes() -> int:
        with psycopg.connect(world.database_url) as session:
            # Of the newest month: at its turn there are two.
            rows = session.execute(
                "select entitlement_seconds from books.account_periods where account = %s"
                " order by period_start desc limit 1",
                (account,),
            ).fetchone()
        return int(rows[0] or 0) // 60 if rows else 0

    assert minutes() == 300
    world.apply(estate.user(2, **REFS))
    polling.until(lambda: minutes() == 600, "two people bring minutes")
    world.apply(sample("callingplan", estate.team, minutes=400))
    polling.until(lambda: minutes() == 800, "more minutes of the plan")
    world.apply(estate.user(2))
    desk.becomes("Allowed")
    assert minutes() == 800


def test_a_steady_cluster_writes_nothing_and_a_deleted_person_calls_no_more(desk: Desk) -> None:
    world, estate = desk.world, desk.estate
    desk.becomes("Allowed")
    assert desk.ask(desk.number) == "Allowed"

    before = desk.version()
    world.look_again(estate)
    time.sleep(2.0)
    assert desk.version() == before
    # The account is deleted first: whoever relies on it keeps what was applied.
    world.kubectl("delete", "callingaccount", "example", "-n", estate.team)
    time.sleep(1.0)
    assert desk.ask() == "Allowed"
    world.kubectl("delete", "teamsuser", "user-1", "-n", estate.team, "--wait=false")
    world.gone("teamsuser", "user-1", namespace=estate.team)
    desk.becomes("UnknownLine")


def test_a_restarted_operator_writes_nothing_anew(desk: Desk, operator: OperatorProcess) -> None:
    world = desk.world
    desk.becomes("Allowed")
    before = desk.version()
    operator.kill()
    world.start_operator()
    world.ready(desk.estate)
    time.sleep(2.0)
    assert desk.version() == before
    assert desk.ask() == "Allowed"
