"""One function maps every end of a pass to conditions (kstatus: Ready, Reconciling, Stalled).

end of the pass                              Ready      other
success                                      True       Synced=True
Waiting                                      False      Reconciling=True
Failed                                       False      Reconciling=True, reason
ProgressingWithRetry
Stalled                                      False      Stalled=True
Observe mode with differences                True       Drifted=True, Synced=False
suspended                                    unchanged  Suspended=True
incident freeze, nothing to do               True       ProviderIncident=True
credentials about to end                     unchanged  CredentialsExpiring=True
few numbers of a range are left              unchanged  LowStock=True
more call by a PBX than are declared         unchanged  FairUseExceeded=True
unknown, up to two drift intervals / longer  unchanged / Unknown   Synced=Unknown
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callplane.apis.conditions import ConditionStatus, ConditionType
from callplane.apis.reasons import Reason
from callplane.errors import Failed, Stalled, Verdict, Waiting


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The pass reached its end. `differences` is not empty when something was seen and must not be
    written.
    """

    message: str
    reason: Reason = Reason.SUCCEEDED
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotKnown:
    """Nothing could be observed; `is_long` after two drift intervals."""

    message: str
    is_long: bool


End = Succeeded | NotKnown | Verdict


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What holds beside how the pass ended; empty texts mean that it does not."""

    suspended: str = ""
    incident: str = ""
    credentials: str = ""
    low_stock: str = ""
    fair_use: str = ""


def conditions(
    previous: Iterable[Mapping[str, Any]],
    end: End,
    circumstances: Circumstances,
    *,
    generation: int,
    now: datetime,
) -> list[dict[str, Any]]:
    """The complete list; `lastTransitionTime` moves only when a status changes."""
    before = {str(condition["type"]): condition for condition in previous}
    wanted = _of_end(end, before)
    if circumstances.suspended:
        wanted = [entry for entry in wanted if entry[0] is ConditionType.SYNCED]
        wanted.insert(0, _unchanged_ready(before, Reason.SUSPENDED, circumstances.suspended))
        wanted.append((ConditionType.SUSPENDED, "True", Reason.SUSPENDED, circumstances.suspended))
    if circumstances.incident:
        wanted.append(
            (ConditionType.PROVIDER_INCIDENT, "True", Reason.INCIDENT_OPEN, circumstances.incident)
        )
    if circumstances.credentials:
        reason, message = Reason.CREDENTIALS_EXPIRING, circumstances.credentials
        wanted.append((ConditionType.CREDENTIALS_EXPIRING, _TRUE, reason, message))
    if circumstances.low_stock:
        wanted.append((ConditionType.LOW_STOCK, "True", Reason.LOW_STOCK, circumstances.low_stock))
    if circumstances.fair_use:
        reason, message = Reason.FAIR_USE_EXCEEDED, circumstances.fair_use
        wanted.append((ConditionType.FAIR_USE_EXCEEDED, _TRUE, reason, message))
    return [_condition(entry, before, generation, now) for entry in wanted]


_Entry = tuple[ConditionType, str, str, str]

_TRUE, _FALSE, _UNKNOWN = (
    ConditionStatus.TRUE.value,
    ConditionStatus.FALSE.value,
    ConditionStatus.UNKNOWN.value,
)


def _of_end(end: End, before: Mapping[str, Mapping[str, Any]]) -> list[_Entry]:
    if isinstance(end, Succeeded):
        if end.differences:
            shown = "; ".join(end.differences)
            return [
                (ConditionType.READY, _TRUE, end.reason, end.message),
                (ConditionType.SYNCED, _FALSE, Reason.DRIFT_DETECTED, shown),
                (ConditionType.DRIFTED, _TRUE, Reason.DRIFT_DETECTED, shown),
            ]
        return [
            (ConditionType.READY, _TRUE, end.reason, end.message),
            (ConditionType.SYNCED, _TRUE, Reason.IN_SYNC, "as declared"),
        ]
    if isinstance(end, NotKnown):
        synced = (ConditionType.SYNCED, _UNKNOWN, Reason.SNAPSHOT_INCOMPLETE, end.message)
        if end.is_long:
            return [
                (ConditionType.READY, _UNKNOWN, Reason.SNAPSHOT_INCOMPLETE, end.message),
                synced,
            ]
        ready = _unchanged_ready(before, Reason.SNAPSHOT_INCOMPLETE, end.message)
        return [ready, *_unchanged_progress(before), synced]
    if isinstance(end, Stalled):
        return [
            (ConditionType.READY, _FALSE, end.reason, end.message),
            (ConditionType.STALLED, _TRUE, end.reason, end.message),
            (ConditionType.SYNCED, _FALSE, end.reason, end.message),
        ]
    if isinstance(end, Failed):
        return [
            (ConditionType.READY, _FALSE, end.reason, end.message),
            (ConditionType.RECONCILING, _TRUE, Reason.PROGRESSING_WITH_RETRY, end.message),
            (ConditionType.SYNCED, _FALSE, end.reason, end.message),
        ]
    if isinstance(end, Waiting):
        return [
            (ConditionType.READY, _FALSE, end.reason, end.message),
            (ConditionType.RECONCILING, _TRUE, end.reason, end.message),
            (ConditionType.SYNCED, _FALSE, end.reason, end.message),
        ]
    raise TypeError(f"no conditions are defined for {type(end).__name__}")


def _unchanged_ready(
    before: Mapping[str, Mapping[str, Any]], reason: Reason, message: str
) -> _Entry:
    ready = before.get(ConditionType.READY.value)
    if ready is None:
        return (ConditionType.READY, _UNKNOWN, reason, message)
    return (
        ConditionType.READY,
        str(ready["status"]),
        str(ready.get("reason", reason)),
        str(ready.get("message", message)),
    )


def _unchanged_progress(before: Mapping[str, Mapping[str, Any]]) -> list[_Entry]:
    """Whatever said why Ready is not True says so still."""
    return [
        (kind, _TRUE, str(known.get("reason", "")), str(known.get("message", "")))
        for kind in (ConditionType.RECONCILING, ConditionType.STALLED)
        if (known := before.get(kind.value)) is not None
    ]


def _condition(
    entry: _Entry, before: Mapping[str, Mapping[str, Any]], generation: int, now: datetime
) -> dict[str, Any]:
    condition_type, status, reason, message = entry
    old = before.get(condition_type.value)
    moved = old is None or old.get("status") != status or not old.get("lastTransitionTime")
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ") if moved or old is None else old["lastTransitionTime"]
    return {
        "type": condition_type.value,
        "status": status,
        "observedGeneration": generation,
        "lastTransitionTime": at,
        "reason": str(reason),
        "message": message,
    }
