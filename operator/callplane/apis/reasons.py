"""The reasons that conditions, events, metrics and documentation share: one word for a cause.

Reasons are part of the interface: a name never changes its meaning, and none is built at run time.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Causes, grouped by what they ask of the reader."""

    # Nothing to do.
    SUCCEEDED = "Succeeded"
    ADOPTED = "Adopted"
    DETACHED = "Detached"
    SUSPENDED = "Suspended"
    OBSERVE_ONLY = "ObserveOnly"
    DRIFT_DETECTED = "DriftDetected"
    IN_SYNC = "InSync"

    # It goes on by itself.
    PROGRESSING = "Progressing"
    PROGRESSING_WITH_RETRY = "ProgressingWithRetry"
    INTERNAL_ERROR = "InternalError"
    DEPENDENCY_NOT_READY = "DependencyNotReady"
    SETTLING = "Settling"
    OPERATION_RUNNING = "OperationRunning"
    LICENCE_PENDING = "LicencePending"
    NUMBER_IN_TRANSFER = "NumberInTransfer"
    PLAN_STALE = "PlanStale"
    SNAPSHOT_PENDING = "SnapshotPending"
    SNAPSHOT_INCOMPLETE = "SnapshotIncomplete"
    SNAPSHOT_STALE = "SnapshotStale"
    THROTTLED = "Throttled"
    PROVIDER_UNAVAILABLE = "ProviderUnavailable"
    REGISTER_UNAVAILABLE = "RegisterUnavailable"
    START_BARRIER = "StartBarrier"
    FROZEN_BY_INCIDENT = "FrozenByIncident"
    DELETING = "Deleting"
    IN_USE = "InUse"

    # A human has to decide or to correct something.
    INVALID_SPEC = "InvalidSpec"
    REFERENCE_NOT_FOUND = "ReferenceNotFound"
    CONSENT_WITHDRAWN = "ConsentWithdrawn"
    APPROVAL_REQUIRED = "ApprovalRequired"
    UNSUPPORTED = "Unsupported"
    RANGE_EXHAUSTED = "RangeExhausted"
    NUMBER_NOT_DECLARED = "NumberNotDeclared"
    NUMBER_TAKEN = "NumberTaken"
    NUMBER_QUARANTINED = "NumberQuarantined"
    NUMBER_RESERVED = "NumberReserved"
    NUMBER_NOT_IN_INVENTORY = "NumberNotInInventory"
    NUMBER_ON_PREMISES = "NumberOnPremises"
    NUMBER_USE_MISMATCH = "NumberUseMismatch"
    DECLARED_TWICE = "DeclaredTwice"
    CONFLICT = "Conflict"
    IDENTITY_CHANGED = "IdentityChanged"
    FOREIGN = "Foreign"
    ORPHANED = "Orphaned"
    CONTESTED = "Contested"
    CONNECTION_HELD_ELSEWHERE = "ConnectionHeldElsewhere"
    ENTITLEMENT_MISSING = "EntitlementMissing"
    SHRUNK_BELOW_CLAIMS = "ShrunkBelowClaims"
    USER_NOT_FOUND = "UserNotFound"
    USER_DELETED = "UserDeleted"
    USER_DISABLED = "UserDisabled"
    USER_NOT_ALLOWED = "UserNotAllowed"
    USER_NOT_LICENSED = "UserNotLicensed"
    USER_NOT_ELIGIBLE = "UserNotEligible"
    LICENCE_IN_GRACE = "LicenceInGrace"
    USAGE_LOCATION_MISMATCH = "UsageLocationMismatch"
    EMERGENCY_LOCATION_MISSING = "EmergencyLocationMissing"
    EMERGENCY_LOCATION_UNKNOWN = "EmergencyLocationUnknown"
    POLICY_NOT_FOUND = "PolicyNotFound"
    PROVIDER_REFUSED = "ProviderRefused"
    SECRET_NOT_FOUND = "SecretNotFound"
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    PERMISSION_MISSING = "PermissionMissing"
    CREDENTIALS_GONE = "CredentialsGone"
    REGISTER_RESTORED = "RegisterRestored"
    LOW_STOCK = "LowStock"

    # A batch of gated changes and the answer to it.
    HELD = "Held"
    APPROVED = "Approved"
    PARTLY_APPROVED = "PartlyApproved"
    COMPLETED = "Completed"
    WITHDRAWN = "Withdrawn"
    ACCEPTED = "Accepted"
    CONSUMED = "Consumed"
    EXPIRED = "Expired"
    EXPIRES_TOO_LATE = "ExpiresTooLate"
    UNKNOWN_PLAN = "UnknownPlan"
    WRONG_NAMESPACE = "WrongNamespace"

    # Somebody else's outage.
    INCIDENT_OPEN = "IncidentOpen"
    INCIDENT_RESOLVED = "IncidentResolved"
