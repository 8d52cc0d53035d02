"""Objects into the values of an SBC: what goes where, and every reason why it cannot."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from callplane.apis import parsing
from callplane.apis.model import Resource
from callplane.cli import sbc_command
from callplane.sbc import declared, rendering
from callplane.sbc.model import NumberBlock, Phone, Sbc
from callplane.sbc.problems import Problem
from callplane.values import E164

GOLDEN = Path(__file__).parents[2] / "golden" / "sbc" / "london.yaml"
NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
DEPOT = {"name": "depot"}
ACCOUNT = {"name": "acme"}


@pytest.fixture(scope="module")
def london() -> Sbc:
    sbc, complaints = sbc_command.understand(GOLDEN.read_bytes())
    assert sbc is not None, complaints
    return sbc


def made(kind: str, name: str, **spec: Any) -> Resource:
    parsed = parsing.parse_strict(
        {
            "apiVersion": "callplane.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": name, "namespace": "platform"},
            "spec": spec,
        }
    )
    assert parsed.resource is not None, parsed.errors
    return parsed.resource


def number(last: int) -> str:
    return f"+44161496{last:04d}"


def sbc() -> Resource:
    return made("SessionBorderController", "main", domain="sip.callplane.example")


def block(**more: Any) -> Resource:
    spec = {
        "first": number(400),
        "last": number(409),
        "route": "DirectRouting",
        "carrierRef": {"name": "bravo"},
        **more,
    }
    return made("NumberRange", "depot", **{key: spec[key] for key in spec if spec[key] is not None})


def trunk(**more: Any) -> Resource:
    spec = {
        "sbcRef": {"name": "main"},
        "trunk": "depot",
        "targets": ["192.0.2.70:5060"],
        "sources": ["192.0.2.70/32"],
        "numberRangeRefs": [DEPOT],
        "accountRef": ACCOUNT,
        "outsideLine": "9",
        "emergencyCallbackNumber": number(400),
        **more,
    }
    return made("PbxTrunk", "depot", **{key: spec[key] for key in spec if spec[key] is not None})


def joined(london: Sbc, *resources: Resource) -> tuple[Sbc | None, tuple[Problem, ...]]:
    everything = (sbc(), *resources)
    return declared.with_declared(london, everything, name=("platform", "main"), now=NOW)


def added(london: Sbc, *resources: Resource) -> list[NumberBlock]:
    found, problems = joined(london, *resources)
    assert found is not None, [str(problem) for problem in problems]
    return list(found.numbers[len(london.numbers) :])


def spans(blocks: list[NumberBlock]) -> list[tuple[str, str, str]]:
    return [
        (str(one.span.first)[-3:], str(one.span.last)[-3:], one.target)
        for one in sorted(blocks, key=lambda one: one.span)
    ]


def test_a_pbx_is_a_peer_with_its_range(london: Sbc) -> None:
    found, problems = joined(london, block(), trunk())
    assert problems == ()
    assert found is not None
    peer = found.trunks[-1]
    assert (peer.name, peer.outside_line) == ("depot", "9")
    assert peer.emergency_callback_number == E164(number(400))
    assert spans(list(found.numbers[len(london.numbers) :])) == [("400", "409", "depot")]
    (pbx,) = found.numbers[len(london.numbers) :]
    assert (pbx.carrier, pbx.account) == ("bravo", "acme")
    files = rendering.render(found)
    assert "192.0.2.70 32 0 depot" in files["address.list"]
    assert '$avp(peer) == "depot"' in files["services.cfg"]


def test_whoever_states_a_number_of_the_range_has_it(london: Sbc) -> None:
    person = {"tenantRef": {"name": "t"}, "userPrincipalName": "a@example.com"}
    teams = made("TeamsUser", "ann", **person, phoneNumber={"e164": number(402)})
    elsewhere = made("TeamsUser", "ben", **person, phoneNumber={"e164": "+442079460100"})
    webex = made(
        "WebexUser",
        "cem",
        organizationRef={"name": "o"},
        email="c@example.com",
        phoneNumber={"e164": number(403)},
        accountRef={"name": "other"},
    )
    desk = made(
        "ServiceLine",
        "desk",
        sip={"sbcRef": {"name": "main"}, "uri": "sip:desk@192.0.2.81"},
        phoneNumber={"e164": number(409)},
        accountRef=ACCOUNT,
    )
    found = added(london, block(accountRef=ACCOUNT), trunk(), teams, elsewhere, webex, desk)
    assert spans(found) == [
        ("400", "401", "depot"),
        ("402", "402", "Teams"),
        ("403", "403", "webex"),
        ("404", "408", "depot"),
        ("409", "409", "sip:desk@192.0.2.81"),
    ]
    assert {one.account for one in found} == {"acme", "other"}


def test_a_phone_must_be_in_the_values_where_its_digest_is(london: Sbc) -> None:
    phone = {
        "sbcRef": {"name": "main"},
        "credentials": {"passwordRef": {"name": "a", "key": "b"}},
        "accountRef": ACCOUNT,
        "phoneNumber": {"e164": number(405)},
    }
    bob = made("SipPhone", "bob", username="bob", **phone)
    assert spans(added(london, block(), bob)) == [("405", "405", "phone:bob")]
    eve = made("SipPhone", "eve", username="eve", **phone)
    found, problems = joined(london, block(), eve)
    assert found is None
    assert [str(each) for each in problems] == ["numbers[5].target names nothing here: phone:eve"]


def test_all_reasons_come_at_once(london: Sbc) -> None:
    drawn = made(
        "SipPhone",
        "bob",
        sbcRef={"name": "main"},
        username="bob",
        credentials={"passwordRef": {"name": "a", "key": "b"}},
        phoneNumber={"rangeRef": DEPOT},
    )
    lost = trunk(numberRangeRefs=[{"name": "nowhere"}], numbers=[number(401)], accountRef=None)
    found, problems = joined(london, block(carrierRef=None), lost, drawn)
    assert found is None
    shown = "\n".join(str(each) for each in problems)
    assert "of which nothing here says the carrier" in shown
    assert "draws its number from a range" in shown
    assert "names no range here: nowhere" in shown
    _, problems = joined(london, block(), trunk(accountRef=None))
    assert [str(each) for each in problems] == [
        "PbxTrunk platform/depot names no account, and neither do its numbers"
    ]


def test_a_phone_whose_digest_is_known_needs_no_values(london: Sbc) -> None:
    """The values' own phone keeps what they say of it, and one that nobody knows is refused."""
    digests = {
        "ann@sbc1.callplane.example": "f" * 32,
        "bob@sbc1.callplane.example": "e" * 32,
        "cem@another.callplane.example": "d" * 32,
    }

    def phone(name: str, last: int) -> Resource:
        return made(
            "SipPhone",
            name,
            username=name,
            sbcRef={"name": "main"},
            credentials={"passwordRef": {"name": "a", "key": "b"}},
            accountRef=ACCOUNT,
            phoneNumber={"e164": number(last)},
        )

    objects = (sbc(), block(), phone("ann", 406), phone("bob", 405))
    found, problems = declared.with_declared(
        london, objects, name=("platform", "main"), now=NOW, digests=digests
    )
    assert problems == ()
    assert found is not None
    assert found.phones is not None
    assert london.phones is not None
    assert found.phones.phones == (
        *london.phones.phones,
        Phone("ann", "f" * 32, E164(number(406))),
    )
    assert "f" * 32 in rendering.render(found)["phones.cfg"]
    found, problems = declared.with_declared(
        london, (*objects, phone("cem", 407)), name=("platform", "main"), now=NOW, digests=digests
    )
    assert found is None
    assert len(problems) == 1


