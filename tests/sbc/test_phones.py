"""Phones: known by their digest or the address they registered from, both of them local."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from callplane.callcontrol.messages import Authorise, Registered
from callplane.sbc.model import Phone
from callplane.testing import dialled_forms, polling, sbc_estates, sbc_world
from callplane.testing.kamailio_process import Kamailio
from callplane.testing.sbc_estates import LoopbackSbc
from callplane.testing.sbc_world import SbcWorld
from callplane.testing.sip_digest import Credentials
from callplane.testing.sip_endpoint import SECONDS, Call, Endpoint, Message
from callplane.values import E164

REALM = "sbc1.callplane.example"
BOB = Credentials("bob", REALM, sbc_estates.PASSWORD)
CAROL = Credentials("carol", REALM, "another sample")
NUMBERS = {"bob": "+442079460100", "carol": "+442079460101"}
ADDRESSES = {"bob": "127.0.0.31", "carol": "127.0.0.32"}


@dataclass
class PhonesWorld:
    world: SbcWorld

    @property
    def face(self) -> tuple[str, int]:
        return ("127.0.0.1", self.world.estate.ports.phones)

    async def phone(self, credentials: Credentials) -> Endpoint:
        return await self.world.at(ADDRESSES[credentials.user])

    async def register(
        self,
        phone: Endpoint,
        credentials: Credentials,
        *,
        to: str = "",
        expires: int = 300,
        seconds: float = SECONDS,
    ) -> list[int]:
        """Statuses of a registration without and then with credentials."""
        uri, address = f"sip:{REALM}", f"<sip:{to or credentials.user}@{REALM}>"
        statuses: list[int] = []
        given: tuple[tuple[str, str], ...] = ()
        for number in (1, 2):
            request = phone.request(
                "REGISTER",
                uri,
                ("From", f"{address};tag=1"),
                ("To", address),
                ("Call-ID", f"register-{credentials.user}"),
                ("CSeq", f"{number} REGISTER"),
                ("Contact", phone.contact),
                ("Expires", str(expires)),
                *given,
            )
            answer = await phone.transact(request, self.face, seconds=seconds)
            statuses.append(answer.status)
            if answer.status != 401:
                break
            challenge = answer.get("WWW-Authenticate")
            given = (("Authorization", credentials.answer(challenge, "REGISTER", uri)),)
        return statuses

    async def call(
        self,
        phone: Endpoint,
        dialled: str,
        credentials: Credentials | None = None,
        *,
        seconds: float = SECONDS,
    ) -> Call:
        """A call that answers one challenge when it has credentials."""
        uri = dialled if ":" in dialled else f"sip:{dialled}@{REALM}"
        call = await phone.call(uri, self.face, caller="4001", seconds=seconds)
        if credentials is None or call.status != 407:
            return call
        challenge = call.final.get("Proxy-Authenticate")
        answer = credentials.answer(challenge, "INVITE", uri)
        headers = (("Proxy-Authorization", answer),)
        return await phone.call(uri, self.face, caller="4001", headers=headers, seconds=seconds)


@pytest.fixture(scope="module")
def estate() -> LoopbackSbc:
    phones = tuple(Phone(one.user, one.digest, E164(NUMBERS[one.user])) for one in (BOB, CAROL))
    return LoopbackSbc(phones=phones)


@pytest.fixture
async def phones(estate: LoopbackSbc, tmp_path: Path) -> AsyncGenerator[PhonesWorld]:
    kamailio = Kamailio.rendered(estate.sbc(), tmp_path)
    async with sbc_world.around(estate, kamailio) as world:
        yield PhonesWorld(world)


async def test_a_phone_registers_and_is_called(phones: PhonesWorld) -> None:
    bob = await phones.phone(BOB)
    alpha, _, _ = await phones.world.carriers()
    called = phones.world.uri(NUMBERS["bob"])
    assert (await alpha.call(called, phones.world.estate.core)).status == 480
    assert await phones.register(bob, BOB) == [401, 200]
    call = await alpha.call(called, phones.world.estate.core)
    assert call.status == 200
    (invite,) = bob.requests("INVITE")
    assert invite.user == "test"
    assert (await call.bye()).status == 200
    await bob.methods("INVITE", "ACK", "BYE")


async def test_a_phone_behind_a_router_that_translates_addresses(phones: PhonesWorld) -> None:
    """It knows itself by an address that nobody else can reach, and is called, calls an emergency
    service and hears of each end all the same.
    """
    bob = await phones.phone(BOB)
    _, bravo, _ = carriers = await phones.world.carriers()
    bob.contact_host = "192.0.2.31"
    assert await phones.register(bob, BOB) == [401, 200]
    call = await carriers[0].call(phones.world.uri(NUMBERS["bob"]), phones.world.estate.core)
    assert call.status == 200
    assert (await call.bye()).status == 200
    await bob.methods("INVITE", "ACK", "BYE")
    bob.received.clear()
    carriers[0].received.clear()
    assert (await phones.call(bob, "999")).status == 200
    (invite,) = carriers[0].requests("INVITE")
    ended = await carriers[0].transact(carriers[0].hang_up(invite), phones.world.estate.core)
    assert ended.status == 200
    await bob.methods("BYE")
    assert bravo.received == []


async def test_a_phone_that_does_not_ask_for_it_is_answered_where_it_speaks_from(
    phones: PhonesWorld,
) -> None:
    """Its router has another port for it than its Via says, and it knows no rport."""
    bob = await phones.phone(BOB)
    invite = bob.begin(f"sip:999@{REALM}")
    via = invite.get("Via").replace(f":{bob.address[1]};", ":9;")
    others = tuple(header for header in invite.headers if header[0] != "Via")
    invite = replace(invite, headers=(("Via", via), *others))
    assert (await bob.transact(invite, phones.face)).status == 407


async def test_a_call_of_such_a_phone_ends_on_both_sides_with_its_grant(
    phones: PhonesWorld,
) -> None:
    bob = await phones.phone(BOB)
    alpha, _, _ = await phones.world.carriers()
    bob.contact_host = "192.0.2.31"
    await phones.world.call_control(sbc_world.allow(2))
    assert (await phones.call(bob, "+441614960123", BOB)).status == 200
    await asyncio.to_thread(
        polling.until, lambda: bob.requests("BYE") and alpha.requests("BYE"), "both are told"
    )


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials("bob", REALM, "wrong"),
        Credentials("mallory", REALM, "x"),
        Credentials("bob", "other.example", sbc_estates.PASSWORD),
    ],
)
async def test_a_wrong_digest_registers_nobody(
    phones: PhonesWorld, credentials: Credentials
) -> None:
    endpoint = await phones.world.at("127.0.0.31")
    assert await phones.register(endpoint, credentials) == [401, 401]
    assert (await phones.call(endpoint, "999")).status == 407


async def test_a_phone_registers_its_own_address_only(phones: PhonesWorld) -> None:
    carol = await phones.phone(CAROL)
    assert await phones.register(carol, CAROL, to="bob") == [401, 403]


async def test_a_phone_that_has_signed_off_is_a_stranger_again(phones: PhonesWorld) -> None:
    await phones.world.carriers()
    bob = await phones.phone(BOB)
    await phones.register(bob, BOB)
    assert (await phones.call(bob, "999")).status == 200
    assert await phones.register(bob, BOB, expires=0) == [401, 200]
    assert (await phones.call(bob, "999")).status == 407


@pytest.mark.parametrize("how", ["digest", "registered"])
@pytest.mark.parametrize("dialled", ["999", "112", "tel:+44999", "111", "9-9-9"])
async def test_emergency_and_exempt_calls_of_a_phone(
    phones: PhonesWorld, how: str, dialled: str
) -> None:
    """With everything else dead; by digest without a registration, or from a registered contact."""
    alpha, bravo, charlie = await phones.world.carriers()
    bob = await phones.phone(BOB)
    if how == "registered":
        await phones.register(bob, BOB)
    call = await phones.call(bob, dialled, BOB if how == "digest" else None)
    assert call.status == 200
    invites = [one for carrier in (alpha, bravo, charlie) for one in carrier.requests("INVITE")]
    assert len(invites) == 1
    assert invites[0].get("Proxy-Authorization") == ""
    assert NUMBERS["bob"] in invites[0].get("P-Asserted-Identity")
    assert (await call.bye()).status == 200


async def test_r7_call_control_is_told_of_a_phone_that_registers(phones: PhonesWorld) -> None:
    """Once an hour, however often it does; not of one that proves nothing or signs off. What could
    not be told for want of a call control is told when the phone registers again.
    """
    bob, carol = await phones.phone(BOB), await phones.phone(CAROL)
    assert await phones.register(bob, BOB) == [401, 200]
    stand_in = await phones.world.call_control(sbc_world.silent)
    assert await phones.register(carol, Credentials("carol", REALM, "wrong")) == [401, 401]
    assert await phones.register(carol, CAROL, expires=0) == [401, 200]
    for _ in range(3):
        assert await phones.register(bob, BOB) == [401, 200]
    # Whoever is asked about comes after what was told before.
    await phones.call(bob, "+441614960123")
    assert stand_in.heard[0] == Registered("bob", REALM)
    assert [one for one in stand_in.heard if isinstance(one, Registered)] == stand_in.heard[:1]


async def test_every_form_from_a_registered_phone(phones: PhonesWorld) -> None:
    await phones.world.carriers()
    bob = await phones.phone(BOB)
    await phones.register(bob, BOB)
    wrong = []
    for form in dialled_forms.SERVED[::3]:
        if form.outside_line:
            continue
        call = await bob.call(form.request_uri(REALM), phones.face)
        if call.status != 200:
            wrong.append(f"{form}: {call.final.start}")
        else:
            await call.bye()
    assert wrong == []


async def test_who_is_asked_about_is_the_user_of_the_digest(phones: PhonesWorld) -> None:
    stand_in = await phones.world.call_control(sbc_world.allow(60))
    await phones.world.carriers()
    bob = await phones.phone(BOB)
    call = await phones.call(bob, "+441614960123", BOB)
    assert call.status == 200
    (asked,) = stand_in.asked()
    assert isinstance(asked, Authorise)
    assert (asked.digest_user, asked.ingress, asked.caller) == ("bob", "bob", NUMBERS["bob"])


@pytest.mark.parametrize("agent", ["friendly-scanner", "sipvicious", "VaxSIPUserAgent/3.1"])
async def test_scanners_get_no_answer(phones: PhonesWorld, agent: str) -> None:
    scanner = await phones.world.at(sbc_estates.STRANGER)
    with pytest.raises(TimeoutError):
        await scanner.call(
            f"sip:100@{REALM}", phones.face, headers=(("User-Agent", agent),), seconds=0.5
        )
    for method in ("OPTIONS", "SUBSCRIBE", "BYE"):
        with pytest.raises(TimeoutError):
            await scanner.transact(_bare(scanner, method), phones.face, seconds=0.3)
    assert scanner.answered == []


async def test_who_guesses_too_often_is_dropped_and_may_still_prove_itself_for_999(
    phones: PhonesWorld,
) -> None:
    """A phone behind the same address as a scanner."""
    await phones.world.carriers()
    bob = await phones.phone(BOB)
    for _ in range(200):
        bob.send(_bare(bob, "REGISTER"), phones.face)
    with pytest.raises(TimeoutError):
        await phones.register(bob, Credentials("bob", REALM, "guess"), seconds=2)
    with pytest.raises(TimeoutError):
        await phones.call(bob, "+441614960123", seconds=2)
    call = await phones.call(bob, "999", BOB)
    assert call.status == 200
    assert (await call.bye()).status == 200


def _bare(endpoint: Endpoint, method: str) -> Message:
    return endpoint.request(
        method,
        f"sip:{REALM}",
        ("From", f"<sip:100@{REALM}>;tag=1"),
        ("To", f"<sip:100@{REALM}>"),
        ("Call-ID", method),
        ("CSeq", f"1 {method}"),
    )
