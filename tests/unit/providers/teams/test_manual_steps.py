"""What Graph cannot do, and the command an administrator can type instead."""

from __future__ import annotations

import pytest

from callplane.plan.change import Change, Fields, Operation
from callplane.providers.teams import manual_steps
from callplane.providers.teams.policy_book import CALLING_POLICY_TYPES
from callplane.values import ConnectionId, Platform

NUMBER = "+442079460001"


def change(
    operation: Operation,
    before: Fields | None = None,
    after: Fields | None = None,
    *,
    platform: Platform = Platform.TEAMS,
) -> Change:
    return Change(ConnectionId("teams", "t"), operation, platform, "user-1", before, after)


def number(number_type: str = "directRouting", **more: str) -> Fields:
    return {"number": NUMBER, "type": number_type, **more}


ASSIGN = change(Operation.ASSIGN_NUMBER, None, number(location="loc-1"))
UNASSIGN = change(Operation.UNASSIGN_NUMBER, number("operatorConnect"))
LOCATE = change(Operation.SET_LOCATION, None, number(location="loc-1"))
CLEAR = change(Operation.SET_LOCATION, number("directRouting", location="loc-1"))
GRANT = change(Operation.SET_POLICY, None, {"type": "TeamsCallingPolicy", "name": "It's on"})
UNGRANT = change(Operation.SET_POLICY, {"type": "OnlineDialOutPolicy", "name": "Old"})
ALL = (ASSIGN, UNASSIGN, LOCATE, CLEAR, GRANT, UNGRANT)


@pytest.mark.parametrize("supported", ALL)
def test_what_graph_can_do(supported: Change) -> None:
    assert manual_steps.judge(supported, other_cloud=False, show_numbers=True) is None


@pytest.mark.parametrize(
    ("wanted", "command"),
    [
        (
            ASSIGN,
            (
                "Set-CsPhoneNumberAssignment -Identity 'user-1' -PhoneNumber '+442079460001' "
                "-PhoneNumberType DirectRouting -LocationId 'loc-1'"
            ),
        ),
        (
            UNASSIGN,
            (
                "Remove-CsPhoneNumberAssignment -Identity 'user-1' -PhoneNumber '+442079460001' "
                "-PhoneNumberType OperatorConnect"
            ),
        ),
        (
            LOCATE,
            "Set-CsPhoneNumberAssignment -PhoneNumber '+442079460001' -LocationId 'loc-1'",
        ),
        (CLEAR, "Set-CsPhoneNumberAssignment -PhoneNumber '+442079460001' -LocationId null"),
        (GRANT, "Grant-CsTeamsCallingPolicy -Identity 'user-1' -PolicyName 'It''s on'"),
        (UNGRANT, "Grant-CsDialoutPolicy -Identity 'user-1' -PolicyName $null"),
    ],
)
def test_in_another_cloud_everything_is_done_by_hand(wanted: Change, command: str) -> None:
    judged = manual_steps.judge(wanted, other_cloud=True, show_numbers=True)
    assert judged is not None
    assert "cloud" in judged.reason
    assert judged.manual_step == command


@pytest.mark.parametrize("wanted", ALL)
def test_a_full_number_shows_only_where_it_may(wanted: Change) -> None:
    judged = manual_steps.judge(wanted, other_cloud=True, show_numbers=False)
    assert judged is not None
    assert NUMBER[1:] not in judged.manual_step
    assert ("<number ending 0001>" in judged.manual_step) == (
        wanted.operation is not Operation.SET_POLICY
    )


def test_a_calling_plan_number_keeps_some_location() -> None:
    clear = change(Operation.SET_LOCATION, number("callingPlan", location="loc-1"))
    judged = manual_steps.judge(clear, other_cloud=False, show_numbers=True)
    assert judged is not None
    assert "not removed" in judged.reason
    moved = change(Operation.SET_LOCATION, None, number("callingPlan", location="loc-2"))
    assert manual_steps.judge(moved, other_cloud=False, show_numbers=True) is None


def test_the_operator_owns_the_address_of_its_numbers() -> None:
    locate = change(Operation.SET_LOCATION, None, number("operatorConnect", location="loc-1"))
    judged = manual_steps.judge(locate, other_cloud=False, show_numbers=True)
    assert judged is not None
    assert judged.manual_step == "Ask the operator to change the emergency address."


def test_a_number_of_another_platform() -> None:
    judged = manual_steps.judge(
        change(Operation.ASSIGN_NUMBER, None, number("webex")),
        other_cloud=False,
        show_numbers=True,
    )
    assert judged is not None
    assert (judged.reason, judged.manual_step) == ("Teams has no numbers of type webex", "")
    judged = manual_steps.judge(
        change(Operation.ASSIGN_NUMBER, None, number(), platform=Platform.WEBEX),
        other_cloud=False,
        show_numbers=True,
    )
    assert judged is not None
    assert judged.reason == "a webex line is not in Microsoft Teams"


def test_the_known_policy_types_are_spelt_as_the_service_spells_them() -> None:
    # The names that are easily confused: those of the reporting resources are others.
    assert "OnlineVoiceRoutingPolicy" in CALLING_POLICY_TYPES
    assert "TeamsVoiceRoutingPolicy" not in CALLING_POLICY_TYPES
    assert "CallingLineIdentity" in CALLING_POLICY_TYPES
