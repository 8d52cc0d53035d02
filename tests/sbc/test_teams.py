"""Direct Routing over TLS, without a name server: OPTIONS, calls both ways, and 999 from Teams."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest

from callplane.callcontrol.kamailio_rpc import KamailioRpc
from callplane.callcontrol.renewing import CertificateFollower
from callplane.clock import SystemClock
from callplane.testing import dialled_forms, polling, sbc_estates, sbc_world, sip_certificates
from callplane.testing.kamailio_process import Kamailio
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.testing.sbc_world import SbcWorld
from callplane.testing.sip_certificates import SipCertificates
from callplane.testing.sip_tls_endpoint import TlsEndpoint

FQDN = "sbc1.callplane.example"
USER = "+442079460201"
OUTSIDE = "+441614960123"


@dataclass
class TeamsWorld:
    world: SbcWorld
    certificates: SipCertificates

    @property
    def face(self) -> tuple[str, int]:
        return ("127.0.0.1", self.world.estate.ports.public)

    async def host(self, number: int = 0, *, dialling: bool = True) -> TlsEndpoint:
        """A host of Teams, which names itself by its name."""
        endpoint = TlsEndpoint(
            (sbc_estates.TEAMS[number], self.world.estate.ports.peers),
            certificates=self.certificates,
            sbc_name=FQDN,
            contact_host="sip-du-a-euwe.pstnhub.invalid",
        )
        await self.world.stack.enter_async_context(endpoint)
        if dialling:
            await endpoint.dial(self.face)
        return endpoint


@pytest.fixture(scope="module")
def estate() -> LoopbackSbc:
    return LoopbackSbc(teams=True)


@pytest.fixture
async def teams(estate: LoopbackSbc, tmp_path: Path) -> AsyncGenerator[TeamsWorld]:
    certificates = sip_certificates.make(tmp_path, SystemClock().now(), sbc_name=FQDN)
    kamailio = Kamailio.rendered(estate.sbc(), tmp_path)
    async with sbc_world.around(estate, kamailio) as world:
        yield TeamsWorld(world, certificates)


def uri(dialled: str) -> str:
    return f"sip:{dialled}@{FQDN}:5061;user=phone;transport=tls"


async def test_a_certificate_for_servers_only_is_let_in(teams: TeamsWorld) -> None:
    """By the book it is refused; who Microsoft is, the list of addresses says."""
    host = await teams.host()
    _, bravo, _ = await teams.world.carriers()
    call = await host.call(uri("999"), teams.face, caller="+442079460001")
    assert call.status == 200
    assert len(bravo.requests("INVITE")) == 1


async def test_the_sbc_pings_first_and_by_its_name(teams: TeamsWorld) -> None:
    host = await teams.host(dialling=False)
    await asyncio.to_thread(polling.until, lambda: host.requests("OPTIONS"), "a ping")
    ping = host.requests("OPTIONS")[0]
    assert FQDN in ping.get("From")
    assert ping.get("Contact").startswith(f"<sip:{FQDN}:")
    assert "@" not in ping.uri.partition(":")[2]


@pytest.mark.parametrize("dialled", ["999", "+44999", "112", "18000", "111", "101"])
async def test_services_from_teams(teams: TeamsWorld, dialled: str) -> None:
    alpha, _, _ = await teams.world.carriers()
    host = await teams.host()
    call = await host.call(uri(dialled), teams.face, caller=USER)
    assert call.status == 200
    assert [invite.user for invite in alpha.requests("INVITE")] == [
        dialled.removeprefix("+44"),
    ]
    top = call.final.all("Record-Route")
    assert FQDN in call.final.get("Record-Route") or FQDN in "".join(top)
    assert (await call.bye()).status == 200
    await alpha.methods("INVITE", "ACK", "BYE")


async def test_every_form_from_teams(teams: TeamsWorld) -> None:
    await teams.world.carriers()
    host = await teams.host()
    wrong = []
    for form in dialled_forms.SERVED[::2]:
        if form.outside_line:
            continue
        call = await host.call(form.request_uri(FQDN), teams.face, caller=USER)
        if call.status != 200:
            wrong.append(f"{form}: {call.final.start}")
        else:
            await call.bye()
    assert wrong == []


async def test_the_carrier_hangs_up_although_teams_has_names_only(teams: TeamsWorld) -> None:
    """Its BYE reaches Teams over the connection, without a name server."""
    alpha, _, _ = await teams.world.carriers()
    host = await teams.host()
    call = await host.call(uri("999"), teams.face, caller=USER)
    assert call.status == 200
    (invite,) = alpha.requests("INVITE")
    bye = alpha.hang_up(invite)
    assert (await alpha.transact(bye, teams.world.estate.core)).status == 200
    assert len(host.requests("BYE")) == 1


async def test_the_carrier_hangs_up_a_call_that_was_asked_about(teams: TeamsWorld) -> None:
    """Another process of the SBC goes on with it than the one that took it."""
    alpha, _, _ = await teams.world.carriers()
    await teams.world.call_control(sbc_world.allow(60))
    host = await teams.host()
    call = await host.call(uri(OUTSIDE), teams.face, caller=USER)
    assert call.status == 200
    (invite,) = alpha.requests("INVITE")
    bye = alpha.hang_up(invite)
    assert (await alpha.transact(bye, teams.world.estate.core)).status == 200
    assert len(host.requests("BYE")) == 1


async def test_a_call_of_teams_ends_on_both_sides_with_its_grant(teams: TeamsWorld) -> None:
    alpha, _, _ = await teams.world.carriers()
    await teams.world.call_control(sbc_world.allow(2))
    host = await teams.host()
    call = await host.call(uri(OUTSIDE), teams.face, caller=USER)
    assert call.status == 200
    await asyncio.to_thread(
        polling.until, lambda: host.requests("BYE") and alpha.requests("BYE"), "both are told"
    )


async def test_inbound_calls_reach_teams_by_its_name(teams: TeamsWorld) -> None:
    alpha, _, _ = await teams.world.carriers()
    host = await teams.host(dialling=False)
    call = await alpha.call(
        teams.world.uri(sbc_estates.IN_TEAMS.first.text), teams.world.estate.core, caller=OUTSIDE
    )
    assert call.status == 200
    (invite,) = host.requests("INVITE")
    assert invite.uri.startswith(f"sip:{sbc_estates.IN_TEAMS.first}@sip1.pstnhub.callplane.example")
    top = invite.all("Record-Route")[0].split(",")[0]
    assert top.startswith(f"<sip:{FQDN}:")
    assert "transport=tls" in top
    assert (await call.bye()).status == 200
    await host.methods("INVITE", "ACK", "BYE", beside="OPTIONS")


async def test_inbound_calls_try_the_next_host(teams: TeamsWorld) -> None:
    """The first does not even take the connection."""
    alpha, _, _ = await teams.world.carriers()
    second = await teams.host(1, dialling=False)
    call = await alpha.call(
        teams.world.uri(sbc_estates.IN_TEAMS.first.text),
        teams.world.estate.core,
        caller=OUTSIDE,
        seconds=12,
    )
    assert call.status == 200
    assert len(second.requests("INVITE")) == 1


async def test_a_draining_sbc_says_so_to_teams(teams: TeamsWorld) -> None:
    host = await teams.host()
    await teams.world.carriers()
    teams.world.kamailio.rpc("htable.seti", "state", "drain", 1)
    headers = (
        ("From", "<sip:sip1.pstnhub.callplane.example>;tag=1"),
        ("To", f"<sip:{FQDN}>"),
        ("Call-ID", "ping"),
        ("CSeq", "1 OPTIONS"),
    )
    ping = host.request("OPTIONS", f"sip:{FQDN}:5061;transport=tls", *headers)
    assert (await host.transact(ping, teams.face)).status == 503
    assert (await host.call(uri("999"), teams.face, caller=USER)).status == 200


async def test_a_stranger_on_the_public_face_gets_no_answer(teams: TeamsWorld) -> None:
    stranger = TlsEndpoint(
        (sbc_estates.STRANGER, teams.world.estate.ports.peers),
        certificates=teams.certificates,
        sbc_name=FQDN,
    )
    async with stranger:
        await stranger.dial(teams.face)
        with pytest.raises(TimeoutError):
            await stranger.call(uri("999"), teams.face, seconds=1)
        assert stranger.answered == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_old_tls_is_refused(teams: TeamsWorld, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_verify_locations(teams.certificates.folder / "ca.pem")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = context.maximum_version = version
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(*teams.face, ssl=context, server_hostname=FQDN)


async def test_a_renewed_certificate_is_loaded_and_calls_go_on(
    teams: TeamsWorld, tmp_path: Path
) -> None:
    """As call control has it loaded; who is connected stays so, who connects sees the new one."""
    host = await teams.host()
    clock = SystemClock()
    follower = CertificateFollower(KamailioRpc(tmp_path / "rpc.sock"), tmp_path / "tls.crt", clock)
    follower.look()
    first = await asyncio.to_thread(_shown, teams)
    sip_certificates.make(tmp_path, clock.now(), sbc_name=FQDN)
    follower.look()
    assert await asyncio.to_thread(_shown, teams) == first
    follower.look()
    assert await asyncio.to_thread(_shown, teams) != first
    await teams.world.carriers()
    call = await host.call(uri("999"), teams.face, caller="+442079460001")
    assert call.status == 200


def _shown(teams: TeamsWorld) -> str:
    """The certificate that the SBC shows to whoever connects now."""
    return ssl.get_server_certificate(teams.face)
