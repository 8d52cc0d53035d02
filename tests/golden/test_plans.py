"""Plans as people and programs see them. Each estate is printed in every form."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from callplane.plan import document, rendering
from callplane.plan.document import Plan
from callplane.resources.lines import NumberType
from callplane.resources.platforms import LicenceState, NumberOnPlatform
from callplane.testing.planning_builders import Estate, number

Compare = Callable[[str, str], None]
AGE_WARNING = (
    "These observations are 3 hours old, and much may have changed since: renew them with "
    "callplane snapshot save"
)


def quiet() -> Estate:
    """Everything is as declared."""
    estate = Estate()
    estate.stock(range(10))
    estate.hire("anna", index=1)
    estate.declare("anna")
    return estate


def busy() -> Estate:
    """One of everything that a plan can say."""
    estate = Estate()
    estate.stock(range(100))
    for index in range(60, 100):
        estate.hire(f"calm{index}", index=index)
        estate.declare(f"calm{index}")
    estate.hire("joiner")
    estate.declare("joiner", policies=[{"type": "TeamsCallingPolicy", "name": "Sales"}])
    estate.hire("mover", index=1)
    estate.declare("mover", phoneNumber={"e164": number(2).text})
    for name, wanted, index in (("swaps", 4, 3), ("swapped", 3, 4)):
        estate.hire(name, index=index)
        estate.declare(name, phoneNumber={"e164": number(wanted).text})
    estate.hire("quitter", index=5)
    estate.declare("quitter", phoneNumber={"none": {}})
    estate.hire("leaver", index=6)
    estate.declare("leaver")
    estate.remove("TeamsUser", "leaver")
    estate.hire("kept", index=7)
    estate.declare("kept", onDelete="Detach")
    estate.remove("TeamsUser", "kept")
    estate.hire("drifted", index=8)
    estate.policies("drifted", TeamsCallingPolicy="Basic|Plan", TenantDialPlan="London")
    estate.declare(
        "drifted",
        policies=[
            {"type": "TeamsCallingPolicy", "name": "Sales_Plan"},
            {"type": "TenantDialPlan", "name": ""},
        ],
    )
    drifted = estate.holders["drifted"]
    applied = {**drifted.applied, "policy/TeamsCallingPolicy": {"name": "Sales_Plan"}}
    estate.holders["drifted"] = replace(drifted, applied=applied)
    estate.hire("stranger", index=9, ours=False)
    estate.declare("stranger", phoneNumber={"none": {}})
    estate.hire("adopted", index=10, ours=False)
    estate.declare("adopted")
    estate.hire("unlicensed", licence=LicenceState.ABSENT)
    estate.declare("unlicensed")
    estate.declare("unknown")
    estate.hire("watched", index=11)
    estate.declare("watched", phoneNumber={"none": {}}, managementPolicy="Observe")
    placed(estate)
    return estate


def placed(estate: Estate) -> None:
    """Two people with an emergency location, one of whom has to move."""
    new, old = "5f1d7a2c-0b6e-4f3a-8c41-9e2b7d6a5c33", "5f1d7a2c-0b6e-4f3a-8c41-9e2b7d6a5c00"
    address = {"street": "1 Example Street", "town": "London", "postcode": "ZZ99 9ZZ"}
    office = {"address": address, "teamsLocationId": new}
    estate.put("EmergencyLocation", "office", office, namespace="sales")
    estate.hire("relocated", index=12)
    estate.give("relocated", 12, location=old)
    estate.declare("relocated", emergencyLocationRef={"name": "office"})
    estate.hire("arrived")
    estate.declare("arrived", emergencyLocationRef={"name": "office"})


def held() -> Estate:
    """More leavers than may go unapproved."""
    estate = Estate()
    estate.stock(range(100))
    for index in range(30):
        estate.hire(f"person{index:02}", index=index)
        estate.declare(f"person{index:02}")
    for index in range(8):
        estate.remove("TeamsUser", f"person{index:02}")
    return estate


def without_register() -> Estate:
    """A snapshot that was taken without the database, of a tenant with Calling Plan numbers."""
    estate = quiet()
    estate.has_register = False
    estate.numbers[number(300)] = NumberOnPlatform(number(300), NumberType.CALLING_PLAN)
    return estate


ESTATES = {
    "quiet": quiet,
    "busy": busy,
    "held": held,
    "without-register": without_register,
}


@pytest.fixture(params=sorted(ESTATES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def planned(name: str) -> Plan:
    return await ESTATES[name]().plan()


async def test_text(name: str, compare: Compare) -> None:
    plan = await planned(name)
    compare(f"plans/{name}.txt", rendering.text(plan, content_hash=plan.content_hash))


async def test_markdown(name: str, compare: Compare) -> None:
    plan = await planned(name)
    compare(f"plans/{name}.md", rendering.markdown(plan, content_hash=plan.content_hash))


async def test_json(name: str, compare: Compare) -> None:
    plan = await planned(name)
    content = document.to_json(plan, content_hash=plan.content_hash)
    compare(f"plans/{name}.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")


async def test_masked_text_holds_no_full_number(compare: Compare) -> None:
    plan = await planned("busy")
    shown = rendering.text(document.masked(plan), content_hash=plan.content_hash)
    assert "+4420794600" not in shown
    compare("plans/busy-masked.txt", shown)


async def test_old_observations_are_said_in_the_first_line(compare: Compare) -> None:
    plan = await planned("quiet")
    hashed = plan.content_hash
    text = rendering.text(plan, content_hash=hashed, age_warning=AGE_WARNING)
    assert text.splitlines()[0] == AGE_WARNING
    shown = rendering.markdown(plan, content_hash=hashed, age_warning=AGE_WARNING)
    assert AGE_WARNING in shown.splitlines()[0]


async def test_the_same_plan_has_the_same_bytes(name: str) -> None:
    plans = [await planned(name), await planned(name)]
    texts = {rendering.text(plan, content_hash=plan.content_hash) for plan in plans}
    assert len(texts) == 1


@pytest.mark.parametrize("variable", ["CI", "CALLPLANE_COMPLETE"])
def test_golden_files_are_accepted_by_people_only(variable: str) -> None:
    conftest = runpy.run_path(str(Path(__file__).with_name("conftest.py")))
    is_accepting = conftest["is_accepting"]
    assert not is_accepting({variable: "1"})
    assert is_accepting({"CALLPLANE_ACCEPT_GOLDEN": "1"})
    with pytest.raises(pytest.UsageError, match="refused"):
        is_accepting({"CALLPLANE_ACCEPT_GOLDEN": "1", variable: "1"})
