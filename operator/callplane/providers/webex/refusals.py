"""Why Webex says no: a table over status, code and text.

Codes of licences are published with the API; the texts of numbers are those of the vendor's own
examples. The safe default is UNCLASSIFIED: reported, retried slowly, never a reason to take
something away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from callplane.apis.reasons import Reason
from callplane.errors import scrub
from callplane.providers.protocol import RefusalClass, Refused
from callplane.providers.transport import Answer

_TRACKING_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: it applies when every given condition holds. `words` must all occur, in lower
    case.
    """

    refusal: RefusalClass
    reason: str = ""
    words: tuple[str, ...] = ()
    codes: frozenset[int] = frozenset()
    statuses: frozenset[int] = frozenset()

    def applies(self, status: int, text: str, codes: frozenset[int]) -> bool:
        return (
            (not self.statuses or status in self.statuses)
            and (not self.codes or bool(self.codes & codes))
            and all(word in text for word in self.words)
        )


_CONFLICTING_LICENCES = frozenset(
    {400112, 400118, 400404, 400406, 400407, 400408, 400410, 400413, 700003, 700004, 700005, 700006}
)

# The first row that applies decides.
RULES: tuple[Rule, ...] = (
    Rule(RefusalClass.PERMISSION, Reason.PERMISSION_MISSING, statuses=frozenset({403})),
    Rule(RefusalClass.TRANSIENT, statuses=frozenset({423})),
    Rule(RefusalClass.CONFLICT, statuses=frozenset({409, 412})),
    Rule(RefusalClass.NOT_FOUND, statuses=frozenset({404, 410})),
    Rule(RefusalClass.PRECONDITION, Reason.UNSUPPORTED, words=("not managed through this api",)),
    Rule(RefusalClass.PRECONDITION, Reason.USER_NOT_LICENSED, codes=_CONFLICTING_LICENCES),
    Rule(RefusalClass.PRECONDITION, Reason.USER_NOT_LICENSED, codes=frozenset({400000, 400411})),
    Rule(RefusalClass.PRECONDITION, Reason.LOCATION_MISSING, words=("unable to find location",)),
    Rule(RefusalClass.CONFLICT, words=("extension is in use",)),
    Rule(RefusalClass.CONFLICT, codes=frozenset({8361})),
    Rule(RefusalClass.CONFLICT, words=("dn is unavailable",)),
    Rule(RefusalClass.PRECONDITION, codes=frozenset({8362})),
)


def refusal_of(answer: Answer) -> Refused:
    """The refusal that an answer to a write is; its text keeps codes, words and tracking id."""
    said = said_by(answer.json())
    text = " ".join(said.texts).lower()
    for rule in RULES:
        if rule.applies(answer.status, text, said.codes):
            return Refused(rule.refusal, describe(answer), reason=rule.reason)
    return Refused(RefusalClass.UNCLASSIFIED, describe(answer))


@dataclass(frozen=True, slots=True)
class Said:
    """What an error document says, whichever of its shapes it has."""

    texts: tuple[str, ...]
    codes: frozenset[int]


def said_by(content: Any) -> Said:
    """Texts and codes; of numbers that were refused one by one the document is a list."""
    entries: list[Any] = content if isinstance(content, list) else [content]
    texts: list[str] = []
    codes: set[int] = set()
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        if isinstance(entry.get("message"), str):
            texts.append(entry["message"])
        errors = entry.get("errors")
        for error in errors if isinstance(errors, list) else []:
            if not isinstance(error, dict):
                continue
            text = error.get("description") or error.get("errorMessage")
            if isinstance(text, str) and text not in texts:
                texts.append(text)
            code = str(error.get("errorCode") or error.get("code") or "").rpartition(".")[2]
            if code.isdigit():
                codes.add(int(code))
    return Said(tuple(texts), frozenset(codes))


def describe(answer: Answer) -> str:
    """Status, codes, words and tracking id of an error answer, scrubbed and capped."""
    said = said_by(answer.json())
    parts = [str(answer.status), *(f"code {code}" for code in sorted(said.codes))]
    if said.texts:
        parts.append(scrub("; ".join(said.texts), limit_characters=320))
    tracking_id = answer.headers.get("trackingid", "")
    if _TRACKING_ID.fullmatch(tracking_id):
        # Not scrubbed: support asks for it, and digits in it look like a number.
        parts.append(f"tracking id {tracking_id}")
    return ", ".join(parts)
