"""The condition types that our objects carry, and how each is to be read."""

from __future__ import annotations

from enum import StrEnum


class ConditionType(StrEnum):
    """Types of `status.conditions` (kstatus: Ready, Reconciling and Stalled)."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    SYNCED = "Synced"
    DRIFTED = "Drifted"
    SUSPENDED = "Suspended"
    PROVIDER_INCIDENT = "ProviderIncident"
    CREDENTIALS_EXPIRING = "CredentialsExpiring"
    LOW_STOCK = "LowStock"
    FAIR_USE_EXCEEDED = "FairUseExceeded"


class ConditionStatus(StrEnum):
    """The three values that a condition can have."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


#: Shown on every object after its first pass.
ALWAYS_PRESENT = frozenset({ConditionType.READY})

#: Present only while true (kstatus); the two never appear together.
ABNORMAL_TRUE = frozenset({ConditionType.RECONCILING, ConditionType.STALLED})

#: Shown while true, without making an object less ready.
INFORMATIONAL = frozenset(
    {
        ConditionType.DRIFTED,
        ConditionType.SUSPENDED,
        ConditionType.PROVIDER_INCIDENT,
        ConditionType.CREDENTIALS_EXPIRING,
        ConditionType.LOW_STOCK,
        ConditionType.FAIR_USE_EXCEEDED,
    }
)