def test_objects_of_another_sbc_stay_out(london: Sbc) -> None:
    assert added(london, block(), trunk(sbcRef={"name": "other"})) == []


def test_redirects_that_have_not_ended(london: Sbc) -> None:
    entries = [
        {"number": number(401), "to": number(402)},
        {"number": number(403), "to": number(402), "until": "2026-11-02T12:00:00Z"},
        {"number": number(404), "to": number(402), "until": "2026-11-02T12:00:01Z"},
    ]
    found, problems = joined(london, block(interimRedirects=entries), trunk())
    assert problems == ()
    assert found is not None
    ours = found.redirects[len(london.redirects) :]
    assert [(str(one.number)[-3:], str(one.to)[-3:]) for one in ours] == [
        ("401", "402"),
        ("404", "402"),
    ]


def test_a_redirect_of_a_number_that_somebody_states(london: Sbc) -> None:
    entries = [{"number": number(401), "to": number(402)}]
    ann = made(
        "TeamsUser",
        "ann",
        tenantRef={"name": "t"},
        userPrincipalName="ann@example.com",
        phoneNumber={"e164": number(401)},
        accountRef=ACCOUNT,
    )
    found, problems = joined(london, block(interimRedirects=entries), trunk(), ann)
    assert found is None
    assert [str(each) for each in problems] == [
        (
            "NumberRange platform/depot interimRedirects[0] +44…0401 is redirected, "
            "and TeamsUser platform/ann states it"
        )
    ]


def test_a_redirect_to_a_number_that_is_not_here(london: Sbc) -> None:
    entries = [{"number": number(401), "to": "+442079460999"}]
    found, problems = joined(london, block(interimRedirects=entries), trunk())
    assert found is None
    assert [str(each) for each in problems] == ["redirects[1].to is none of numbers: +44…0999"]
