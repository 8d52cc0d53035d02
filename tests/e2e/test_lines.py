"""Services, phones and a PBX, as kubectl, the platforms and the register show them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from callplane.simulators.webex.seeding import (
    DEFAULT_CLIENT_ID,
    DEFAULT_ORGANISATION_ID,
    DEFAULT_REFRESH_TOKEN,
    DEFAULT_SECRET,
)
from callplane.testing import polling
from callplane.testing.estates import Estate, Manifest
from callplane.testing.live_world import LiveWorld

pytestmark = pytest.mark.usefixtures("operator")

NONE: dict[str, Any] = {"none": {}}
DESK = "desk@services.example"
PASSWORD = "a sample password"


def manifest(kind: str, name: str, namespace: str, **spec: Any) -> Manifest:
    return {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def secret(name: str, namespace: str, **content: str) -> Manifest:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": content}


def sbc(estate: Estate) -> Manifest:
    return manifest(
        "SessionBorderController",
        "sbc",
        estate.platform,
        domain=f"sip.{estate.domain}",
        changeLimits={"settle": "1s"},
        allowedNamespaces=[{"name": estate.team}],
    )


def at(estate: Estate, name: str) -> dict[str, str]:
    return {"name": name, "namespace": estate.platform}


def phone(estate: Estate, number: dict[str, Any]) -> Manifest:
    return manifest(
        "SipPhone",
        "workshop",
        estate.team,
        sbcRef=at(estate, "sbc"),
        username="workshop",
        credentials={"passwordRef": {"name": "workshop", "key": "password"}},
        phoneNumber=number,
    )


def pbx(estate: Estate, *numbers: str) -> Manifest:
    return manifest(
        "PbxTrunk",
        "branch",
        estate.team,
        sbcRef=at(estate, "sbc"),
        trunk="branch",
        targets=["192.0.2.65:5060"],
        sources=["192.0.2.65/32"],
        numbers=list(numbers),
    )


def holder(world: LiveWorld, number: str) -> list[str]:
    """Who has the number, without platform and domain, and its state."""
    told = world.sql(f"select holder, state from register.numbers where number = '{number}'")
    return [told[0][0].split("/", 2)[2], told[0][1]] if told else []


def given(world: LiveWorld, number: str, name: str) -> None:
    polling.until(lambda: holder(world, number) == [name, "Assigned"], f"{name} has it")


def causes(world: LiveWorld, number: str) -> list[str]:
    told = world.sql(
        f"select cause from register.number_events where number = '{number}' order by sequence"
    )
    return [cause for (cause,) in told]


def test_a_number_goes_from_teams_to_a_phone_to_a_pbx_and_back(live_world: LiveWorld) -> None:
    estate = live_world.estate()
    number = estate.number(3)
    seat = {"e164": number}
    live_world.apply(
        *estate.base(changeLimits={"settle": "1s"}),
        sbc(estate),
        secret("workshop", estate.team, password=PASSWORD),
        estate.user(1, phoneNumber=seat),
        phone(estate, NONE),
        pbx(estate),
    )
    live_world.ready(estate)
    wait = ("--for=condition=Ready", "-n", estate.team, "--timeout=60s")
    live_world.kubectl("wait", "sipphone/workshop", "pbxtrunk/branch", *wait)
    live_world.apply(estate.user(1, phoneNumber=NONE), phone(estate, seat))
    given(live_world, number, "phone:workshop")
    assert number not in estate.assigned()
    live_world.apply(phone(estate, NONE), pbx(estate, number))
    given(live_world, number, "trunk:branch")
    live_world.apply(pbx(estate), estate.user(1, phoneNumber=seat))
    polling.until(lambda: estate.number_of(1) == number, "it is back in Teams")
    live_world.ready(estate)
    assert "Unassign" not in causes(live_world, number)
    shown = live_world.get("sipphone", "workshop", namespace=estate.team)
    assert PASSWORD not in json.dumps(shown)
    live_world.kubectl(
        *("delete", "sipphone/workshop", "pbxtrunk/branch", "-n", estate.team, "--timeout=60s")
    )
    live_world.kubectl("delete", "sessionbordercontroller/sbc", "-n", estate.platform)


def service(estate: Estate, name: str, **target: Any) -> Manifest:
    return manifest(
        "ServiceLine",
        name,
        estate.team,
        phoneNumber={"rangeRef": at(estate, "services")},
        **target,
    )


def test_services_of_every_platform_get_numbers_for_services(
    live_world: LiveWorld, tmp_path: Path
) -> None:
    people = [{"user_principal_name": DESK, "account_type": "resourceAccount"}]
    estate = live_world.estate(people=people)
    file = tmp_path / "webex.json"
    services = [{"name": "Reception"}, {"name": "Support", "collection": "queues"}]
    world = {"organisations": [{"services": services, "ranges": [], "users": 0}]}
    file.write_text(json.dumps(world), encoding="utf-8")
    api = live_world.start_webex(f"--seed-file={file}")
    split = estate.range(last=estate.number(9))
    numbers = estate.range("services", first=estate.number(10), use="Service")
    live_world.apply(
        *(each for each in estate.base() if each["kind"] != "NumberRange"),
        split,
        numbers,
        sbc(estate),
        secret(
            "webex",
            estate.platform,
            **{"client-secret": DEFAULT_SECRET, "refresh-token": DEFAULT_REFRESH_TOKEN},
        ),
        organisation(estate, api),
    )
    webex = {"organizationRef": at(estate, "webex"), "service": "AutoAttendant"}
    live_world.apply(
        service(estate, "reception", webex={**webex, "name": "Reception"}),
        service(estate, "bridge", sip={"sbcRef": at(estate, "sbc"), "uri": "sip:a@192.0.2.80"}),
        service(estate, "desk", teams={"tenantRef": at(estate, "main"), "userPrincipalName": DESK}),
        service(
            estate,
            "person",
            teams={"tenantRef": at(estate, "main"), "userPrincipalName": estate.principal(1)},
        ),
    )
    for name in ("reception", "bridge"):
        wait = ("--for=condition=Ready", f"serviceline/{name}", "-n", estate.team)
        live_world.kubectl("wait", *wait, "--timeout=60s")
        given = live_world.get("serviceline", name, namespace=estate.team)
        assert given["status"]["phoneNumber"]["e164"] >= estate.number(10)
    reason(live_world, estate, "desk", "Unsupported")
    _, _, message = ready(live_world, estate, "desk")
    assert "Set-CsPhoneNumberAssignment" in message
    reason(live_world, estate, "person", "UserNotEligible")
    live_world.kubectl("delete", "serviceline", "--all", "-n", estate.team, "--timeout=60s")
    live_world.kubectl(
        *("delete", "webexorganization/webex", "sessionbordercontroller/sbc"),
        *("-n", estate.platform, "--timeout=60s"),
    )


def organisation(estate: Estate, api: str) -> Manifest:
    app = {
        "clientId": DEFAULT_CLIENT_ID,
        "clientSecretRef": {"name": "webex", "key": "client-secret"},
        "refreshTokenRef": {"name": "webex", "key": "refresh-token"},
    }
    return manifest(
        "WebexOrganization",
        "webex",
        estate.platform,
        orgId=DEFAULT_ORGANISATION_ID,
        credentials={"serviceApp": app},
        endpoint={"api": api},
        writesPerSecond=50,
        driftInterval="10s",
        changeLimits={"settle": "1s"},
        allowedNamespaces=[{"name": estate.team}],
    )


def ready(world: LiveWorld, estate: Estate, name: str) -> tuple[str, str, str]:
    body = world.get("serviceline", name, namespace=estate.team)
    for condition in body.get("status", {}).get("conditions", ()):
        if condition["type"] == "Ready":
            return condition["status"], condition["reason"], condition["message"]
    return "", "", ""


def reason(world: LiveWorld, estate: Estate, name: str, wanted: str) -> None:
    polling.until(lambda: ready(world, estate, name)[1] == wanted, f"{name} says {wanted}")
