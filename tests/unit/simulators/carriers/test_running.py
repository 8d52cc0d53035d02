"""A carrier over real sockets, steered from outside, and in a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from callplane.sandbox.simulator_control import SimulatorControl, SimulatorRefused
from callplane.simulators.__main__ import main
from callplane.simulators.carrier_command import CARRIERS
from callplane.simulators.carriers.running import RunningCarrier, running_carrier
from callplane.simulators.carriers.seeding import (
    DEFAULT_ACCOUNT,
    DEFAULT_SECRET,
    DEFAULT_USER,
    RangeSeed,
    WorldSeed,
)
from callplane.simulators.simwood.surface import SimwoodSurface
from callplane.simulators.simwood.world import SimwoodWorld

FIRST = "442079460000"
SEED_FILE = """\
seed: 3
settings: {order_seconds: 2}
accounts: [{id: "930001", balance_minor: 5}]
ranges: [{first: "+442079460000", count: 2, owner: "930001"}]
faults: [{effect: drop-after, kinds: [buyNumber], times: 1}]
"""


@pytest.fixture
async def carrier() -> AsyncIterator[RunningCarrier]:
    seed = WorldSeed(ranges=(RangeSeed("+442079460000", 2),))
    async with running_carrier(SimwoodWorld(seed=seed), SimwoodSurface()) as carrier:
        yield carrier


async def buy(carrier: RunningCarrier) -> int:
    user = aiohttp.encode_basic_auth(DEFAULT_USER, DEFAULT_SECRET)
    url = f"{carrier.api_url}/numbers/{DEFAULT_ACCOUNT}/allocated/{FIRST}"
    async with (
        aiohttp.ClientSession(headers={"Authorization": user}) as session,
        session.put(url) as answer,
    ):
        return answer.status


async def test_a_cut_connection_leaves_the_number_bought(carrier: RunningCarrier) -> None:
    control = SimulatorControl(carrier.control_url)
    rule = await asyncio.to_thread(
        control.add_fault, effect="drop-after", kinds=["buyNumber"], times=2
    )
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await buy(carrier)

    assert await asyncio.to_thread(control.holder, f"+{FIRST}") == DEFAULT_ACCOUNT
    writes = await asyncio.to_thread(control.writes)
    # The client sends a PUT once more by itself when its connection breaks.
    assert [(write["kind"], write["committed"]) for write in writes] == [("buyNumber", True)] * 2
    assert [charge.what for charge in carrier.world.account().charges] == ["setup", "month"]
    faults = await asyncio.to_thread(control.faults)
    assert [(fault["id"], fault["struck"]) for fault in faults] == [(rule, 2)]


async def test_the_world_is_steered_from_outside(carrier: RunningCarrier) -> None:
    def steer() -> None:
        control = SimulatorControl(carrier.control_url)
        described = control.describe()
        assert "buyNumber" in described["fault_kinds"]
        assert "(number)" in described["portal"]["sell"].replace(": 'str'", "")
        control.portal("give", number=f"+{FIRST}")
        control.portal("sell", number="+442079460001")
        assert [change["by"] for change in control.changes()] == ["portal", "portal"]
        assert list(control.state()["numbers"]) == [f"+{FIRST}"]
        assert control.change_settings(report_seconds=2.5)["report_seconds"] == 2.5
        assert control.add_tenant(id="930002", balance_minor=7) == "930002"
        second = SimulatorControl(carrier.control_url, tenant="930002")
        assert second.state() == {"balance_minor": 7, "numbers": {}, "orders": [], "ports": []}
        control.clear_faults()
        control.forget()
        assert control.counters()["writes"] == 0
        for action, arguments in (
            ("fly", {}),
            ("_number", {}),
            ("sell", {}),
            ("sell", {"number": "+442079460001"}),
        ):
            with pytest.raises(SimulatorRefused):
                second.portal(action, **arguments)
        with pytest.raises(SimulatorRefused, match="name one"):
            control.state()
        with pytest.raises(SimulatorRefused, match="unknown setting"):
            control.change_settings(speed=1)

    await asyncio.to_thread(steer)


@pytest.mark.parametrize("name", sorted(CARRIERS))
def test_each_carrier_makes_a_world_and_says_who_it_is(name: str) -> None:
    make_world, make_surface = CARRIERS[name]
    world, surface = make_world(), make_surface()
    assert surface.name == world.name == name
    assert list(world.accounts) == [world.default_account]
    assert len(world.on_sale()) == 1000


def test_a_process_of_its_own_prints_one_ready_line_and_stops(tmp_path: Path) -> None:
    seed_file = tmp_path / "world.yaml"
    seed_file.write_text(SEED_FILE, encoding="utf-8")
    command = [sys.executable, "-m", "callplane.simulators", "simwood"]
    options = [f"--seed-file={seed_file}", "--set=report_seconds=7"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            control = SimulatorControl(ready["control_url"])
            state, settings, faults = control.state(), control.settings(), control.faults()
        finally:
            process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()

    assert (process.returncode, rest) == (0, "")
    assert ready["simulator"] == "simwood"
    assert ready["api_url"] == f"{ready['base_url']}/v3"
    assert ready["accounts"] == ["930001"]
    assert state["balance_minor"] == 5
    assert len(state["numbers"]) == 2
    assert (settings["order_seconds"], settings["report_seconds"]) == (2, 7)
    assert [fault["effect"] for fault in faults] == ["drop-after"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("accounts: [{name: x}]", "accounts[0].name: unknown field"),
        ("ranges: [{first: '020'}]", "a number with plus is wanted"),
        ("ranges: [{first: '+442079460000', owner: '7'}]", "no account '7'"),
        ("settings: {speed: 1}", "settings.speed: unknown setting"),
        ("[]", "a mapping is wanted"),
    ],
)
def test_a_bad_seed_file_is_told_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, text: str
) -> None:
    seed_file = tmp_path / "world.yaml"
    seed_file.write_text(content, encoding="utf-8")
    assert main(["simwood", f"--seed-file={seed_file}"]) == 1
    assert text in capsys.readouterr().err
