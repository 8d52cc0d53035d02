"""Scripted misfortune: rules that say which requests go wrong, how, and how often.

A rule is data, so that a test writes it in a line, a fault script holds many of them, and another
process sends it as JSON. Chance comes from one seeded generator a rule: the same requests in the
same order meet the same misfortunes. What an effect means is up to the world that asks.
"""

from __future__ import annotations

import dataclasses
import enum
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


class Effect(enum.Enum):
    """What goes wrong."""

    DROP_BEFORE = "drop-before"
    """The connection breaks and nothing was done."""
    DROP_AFTER = "drop-after"
    """The connection breaks after everything was done: the answer is lost."""
    FAILED_AFTER = "failed-after"
    """Done, and then answered with `status`, `code` and `message` as if it had not been."""
    NUMBER_TAKEN = "number-taken"
    """Somebody else gets the number a moment before (carriers)."""
    APPLIED_IN_PART = "applied-in-part"
    """Of what was to be set, the last `count` things are left out without a word (carriers)."""
    DELAY = "delay"
    """Done at once, answered `seconds` later."""
    LATE_COMMIT = "late-commit"
    """Done only after `seconds`, whether the caller still listens or not."""
    STATUS = "status"
    """Refused with `status`, `code`, `message` and, when given, Retry-After `retry_after_seconds`.
    """
    TRY_AGAIN = "try-again"
    """Refused with the vendor's own words for "not now", under a status that says otherwise."""
    TOKEN_REJECTED = "token-rejected"
    """Answered as if the access token had expired."""
    GATEWAY_PAGE = "gateway-page"
    """Refused with `status` and an HTML page of something in front of the service."""
    REFUSED_AFTER = "refused-after"
    """Done, then refused with `status`, `code` and `message` as if it had not been."""
    HALF_DONE = "half-done"
    """A part of it is done, then it is refused with `status`, `code` and `message`."""
    LICENCE_SKIPPED = "licence-skipped"
    """Accepted; the last `count` licences that were asked for are passed over without a word."""
    ORDER_FAILS = "order-fails"
    """Accepted; the order fails later with `message`, nothing changes."""
    ORDER_PARTIAL = "order-partial"
    """Accepted; the order succeeds as a whole although its number failed with `message`."""
    ORDER_SKIPPED = "order-skipped"
    """Accepted; the order ends as `skipped`, nothing changes."""
    ORDER_LOST = "order-lost"
    """Accepted and done, but nobody knows the order when asked about it."""
    ORDER_SLOW = "order-slow"
    """Accepted; takes `seconds` instead of the usual time."""
    LISTING_EMPTY = "listing-empty"
    """A listing that holds nothing and says so cheerfully."""
    LISTING_HALF = "listing-half"
    """A listing that ends after `fraction` of its rows as if that were all."""
    LISTING_SKIP = "listing-skip"
    """A page that begins `count` rows too late."""
    LISTING_REPEAT = "listing-repeat"
    """A page that holds its last `count` rows twice."""
    LISTING_INVALID_ROW = "listing-invalid-row"
    """A page with one row that breaks its own schema."""
    LISTING_GAP = "listing-gap"
    """A page that holds nothing although its link to the next one does."""
    LISTING_LOOP = "listing-loop"
    """A page whose link to the next one leads back to itself."""


@dataclass(frozen=True, slots=True)
class FaultRule:
    """When, to whom, and what.

    `kinds` are the world's names of its requests, or `*`, `reads`, `writes`; `subject` is the
    number or id a request is about (empty: any). Of the requests that match, the first `skip` are
    spared, the next `times` (None: all) are hit, each with `probability`.
    """

    effect: Effect
    kinds: tuple[str, ...] = ("*",)
    tenant: str = ""
    subject: str = ""
    skip: int = 0
    times: int | None = None
    probability: float = 1.0
    seconds: float = 1.0
    status: int = 503
    code: str = "serviceNotAvailable"
    message: str = "The service is temporarily unavailable."
    retry_after_seconds: float | None = None
    retry_after_is_date: bool = False
    """Retry-After is said as a date, which HTTP allows as well."""
    count: int = 1
    fraction: float = 0.5

    def document(self) -> dict[str, object]:
        """As JSON."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return fields | {"effect": self.effect.value, "kinds": list(self.kinds)}


def rule_from(document: Mapping[str, object], place: str) -> FaultRule:
    """A rule from JSON; `place` begins the message of the ValueError when it is not one."""
    known = {field.name for field in dataclasses.fields(FaultRule)}
    if unknown := sorted(set(document) - known):
        raise ValueError(f"{place}: unknown field {unknown[0]!r}; known are {sorted(known)}")
    fields = dict(document)
    try:
        fields["effect"] = Effect(fields.get("effect"))
    except ValueError:
        effects = [effect.value for effect in Effect]
        raise ValueError(
            f"{place}.effect: {fields.get('effect')!r} is not one of {effects}"
        ) from None
    kinds = fields.get("kinds", ["*"])
    if isinstance(kinds, str) or not isinstance(kinds, Iterable):
        raise ValueError(f"{place}.kinds: a list of request kinds is wanted, not {kinds!r}")
    fields["kinds"] = tuple(kinds)
    return FaultRule(**fields)  # type: ignore[arg-type]


class FaultScript:
    """The rules in force, in the order they were added; ids are handed out and never used again."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._added = 0
        self._rules: dict[int, _LiveRule] = {}

    def add(self, rule: FaultRule) -> int:
        """Put a rule in force. Returns its id."""
        self._added += 1
        generator = random.Random(f"{self._seed}/{self._added}")
        self._rules[self._added] = _LiveRule(rule, generator)
        return self._added

    def remove(self, rule_id: int) -> bool:
        """Take a rule out of force. False when there was none."""
        return self._rules.pop(rule_id, None) is not None

    def clear(self) -> None:
        """Take all rules out of force."""
        self._rules.clear()

    def documents(self) -> list[dict[str, object]]:
        """The rules in force, with id, how often each matched and how often it struck."""
        return [
            {"id": rule_id, "matched": live.matched, "struck": live.struck, **live.rule.document()}
            for rule_id, live in self._rules.items()
        ]

    def strikes(
        self, kind: str, *, is_write: bool | None, tenant: str, subject: str
    ) -> list[FaultRule]:
        """The rules that hit this request; asking counts as meeting them.

        With `is_write` None the request is neither read nor write: only its own name meets a rule.
        """
        if not self._rules:
            return []
        groups = () if is_write is None else ("*", "writes" if is_write else "reads")
        return [
            live.rule
            for live in self._rules.values()
            if any(each == kind or each in groups for each in live.rule.kinds)
            and live.rule.tenant in ("", tenant)
            and live.rule.subject in ("", subject)
            and live.meets()
        ]


class _LiveRule:
    """A rule and how far it has come."""

    __slots__ = ("_generator", "matched", "rule", "struck")

    def __init__(self, rule: FaultRule, generator: random.Random) -> None:
        self.rule = rule
        self.matched = 0
        self.struck = 0
        self._generator = generator

    def meets(self) -> bool:
        """Count a matching request; true when it is hit."""
        self.matched += 1
        if self.matched <= self.rule.skip:
            return False
        if self.rule.times is not None and self.struck >= self.rule.times:
            return False
        if self.rule.probability < 1.0 and self._generator.random() >= self.rule.probability:
            return False
        self.struck += 1
        return True
