"""Every kind of SBC passes Kamailio's own check, starts, and answers 999 at once."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from callplane.cli import sbc_command
from callplane.clock import SystemClock
from callplane.sbc.model import Phone
from callplane.testing import sbc_world, sip_certificates
from callplane.testing.kamailio_process import Kamailio
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.values import E164

PHONES = (Phone("bob", "0" * 32, E164("+442079460100")),)
GOLDEN = Path(__file__).parents[1] / "golden" / "sbc" / "london.yaml"
PARTS = ("phones", "teams", "media", "webex")


@pytest.mark.parametrize("parts", list(product([False, True], repeat=len(PARTS))), ids=str)
async def test_an_sbc_of_these_parts(tmp_path: Path, parts: tuple[bool, ...]) -> None:
    """`kamailio -c` finds no fault in a route that is missing, so each is started as well."""
    phones, teams, media, webex = parts
    estate = LoopbackSbc(phones=PHONES if phones else (), teams=teams, media=media, webex=webex)
    sip_certificates.make(tmp_path, SystemClock().now(), sbc_name="sbc1.callplane.example")
    kamailio = Kamailio.rendered(estate.sbc(), tmp_path)
    said = kamailio.check()
    assert "ERROR" not in said, said
    async with sbc_world.around(estate, kamailio) as world:
        await world.carriers()
        call = await (await world.pbx()).call(world.uri("999"), estate.core)
        assert call.status == 200
        assert (await call.bye()).status == 200


def test_the_example_with_everything_passes_the_check(tmp_path: Path) -> None:
    sbc, _ = sbc_command.understand(GOLDEN.read_bytes())
    assert sbc is not None
    sip_certificates.make(tmp_path, SystemClock().now(), sbc_name=sbc.fqdn)
    said = Kamailio.rendered(sbc, tmp_path).check()
    assert "ERROR" not in said, said


@pytest.mark.parametrize("missing", ["numbers.cfg", "services.cfg", "peers.cfg"])
def test_an_sbc_without_one_of_its_files_is_refused(tmp_path: Path, missing: str) -> None:
    kamailio = Kamailio.rendered(LoopbackSbc().sbc(), tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(AssertionError):
        kamailio.check()


@pytest.mark.parametrize("dialled", ["999", "+442079460002"])
async def test_behind_a_nat_others_see_its_outside_and_come_back_through_it(
    tmp_path: Path, dialled: str
) -> None:
    """A cloud's machine listens on a private address; carriers answer the public one."""
    outside = "203.0.113.7"
    estate = LoopbackSbc(phones=PHONES)
    kamailio = Kamailio.rendered(replace(estate.sbc(), advertised=outside), tmp_path)
    assert "ERROR" not in kamailio.check()
    async with sbc_world.around(estate, kamailio) as world:
        alpha, bravo, _ = await world.carriers()
        pbx = await world.pbx()
        caller, called = (pbx, bravo) if dialled == "999" else (alpha, pbx)
        call = await caller.call(world.uri(dialled), estate.core)
        assert call.status == 200
        (invite,) = called.requests("INVITE")
        port = estate.ports.core
        assert invite.all("Via")[0].startswith(f"SIP/2.0/UDP {outside}:{port};")
        assert f"<sip:{outside}:{port};" in invite.get("Record-Route")
        route = [*invite.all("Via"), *invite.all("Record-Route")]
        assert not any(f"127.0.0.1:{port}" in each for each in route)
        # What comes back names the outside, which the SBC takes for itself.
        assert f"<sip:{outside}:{port};" in call.final.get("Record-Route")
        assert (await call.bye()).status == 200
        await called.methods("INVITE", "ACK", "BYE")
