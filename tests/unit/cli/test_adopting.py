"""`callplane plan --adopt-drift`: patches that plan to nothing, and why the rest is refused."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from callplane.apis.call_privileges import CallPrivilege
from callplane.apis.parsing import parse_strict
from callplane.cli import app
from callplane.clock import SystemClock
from callplane.desired.webex_permissions import outgoing_permissions
from callplane.engine import snapshot_files
from callplane.engine.observations import ConnectionObservation
from callplane.resources.carriers import EmergencyAddress, NumberOnCarrier, TrunkRoute
from callplane.resources.lines import NumberType, PolicyOnLine
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.store.ports import HolderRow, RegisterState
from callplane.testing.planning_builders import Estate, number, user_id
from callplane.values import ConnectionId, DeclaringObject, HolderId, ObjectKey, Platform

OFFICE = "00000000-0000-4000-8000-00000000cccc"
ELSEWHERE = "00000000-0000-4000-8000-00000000dddd"
ADDRESS = {"street": "1 Sample Street", "town": "London", "postcode": "ZZ99 9ZZ"}
CALLING = "TeamsCallingPolicy"


class Desk:
    """A folder with a tree written by people, what was observed, and the program run in it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.estate = Estate()
        self.estate.stock(range(100))
        self.estate.declare("anna")
        self.tree = folder / "tree"
        self.snapshot = folder / "a.snapshot"
        self.said = ""
        self.written = False
        self._capsys = capsys

    def file(self, kind: str, name: str, namespace: str = "sales") -> Path:
        return self.tree / namespace / f"{kind}-{name}.yaml".lower()

    def write(self) -> None:
        if not self.written:
            for key, body in self.estate.manifests.items():
                path = self.file(key.kind, key.name, key.namespace)
                path.parent.mkdir(parents=True, exist_ok=True)
                text = yaml.safe_dump(body, sort_keys=False)
                path.write_text(f"# {key.name}: ask the desk before changing\n{text}")
        self.written = True
        observations = replace(self.estate.observations(), taken_at=SystemClock().now())
        snapshot_files.save(self.snapshot, observations)

    def plan(self, *options: str, code: int) -> str:
        self.write()
        ended = app.run(["plan", str(self.tree), "--snapshot", str(self.snapshot), *options])
        printed = self._capsys.readouterr()
        self.said = printed.err
        assert ended == code, printed
        return printed.out

    def adopt(self, *options: str, code: int = 0) -> str:
        return self.plan("--adopt-drift", *options, code=code)

    def spec(self, name: str = "anna") -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.file("TeamsUser", name).read_text())["spec"]
        return found

    def applied(self, name: str, **settings: Any) -> None:
        """What the register says that we have set."""
        row = self.estate.holders[name]
        self.estate.holders[name] = replace(row, applied={**row.applied, **settings})


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def moved(desk: Desk, index: int | None) -> None:
    """Anna has 001 by us; somebody gave her another number, or took it."""
    desk.estate.hire("anna", index=1)
    desk.estate.declare("anna", phoneNumber={"e164": number(1).text})
    desk.estate.numbers[number(1)] = NumberOnPlatform(number(1), NumberType.DIRECT_ROUTING)
    if index is not None:
        desk.estate.give("anna", index, ours=False)


def office(desk: Desk, name: str = "office", location: str = OFFICE) -> None:
    spec = {
        "address": ADDRESS,
        "teamsLocationId": location,
        "allowedNamespaces": [{"selector": {}}],
    }
    desk.estate.put("EmergencyLocation", name, spec, namespace="platform")


def relocated(desk: Desk, location: str | None) -> None:
    """Anna's number was in the office by us; somebody moved it."""
    office(desk)
    desk.estate.hire("anna")
    desk.estate.give("anna", 1, location=location)
    desk.applied("anna", emergencyLocation=OFFICE)
    desk.estate.declare("anna", emergencyLocationRef={"name": "office", "namespace": "platform"})


