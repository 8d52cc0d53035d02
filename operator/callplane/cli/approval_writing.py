"""Writes the ChangeApproval that belongs into the same pull request as the changes it approves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from callplane.apis.change_approvals import APPROVAL_DAYS_MAX, CHANGE_IDS_MAX
from callplane.apis.model import API_VERSION
from callplane.cli import connecting, durations, output
from callplane.errors import CallplaneError
from callplane.plan.document import GateForecast, Plan

_NAME_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approves, until when, and why."""

    approved_by: str
    expires_at: datetime
    reason: str


def lifetime(text: str) -> timedelta:
    """The value of --expires; at most as long as an approval may last."""
    return durations.parse(text, option="--expires", most=timedelta(days=APPROVAL_DAYS_MAX))


def write(path: Path, plan: Plan, approval: Approval) -> None:
    """One manifest a connection; several where a connection has more changes than fit one."""
    documents = [
        document
        for gate in plan.gates
        for document in _documents(gate, approval)
        if gate.change_ids
    ]
    if not documents:
        connecting.say(f"nothing is gated in this plan: {path} was not written")
        return
    text = "---\n".join(
        yaml.safe_dump(document, sort_keys=False, allow_unicode=True) for document in documents
    )
    try:
        path.write_text(text)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CallplaneError(f"{path}: {reason}") from None
    changes = sum(len(gate.change_ids) for gate in plan.gates)
    connecting.say(
        f"{path} approves {output.count(changes, 'gated change')} as {approval.approved_by} until "
        f"{approval.expires_at:%Y-%m-%d %H:%M} UTC; commit it with the changes"
    )


def _documents(gate: GateForecast, approval: Approval) -> Iterator[dict[str, Any]]:
    ids = gate.change_ids
    for start in range(0, len(ids), CHANGE_IDS_MAX):
        part = ids[start : start + CHANGE_IDS_MAX]
        number = f"-{start // CHANGE_IDS_MAX + 1}" if len(ids) > CHANGE_IDS_MAX else ""
        digest = gate.digest.removeprefix("cp1:")[:_NAME_DIGITS]
        spec: dict[str, Any] = {
            "connectionRef": {"kind": gate.connection.kind, "name": gate.connection.name},
            "changeIds": list(part),
            "decision": "Approve",
            "approvedBy": approval.approved_by,
            "expiresAt": approval.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if approval.reason:
            spec["reason"] = approval.reason
        yield {
            "apiVersion": API_VERSION,
            "kind": "ChangeApproval",
            "metadata": {
                "name": f"approve-{digest}{number}",
                "namespace": gate.connection.namespace,
            },
            "spec": spec,
        }
