"""What Webex takes in one request stands in one change, and nothing rides along unsaid."""

from __future__ import annotations

from callplane.plan.change import Operation
from callplane.plan.diff import plan
from callplane.resources.lines import LOCATION, NUMBER, Line, LineNumber, NumberType, PolicyOnLine
from callplane.resources.webex import CALLER_ID, EXTENSION, LICENCE
from callplane.values import E164, ConnectionId, HolderId, Platform

ANN = HolderId(Platform.WEBEX, "org", "ann")
IN_TEAMS = HolderId(Platform.TEAMS, "tenant", "ann")
ONE = LineNumber(E164("+442079460001"), NumberType.WEBEX)
TWO = LineNumber(E164("+442079460002"), NumberType.WEBEX)
STANDARD = PolicyOnLine("Standard")
EXTENSION_1 = PolicyOnLine("1001")


def changes(desired: Line, observed: Line) -> list[tuple[Operation, dict[str, str]]]:
    connection = ConnectionId(desired.holder.platform.value, desired.holder.tenant_id)
    found = plan(connection, desired, observed, {}).changes
    return [(each.operation, dict(each.after or {})) for each in found]


def test_licence_extension_and_location_come_with_the_number() -> None:
    wanted = Line(ANN, {NUMBER: ONE, LOCATION: "London", LICENCE: STANDARD, EXTENSION: EXTENSION_1})
    assert changes(wanted, Line(ANN, {})) == [
        (
            Operation.ASSIGN_NUMBER,
            {
                **ONE.to_json(),
                "location": "London",
                "licence": "Standard",
                "extension": "1001",
            },
        )
    ]


def test_what_the_person_has_already_is_said_as_well() -> None:
    has = Line(ANN, {LICENCE: STANDARD, EXTENSION: EXTENSION_1})
    ((_, after),) = changes(Line(ANN, {NUMBER: ONE}), has)
    assert (after["licence"], after["extension"]) == ("Standard", "1001")


def test_somebody_without_any_gets_the_usual_licence() -> None:
    ((_, after),) = changes(Line(ANN, {NUMBER: ONE}), Line(ANN, {}))
    assert after["licence"] == "Professional"
    assert "extension" not in after


def test_an_extension_alone_brings_a_licence() -> None:
    wanted = Line(ANN, {NUMBER: None, LOCATION: "London", EXTENSION: EXTENSION_1})
    ((operation, after),) = changes(wanted, Line(ANN, {}))
    assert operation is Operation.SET_POLICY
    assert after == {
        "type": "Extension",
        "name": "1001",
        "licence": "Professional",
        "location": "London",
    }


def test_another_number_is_taken_first_and_comes_with_the_same() -> None:
    has = Line(ANN, {NUMBER: ONE, LICENCE: STANDARD})
    first, second = changes(Line(ANN, {NUMBER: TWO}), has)
    assert first == (Operation.UNASSIGN_NUMBER, {})
    assert second[1]["licence"] == "Standard"


def test_a_setting_of_somebody_with_calling_stays_by_itself() -> None:
    has = Line(ANN, {NUMBER: ONE, LICENCE: STANDARD})
    wanted = Line(ANN, {NUMBER: ONE, EXTENSION: EXTENSION_1, CALLER_ID: PolicyOnLine("CUSTOM")})
    assert changes(wanted, has) == [
        (Operation.SET_POLICY, {"type": "CallerId", "name": "CUSTOM"}),
        (Operation.SET_POLICY, {"type": "Extension", "name": "1001"}),
    ]


def test_lines_of_teams_have_no_companions() -> None:
    number = LineNumber(ONE.number, NumberType.DIRECT_ROUTING)
    assert changes(Line(IN_TEAMS, {NUMBER: number}), Line(IN_TEAMS, {})) == [
        (Operation.ASSIGN_NUMBER, number.to_json())
    ]
