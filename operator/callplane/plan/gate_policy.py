"""Which changes are gated: those that take something away that somebody may depend on.

A change is gated when it removes or replaces an observed number, number type, emergency location,
or a calling, voice-routing or emergency policy. First-time sets are not.
"""

from __future__ import annotations

from callplane.plan.change import Change, Operation

GATED_POLICY_TYPES = frozenset(
    {
        "TeamsCallingPolicy",
        "OnlineVoiceRoutingPolicy",
        "TeamsEmergencyCallingPolicy",
        "TeamsEmergencyCallRoutingPolicy",
        "OnlineDialOutPolicy",
        "TenantDialPlan",
        "TeamsSharedCallingRoutingPolicy",
        "OutgoingPermissions",
    }
)


def is_gated(change: Change) -> bool:
    """Irreversible changes are gated whatever they do."""
    if change.irreversible:
        return True
    if change.before is None:
        return False
    if change.operation is Operation.SET_POLICY:
        return change.before.get("type") in GATED_POLICY_TYPES
    return True


def is_emergency_relevant(change: Change) -> bool:
    """Does the change touch where an emergency call goes or where it says it comes from?"""
    if change.operation in (Operation.SET_LOCATION, Operation.SET_EMERGENCY_ADDRESS):
        return True
    fields = change.after or change.before or {}
    return fields.get("type", "").startswith("TeamsEmergency")
