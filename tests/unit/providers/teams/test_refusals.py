"""Each row of the table of refusals, by an answer that was seen or is documented."""

from __future__ import annotations

import json

import pytest

from callplane.plan.change import Operation
from callplane.providers.protocol import RefusalClass
from callplane.providers.teams.refusals import RULES, refusal_of
from callplane.providers.transport import Answer

ASSIGN, UNASSIGN = Operation.ASSIGN_NUMBER, Operation.UNASSIGN_NUMBER
LOCATION, POLICY = Operation.SET_LOCATION, Operation.SET_POLICY

# Operation, status, code, text -> class, reason. One line a row of the table, in its order.
CASES = [
    (ASSIGN, 400, "BadRequest", "Service is unavailable. Please try again.", "TRANSIENT", ""),
    (ASSIGN, 400, "BadRequest", "Service is too busy", "TRANSIENT", ""),
    (ASSIGN, 400, "BadRequest", "Please try again later.", "TRANSIENT", ""),
    (ASSIGN, 400, "Forbidden", "Access Denied.", "PERMISSION", "PermissionMissing"),
    (POLICY, 400, "Authorization_RequestDenied", "No", "PERMISSION", "PermissionMissing"),
    (POLICY, 400, "X", "Insufficient privileges to complete", "PERMISSION", "PermissionMissing"),
    (
        ASSIGN,
        400,
        "BadRequest",
        "The user already has a telephone number set in the on-premises Active Directory.",
        "PRECONDITION",
        "NumberOnPremises",
    ),
    (ASSIGN, 400, "BadRequest", "Managed on-premises", "PRECONDITION", "NumberOnPremises"),
    (
        ASSIGN,
        400,
        "BadRequest",
        "User 'u' lacks appropriate licenses to assign a 'CallingPlan' number.",
        "PRECONDITION",
        "UserNotLicensed",
    ),
    (ASSIGN, 400, "BadRequest", "User lacks a licence", "PRECONDITION", "UserNotLicensed"),
    (
        ASSIGN,
        400,
        "BadRequest",
        "User 'u' usage location 'DE' does not match the country 'GB'",
        "PRECONDITION",
        "UsageLocationMismatch",
    ),
    (ASSIGN, 400, "X", "The UsageLocation is wrong", "PRECONDITION", "UsageLocationMismatch"),
    (
        ASSIGN,
        400,
        "BadRequest",
        "Telephone Number '+442079460001' has already been assigned to another user.",
        "CONFLICT",
        "NumberTaken",
    ),
    (ASSIGN, 400, "BadRequest", "Number is already assigned", "CONFLICT", "NumberTaken"),
    (
        ASSIGN,
        400,
        "BadRequest",
        "User 'u' already has a primary telephone number assigned.",
        "CONFLICT",
        "",
    ),
    (
        UNASSIGN,
        400,
        "BadRequest",
        "Telephone Number '+442079460001' is not found from tenant 't'.",
        "NOT_FOUND",
        "NumberNotInInventory",
    ),
    (
        LOCATION,
        400,
        "BadRequest",
        "Location 'x' was not found.",
        "PRECONDITION",
        "EmergencyLocationUnknown",
    ),
    (
        LOCATION,
        400,
        "BadRequest",
        "Location 'x' does not exist.",
        "PRECONDITION",
        "EmergencyLocationUnknown",
    ),
    (POLICY, 400, "BadRequest", "policy 'p' was not found.", "PRECONDITION", "PolicyNotFound"),
    (POLICY, 400, "BadRequest", "Policy p does not exist", "PRECONDITION", "PolicyNotFound"),
    (ASSIGN, 404, "NotFound", "User 'u' was not found.", "NOT_READY", ""),
    (ASSIGN, 400, "BadRequest", "This is not a voice user", "NOT_READY", ""),
    (POLICY, 404, "NotFound", "", "NOT_READY", ""),
    (UNASSIGN, 404, "NotFound", "", "NOT_FOUND", ""),
    (ASSIGN, 403, "Forbidden", "", "PERMISSION", "PermissionMissing"),
    (ASSIGN, 409, "Conflict", "", "CONFLICT", ""),
    (ASSIGN, 423, "Locked", "", "TRANSIENT", ""),
]

UNCLASSIFIED = [
    (ASSIGN, 400, "BadRequest", "Something entirely new"),
    (ASSIGN, 400, "BadRequest", "Telephone Number is not in a correct format."),
    (LOCATION, 400, "BadRequest", "Location cannot be removed from a Calling Plan number."),
    (ASSIGN, 418, "", ""),
    (ASSIGN, 302, "", ""),
    (ASSIGN, 501, "", ""),
]


def answer(status: int, code: str, text: str) -> Answer:
    return Answer(status, {}, json.dumps({"error": {"code": code, "message": text}}).encode())


@pytest.mark.parametrize("case", CASES)
def test_a_row(case: tuple[Operation, int, str, str, str, str]) -> None:
    operation, status, code, text, refusal, reason = case
    refused = refusal_of(operation, answer(status, code, text))
    assert (refused.refusal, refused.reason) == (RefusalClass[refusal], reason)


def test_every_row_decides_a_case() -> None:
    decided = set()
    for operation, status, code, text, _, _ in CASES:
        words = f"{code} {text}".lower()
        decided.add(next(rule for rule in RULES if rule.applies(status, words, operation)))
    assert [rule for rule in RULES if rule not in decided] == []


@pytest.mark.parametrize(("operation", "status", "code", "text"), UNCLASSIFIED)
def test_what_is_not_known_is_not_guessed(
    operation: Operation, status: int, code: str, text: str
) -> None:
    assert refusal_of(operation, answer(status, code, text)).refusal is RefusalClass.UNCLASSIFIED


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": "text"}', b"[]", b'{"error": null}'])
def test_any_body_can_be_read(body: bytes) -> None:
    refused = refusal_of(ASSIGN, Answer(400, {"request-id": "r-1"}, body))
    assert refused.refusal is RefusalClass.UNCLASSIFIED
    assert str(refused) == "400, request-id r-1"


def test_every_reason_is_one_of_the_shared_reasons() -> None:
    from callplane.apis.reasons import Reason

    assert {rule.reason for rule in RULES if rule.reason} <= {str(reason) for reason in Reason}
