"""Why Teams says no: a table over status, code and text, because the status alone misleads.

Graph's codes for number and policy work are not documented; the texts are those of the same back
end seen through Teams PowerShell (issue numbers of MicrosoftDocs/office-docs-powershell stand
beside the rows). The safe default is UNCLASSIFIED: reported, retried slowly, and never a reason to
take something away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from callplane.plan.change import Operation
from callplane.providers.protocol import RefusalClass, Refused
from callplane.providers.transport import Answer, describe


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: it applies when every given condition holds. `words` must all occur, in lower
    case.
    """

    words: tuple[str, ...]
    refusal: RefusalClass
    reason: str = ""
    statuses: frozenset[int] = frozenset()
    operations: frozenset[Operation] = frozenset()

    def applies(self, status: int, text: str, operation: Operation) -> bool:
        return (
            (not self.statuses or status in self.statuses)
            and (not self.operations or operation in self.operations)
            and all(word in text for word in self.words)
        )


_NUMBERS = frozenset({Operation.ASSIGN_NUMBER, Operation.UNASSIGN_NUMBER, Operation.SET_LOCATION})
_ASSIGN = frozenset({Operation.ASSIGN_NUMBER})
_POLICY = frozenset({Operation.SET_POLICY})
_ABOUT_USERS = frozenset({Operation.ASSIGN_NUMBER, Operation.SET_POLICY})

# The first row that applies decides; words come before statuses, because a 400 can mean anything.
RULES: tuple[Rule, ...] = (
    # 8992, 9875: transient, and a 400.
    Rule(("service is unavailable",), RefusalClass.TRANSIENT),
    # 5700.
    Rule(("too busy",), RefusalClass.TRANSIENT),
    Rule(("try again later",), RefusalClass.TRANSIENT),
    # 9961; comes with 403, and with 400 for service principals without the Teams role.
    Rule(("access denied",), RefusalClass.PERMISSION, "PermissionMissing"),
    Rule(("authorization_requestdenied",), RefusalClass.PERMISSION, "PermissionMissing"),
    Rule(("insufficient privileges",), RefusalClass.PERMISSION, "PermissionMissing"),
    # 9244: a real number on-premises, or a licence that was taken away; the preflight tells which.
    Rule(("on-premises active directory",), RefusalClass.PRECONDITION, "NumberOnPremises"),
    Rule(("on-premises",), RefusalClass.PRECONDITION, "NumberOnPremises", operations=_NUMBERS),
    # 8905.
    Rule(("lacks", "license"), RefusalClass.PRECONDITION, "UserNotLicensed"),
    Rule(("lacks", "licence"), RefusalClass.PRECONDITION, "UserNotLicensed"),
    Rule(("usage location",), RefusalClass.PRECONDITION, "UsageLocationMismatch"),
    Rule(("usagelocation",), RefusalClass.PRECONDITION, "UsageLocationMismatch"),
    # 9432: taken, sometimes by an object that nobody can find.
    Rule(("already been assigned",), RefusalClass.CONFLICT, "NumberTaken"),
    Rule(("already assigned",), RefusalClass.CONFLICT, "NumberTaken"),
    Rule(("already has a", "number"), RefusalClass.CONFLICT, operations=_ASSIGN),
    # 8905: a wrong number type gives the same text as a number that is not there.
    Rule(
        ("telephone number", "not found"),
        RefusalClass.NOT_FOUND,
        "NumberNotInInventory",
        operations=_NUMBERS,
    ),
    Rule(("location", "not found"), RefusalClass.PRECONDITION, "EmergencyLocationUnknown"),
    Rule(("location", "does not exist"), RefusalClass.PRECONDITION, "EmergencyLocationUnknown"),
    Rule(("policy", "not found"), RefusalClass.PRECONDITION, "PolicyNotFound", operations=_POLICY),
    Rule(
        ("policy", "does not exist"),
        RefusalClass.PRECONDITION,
        "PolicyNotFound",
        operations=_POLICY,
    ),
    # 8989, 8875: licensed minutes to hours ago, and not yet known to Teams.
    Rule(("user", "not found"), RefusalClass.NOT_READY, operations=_ABOUT_USERS),
    Rule(("not", "voice user"), RefusalClass.NOT_READY, operations=_ABOUT_USERS),
    Rule((), RefusalClass.NOT_READY, statuses=frozenset({404}), operations=_ABOUT_USERS),
    Rule((), RefusalClass.NOT_FOUND, statuses=frozenset({404})),
    Rule((), RefusalClass.PERMISSION, "PermissionMissing", statuses=frozenset({403})),
    Rule((), RefusalClass.CONFLICT, statuses=frozenset({409, 412})),
    Rule((), RefusalClass.TRANSIENT, statuses=frozenset({423, 425})),
)


def refusal_of(operation: Operation, answer: Answer) -> Refused:
    """The refusal that an answer to a write is; its text keeps code, message and request ids."""
    text = f"{_code_and_message(answer.json())}".lower()
    for rule in RULES:
        if rule.applies(answer.status, text, operation):
            return Refused(rule.refusal, describe(answer), reason=rule.reason)
    return Refused(RefusalClass.UNCLASSIFIED, describe(answer))


def _code_and_message(content: Any) -> str:
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict):
        return ""
    return f"{error.get('code', '')} {error.get('message', '')}"