def test_another_number_is_adopted_and_plans_to_nothing(desk: Desk) -> None:
    moved(desk, 7)
    desk.plan(code=2)
    desk.adopt("--write")
    assert desk.spec()["phoneNumber"] == {"e164": number(7).text}
    assert "number +44…0007: written" in desk.said
    text = desk.file("TeamsUser", "anna").read_text()
    assert text.startswith("# anna: ask the desk before changing\n")
    desk.plan(code=0)


def test_the_patch_is_printed_and_git_takes_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    moved(desk, 7)
    desk.write()
    monkeypatch.chdir(desk.tree.parent)
    patch = desk.adopt()
    assert desk.spec()["phoneNumber"] == {"e164": number(1).text}
    changed = [
        line for line in patch.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert changed == [f"-    e164: '{number(1)}'", f"+    e164: '{number(7)}'"]
    subprocess.run(["git", "apply", "-"], input=patch, text=True, check=True)
    assert desk.spec()["phoneNumber"] == {"e164": number(7).text}
    desk.plan(code=0)


def test_a_number_that_was_taken_away_is_adopted_as_none(desk: Desk) -> None:
    moved(desk, None)
    desk.adopt("--write")
    assert desk.spec()["phoneNumber"] == {"none": {}}
    desk.plan(code=0)


def test_a_number_that_is_stated_by_itself_is_named(desk: Desk) -> None:
    moved(desk, 150)
    spec = {"e164": number(150).text, "route": "DirectRouting"}
    desk.estate.put("PhoneNumber", "desk", spec, namespace="sales")
    desk.adopt("--write")
    assert desk.spec()["phoneNumber"] == {"phoneNumberRef": {"name": "desk"}}
    desk.plan(code=0)


def test_a_number_that_nothing_states_is_refused(desk: Desk) -> None:
    moved(desk, 200)
    assert desk.adopt("--write", code=2) == ""
    assert "not adopted: no NumberRange or PhoneNumber here states it" in desk.said
    assert desk.spec()["phoneNumber"] == {"e164": number(1).text}


def test_a_number_without_consent_is_refused_with_the_planners_reason(desk: Desk) -> None:
    moved(desk, 150)
    desk.estate.range("closed", first=150, last=160, allowedNamespaces=[])
    desk.adopt("--write", code=2)
    assert "not adopted: " in desk.said
    assert "admit" in desk.said
    assert desk.spec()["phoneNumber"] == {"e164": number(1).text}


def test_what_git_asks_for_is_no_drift(desk: Desk) -> None:
    """Somebody new has no number yet: that is not to be accepted as none."""
    desk.estate.hire("anna")
    assert desk.adopt("--write") == ""
    assert "0 differences adopted" in desk.said
    assert "1 change that git asks for" in desk.said
    assert "rangeRef" in desk.spec()["phoneNumber"]


def test_another_emergency_location_is_adopted_where_it_is_declared(desk: Desk) -> None:
    relocated(desk, ELSEWHERE)
    office(desk, "annexe", ELSEWHERE)
    desk.adopt("--write")
    assert desk.spec()["emergencyLocationRef"] == {"name": "annexe", "namespace": "platform"}
    desk.plan(code=0)


def test_a_location_that_nobody_declares_is_refused(desk: Desk) -> None:
    relocated(desk, ELSEWHERE)
    desk.adopt(code=2)
    assert f"no EmergencyLocation here has teamsLocationId {ELSEWHERE}" in desk.said


def test_a_location_that_is_gone_is_never_adopted(desk: Desk) -> None:
    relocated(desk, None)
    assert desk.adopt("--write", code=2) == ""
    assert "would send help nowhere" in desk.said


def drifted_policy(desk: Desk, shown: str, *, wanted: str = "Sales", **spec: Any) -> None:
    desk.estate.hire("anna", index=1)
    desk.applied("anna", **{f"policy/{CALLING}": {"name": wanted}})
    if shown:
        desk.estate.policies("anna", **{CALLING: shown})
    desk.estate.declare("anna", **spec)


def test_another_policy_is_adopted(desk: Desk) -> None:
    policies = [{"type": "TeamsMeetingPolicy", "name": ""}, {"type": CALLING, "name": "Sales"}]
    drifted_policy(desk, "Basic", policies=policies)
    desk.adopt("--write")
    assert desk.spec()["policies"] == [policies[0], {"type": CALLING, "name": "Basic"}]
    desk.plan(code=0)


def test_a_policy_that_was_taken_off_is_adopted_as_the_default(desk: Desk) -> None:
    drifted_policy(desk, "", policies=[{"type": CALLING, "name": "Sales"}])
    desk.adopt("--write")
    assert desk.spec()["policies"] == [{"type": CALLING, "name": ""}]
    desk.plan(code=0)


def test_what_the_tenant_sets_for_everybody_is_adopted_for_this_person(desk: Desk) -> None:
    desk.estate.tenant(defaultPolicies=[{"type": CALLING, "name": "Sales"}])
    drifted_policy(desk, "Basic")
    desk.adopt("--write")
    assert desk.spec()["policies"] == [{"type": CALLING, "name": "Basic"}]
    desk.plan(code=0)


def test_several_people_in_one_file_are_edited_once_each(desk: Desk) -> None:
    for index, name in enumerate(("anna", "ben"), start=1):
        desk.estate.hire(name, index=index)
        desk.applied(name, **{f"policy/{CALLING}": {"name": "Sales"}})
        desk.estate.policies(name, **{CALLING: "Basic"})
        desk.estate.declare(name, policies=[{"type": CALLING, "name": "Sales"}])
    desk.write()
    both = desk.tree / "people.yaml"
    files = [desk.file("TeamsUser", name) for name in ("anna", "ben")]
    both.write_text("---\n".join(file.read_text() for file in files))
    for file in files:
        file.unlink()
    desk.adopt("--write")
    names = [body["spec"]["policies"][0]["name"] for body in yaml.safe_load_all(both.read_text())]
    assert names == ["Basic", "Basic"]
    desk.plan(code=0)


def test_a_file_that_cannot_be_edited_is_named(desk: Desk) -> None:
    moved(desk, 7)
    desk.write()
    path = desk.file("TeamsUser", "anna")
    body = yaml.safe_load(path.read_text())
    text = path.read_text().replace("tenantRef:", "tenantRef: &tenant")
    path.write_text(text + "status:\n  x: *tenant\n" if body else "")
    desk.adopt("--write", code=2)
    assert "is not edited here: it repeats parts of itself by anchors" in desk.said


# Webex and services

ORG = ConnectionId("webex", "00000000-0000-4000-8000-00000000eeee")
BRUNO = "bruno-id"


def in_webex(
    desk: Desk,
    shown: dict[str, str],
    applied: dict[str, str],
    *,
    place: str = "London",
    **spec: Any,
) -> None:
    """Bruno has number 5 in Webex by us, and these settings now instead of those applied."""
    secret = {"name": "webex", "key": "secret"}
    app_ = {"clientId": "app", "clientSecretRef": secret, "refreshTokenRef": secret}
    organization = {
        "orgId": ORG.external_id,
        "credentials": {"serviceApp": app_},
        "allowedNamespaces": [{"selector": {}}],
    }
    desk.estate.put("WebexOrganization", "org", organization, namespace="platform")
    user = {
        "organizationRef": {"name": "org", "namespace": "platform"},
        "email": "bruno@example.com",
        "phoneNumber": {"e164": number(5).text},
        **spec,
    }
    desk.estate.put("WebexUser", "bruno", user, namespace="sales")
    desk.estate.hire("anna", index=1)
    holder = HolderId(Platform.WEBEX, ORG.external_id, BRUNO)
    declared_by = DeclaringObject("cluster-1", "WebexUser", "sales", "bruno", "uid-bruno")
    claim = replace(
        desk.estate.claims[number(1)],
        number=number(5),
        connection=ORG,
        holder=holder,
        declared_by=declared_by,
        number_type="webex",
    )
    known: dict[str, Any] = {name: {"name": text} for name, text in applied.items()}
    known["number"] = {"number": number(5).text, "type": "webex"}
    known["emergencyLocation"] = "London"
    row = HolderRow(holder, ORG, declared_by, "bruno@example.com", known, {})
    policies = tuple((name, PolicyOnLine(text)) for name, text in shown.items())
    desk.estate.numbers.pop(number(5), None)
    desk.estate.further.append(
        ConnectionObservation(
            key=ObjectKey("WebexOrganization", "platform", "org"),
            connection=ORG,
            people=(Person(BRUNO, "bruno@example.com"),),
            numbers=(NumberOnPlatform(number(5), NumberType.WEBEX, BRUNO, location_id=place),),
            configurations=(CallingConfiguration(BRUNO, policies=policies),),
            register=RegisterState((claim,), (row,), (), (), 1),
        )
    )


def bruno(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(desk.file("WebexUser", "bruno").read_text())["spec"]
    return found


def test_settings_of_webex_are_adopted(desk: Desk) -> None:
    in_webex(
        desk,
        {"Extension": "2002", "CallerId": "LOCATION_NUMBER", "CallingLicence": "Standard"},
        {
            "policy/Extension": "1001",
            "policy/CallerId": "DIRECT_LINE",
            "policy/CallingLicence": "Professional",
        },
        extension="1001",
        callerId="DirectLine",
        licence="Professional",
    )
    desk.plan(code=2)
    desk.adopt("--write")
    spec = bruno(desk)
    assert (spec["extension"], spec["callerId"], spec["licence"]) == (
        "2002",
        "LocationNumber",
        "Standard",
    )
    desk.plan(code=0)


def test_another_place_in_webex_is_adopted(desk: Desk) -> None:
    in_webex(desk, {"CallingLicence": "Professional"}, {}, place="Leeds", location="London")
    desk.adopt("--write")
    assert bruno(desk)["location"] == "Leeds"
    desk.plan(code=0)


@pytest.mark.parametrize(("town", "adopted"), [("Leeds", True), ("York", False)])
def test_a_place_in_webex_that_several_addresses_are_called_is_refused(
    desk: Desk, town: str, adopted: bool
) -> None:
    for name, place, its_town in (
        ("office", "London", "London"),
        ("leeds-1", "Leeds", "Leeds"),
        ("leeds-2", "Leeds", town),
    ):
        address = {"street": "2 Sample Street", "town": its_town, "postcode": "ZZ99 9ZZ"}
        spec = {
            "address": address,
            "webexLocation": place,
            "allowedNamespaces": [{"selector": {}}],
        }
        desk.estate.put("EmergencyLocation", name, spec, namespace="platform")
    own = {"name": "office", "namespace": "platform"}
    licence = {"CallingLicence": "Professional"}
    in_webex(desk, licence, {}, place="Leeds", location="London", emergencyLocationRef=own)
    desk.adopt("--write", code=0 if adopted else 2)
    named = bruno(desk)["emergencyLocationRef"]["name"]
    assert named == ("leeds-1" if adopted else "office")
    said = "several EmergencyLocations are called Leeds; name one" in desk.said
    assert said is not adopted


def test_what_a_webex_manifest_cannot_say_is_refused(desk: Desk) -> None:
    in_webex(
        desk,
        {"CallingLicence": "Professional"},
        {"policy/Extension": "1001"},
        extension="1001",
    )
    desk.adopt(code=2)
    assert "extension none: not adopted: a manifest cannot say that" in desk.said


def test_permissions_to_dial_are_refused_with_where_they_come_from(desk: Desk) -> None:
    desk.estate.put("CallPrivilege", "basic", {"allowedClasses": ["Geographic"]}, namespace="sales")
    in_webex(
        desk,
        {"CallingLicence": "Professional", "OutgoingPermissions": "blocks nothing"},
        {"policy/OutgoingPermissions": outgoing(desk)},
        callPrivilegeRef={"name": "basic"},
    )
    desk.adopt(code=2)
    assert "outgoing permissions: not adopted: what may be dialled comes from" in desk.said


def outgoing(desk: Desk) -> str:
    """What the privilege makes of outgoing permissions."""
    body = next(body for key, body in desk.estate.manifests.items() if key.kind == "CallPrivilege")
    privilege = parse_strict(body).resource
    assert isinstance(privilege, CallPrivilege)
    return outgoing_permissions(privilege.spec)


def test_a_service_that_lost_its_number_is_adopted(desk: Desk) -> None:
    """A resource account is worked like a person."""
    desk.estate.hire("desk", index=3)
    desk.estate.hire("anna", index=1)
    declared_by = DeclaringObject("cluster-1", "ServiceLine", "sales", "desk", "uid-desk")
    desk.estate.holders["desk"] = replace(desk.estate.holders["desk"], declared_by=declared_by)
    desk.estate.claims[number(3)] = replace(desk.estate.claims[number(3)], declared_by=declared_by)
    desk.estate.numbers[number(3)] = NumberOnPlatform(number(3), NumberType.DIRECT_ROUTING)
    service = {
        "teams": {
            "tenantRef": {"name": "main", "namespace": "platform"},
            "userPrincipalName": "desk@example.com",
        },
        "phoneNumber": {"phoneNumberRef": {"name": "hotline", "namespace": "platform"}},
    }
    desk.estate.range(first=10)
    hotline = {
        "e164": number(3).text,
        "route": "DirectRouting",
        "use": "Service",
        "allowedNamespaces": [{"selector": {}}],
    }
    desk.estate.range(first=0, last=2)
    desk.estate.put("PhoneNumber", "hotline", hotline, namespace="platform")
    desk.estate.put("ServiceLine", "desk", service, namespace="sales")
    desk.adopt("--write")
    text = desk.file("ServiceLine", "desk").read_text()
    assert yaml.safe_load(text)["spec"]["phoneNumber"] == {"none": {}}
    desk.plan(code=0)


# At carriers

ROUTE = TrunkRoute("1001")


def at_carrier(desk: Desk, *rows: NumberOnCarrier, applied: dict[str, Any]) -> None:
    """Numbers 1 and on, each stated by itself, which were set up by us."""
    desk.estate.hire("anna", index=1)
    holders = []
    for row in rows:
        spec = {
            "e164": row.number.text,
            "route": "DirectRouting",
            "carrierRef": {"name": "main"},
            "emergencyLocationRef": {"name": "office"},
        }
        name = f"line-{row.number.text[-3:]}"
        desk.estate.put("PhoneNumber", name, spec, namespace="platform")
        known = {
            setting: {"number": row.number.text, **fields} for setting, fields in applied.items()
        }
        holder = HolderId(Platform.CARRIER, "account-main", row.number.text)
        holders.append(
            HolderRow(holder, ConnectionId("telnyx", "account-main"), None, "", known, {})
        )
    desk.estate.carrier("main", *rows, trunk={"name": "1001"})
    (seen,) = desk.estate.carriers
    assert seen.register is not None
    desk.estate.carriers[:] = [
        replace(seen, register=replace(seen.register, holders=tuple(holders)))
    ]


def line(index: int, **fields: Any) -> NumberOnCarrier:
    return NumberOnCarrier(
        number(200 + index), **{"route": ROUTE, "deletion_locked": True, **fields}
    )


ROUTED = {"route": {"trunk": "1001"}}
ORGANISATION = {**ADDRESS, "organisation": "Example Ltd"}
SHOWN = EmergencyAddress("1 Sample Street", "London", "ZZ99 9ZZ", organisation="Example Ltd")


def located(desk: Desk, name: str, street: str = "1 Sample Street") -> EmergencyAddress:
    spec = {"address": {**ORGANISATION, "street": street}, "teamsLocationId": OFFICE}
    desk.estate.put("EmergencyLocation", name, spec, namespace="platform")
    return replace(SHOWN, street=street)


def test_a_trunk_that_all_numbers_moved_to_is_adopted_in_the_carrier(desk: Desk) -> None:
    shown = located(desk, "office")
    rows = [line(i, route=TrunkRoute("1002"), emergency_address=shown) for i in (1, 2)]
    at_carrier(desk, *rows, applied=ROUTED)
    desk.adopt("--write")
    text = desk.file("Carrier", "main", "platform").read_text()
    assert yaml.safe_load(text)["spec"]["trunk"] == {"name": "1002"}
    assert "route of +44…0201 in Carrier platform/main: written" in desk.said
    desk.plan(code=0)


def test_a_trunk_that_one_number_moved_to_would_move_the_others(desk: Desk) -> None:
    shown = located(desk, "office")
    moved_away = line(1, route=TrunkRoute("1002"), emergency_address=shown)
    at_carrier(desk, moved_away, line(2, emergency_address=shown), applied=ROUTED)
    assert desk.adopt("--write", code=2) == ""
    assert "line-202 would not be left alone" in desk.said
    text = desk.file("Carrier", "main", "platform").read_text()
    assert yaml.safe_load(text)["spec"]["trunk"] == {"name": "1001"}


def test_numbers_that_went_different_ways_are_refused(desk: Desk) -> None:
    shown = located(desk, "office")
    rows = [line(i, route=TrunkRoute(f"100{i + 5}"), emergency_address=shown) for i in (1, 2)]
    at_carrier(desk, *rows, applied=ROUTED)
    desk.adopt(code=2)
    assert "one trunk for all of its numbers, and they go different ways" in desk.said


def test_a_route_that_no_manifest_can_say_is_refused(desk: Desk) -> None:
    shown = located(desk, "office")
    at_carrier(desk, line(1, route=None, emergency_address=shown), applied=ROUTED)
    desk.adopt(code=2)
    assert "no manifest can say that" in desk.said


def test_another_address_at_the_carrier_is_adopted_where_it_is_declared(desk: Desk) -> None:
    located(desk, "office")
    annexe = located(desk, "annexe", "2 Sample Street")
    office_fields = {
        "street": "1 Sample Street",
        "town": "London",
        "postcode": "ZZ99 9ZZ",
        "country": "GB",
        "organisation": "Example Ltd",
    }
    at_carrier(desk, line(1, emergency_address=annexe), applied={"emergencyAddress": office_fields})
    desk.adopt("--write")
    text = desk.file("PhoneNumber", "line-201", "platform").read_text()
    assert yaml.safe_load(text)["spec"]["emergencyLocationRef"] == {"name": "annexe"}
    desk.plan(code=0)


def test_an_address_that_is_gone_at_the_carrier_is_never_adopted(desk: Desk) -> None:
    located(desk, "office")
    fields = {
        "street": "1 Sample Street",
        "town": "London",
        "postcode": "ZZ99 9ZZ",
        "country": "GB",
        "organisation": "Example Ltd",
    }
    at_carrier(desk, line(1, emergency_address=None), applied={"emergencyAddress": fields})
    assert desk.adopt("--write", code=2) == ""
    assert "would send help nowhere" in desk.said


def test_a_lock_that_was_taken_off_is_refused_with_what_would_stop_it(desk: Desk) -> None:
    shown = located(desk, "office")
    row = line(1, emergency_address=shown, deletion_locked=False)
    at_carrier(desk, row, applied={"deletionLock": {"locked": "true"}})
    desk.adopt(code=2)
    assert "deletionLock of its Carrier" in desk.said


def test_writing_needs_something_to_write(desk: Desk) -> None:
    assert desk.plan("--write", code=1) == ""
    assert "--write goes with --adopt-drift" in desk.said


def test_a_tree_without_drift_gives_no_patch(desk: Desk) -> None:
    desk.estate.hire("anna", index=1)
    assert desk.adopt() == ""
    assert "0 differences adopted" in desk.said
    assert user_id("anna") not in desk.said
