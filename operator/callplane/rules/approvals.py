"""Rules on ChangeApprovals: an answer has an end, and the end is near."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from callplane.apis.change_approvals import APPROVAL_DAYS_MAX, ChangeApproval
from callplane.rules.findings import Finding, Rule, Severity

EXPIRES_TOO_LATE = Rule(
    "approval-expires-too-late",
    ("ChangeApproval",),
    f"An approval ends at most {APPROVAL_DAYS_MAX} days ahead; it answers what was just seen.",
)
EXPIRED = Rule(
    "approval-expired",
    ("ChangeApproval",),
    "The approval has ended and counts for nothing.",
    Severity.WARNING,
)

RULES = (EXPIRES_TOO_LATE, EXPIRED)


def check(resource: ChangeApproval, *, now: datetime) -> Iterator[Finding]:
    """The end of one approval, counted from its making, or from `now` for a manifest."""
    path = "spec.expiresAt"
    made = resource.metadata.creation_timestamp or now
    if resource.spec.expires_at > made + timedelta(days=APPROVAL_DAYS_MAX):
        message = f"must be at most {APPROVAL_DAYS_MAX} days ahead"
        yield EXPIRES_TOO_LATE.finding(resource, path, message)
    if resource.spec.expires_at <= now:
        yield EXPIRED.finding(resource, path, "has passed; the approval counts for nothing")
