"""Names of policies and the ids that Graph wants for them: looked up on demand, kept for a while.

There is no call that lists policies, and ids are opaque, so a name is the only way to one.
"""

from __future__ import annotations

import urllib.parse
from typing import Any

from callplane.clock import Clock
from callplane.plan.change import Operation
from callplane.providers.protocol import PermissionMissing, RefusalClass, Refused, Unavailable
from callplane.providers.teams.graph_client import GraphClient
from callplane.providers.teams.mapping import policy_name
from callplane.providers.teams.refusals import refusal_of
from callplane.providers.transport import describe

KEPT_SECONDS = 3600.0
POLICY_PATH = "/admin/teams/policy"

# Policy types of the service for which an assignment to a user makes sense here. The list is open:
# others are passed on, and the service judges them.
CALLING_POLICY_TYPES = frozenset(
    {
        "CallingLineIdentity",
        "OnlineDialOutPolicy",
        "OnlineVoiceRoutingPolicy",
        "OnlineVoicemailPolicy",
        "TeamsAudioConferencingPolicy",
        "TeamsCallHoldPolicy",
        "TeamsCallParkPolicy",
        "TeamsCallingPolicy",
        "TeamsEmergencyCallRoutingPolicy",
        "TeamsEmergencyCallingPolicy",
        "TeamsMobilityPolicy",
        "TeamsSharedCallingRoutingPolicy",
        "TeamsVoiceApplicationsPolicy",
        "TenantDialPlan",
    }
)


class PolicyBook:
    """Ids by (type, name)."""

    def __init__(self, client: GraphClient, *, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._ids: dict[tuple[str, str], tuple[str, float]] = {}

    async def policy_id(self, policy_type: str, name: str) -> str:
        """Raises Refused (PolicyNotFound) when the tenant has no such policy, else as any read
        does.
        """
        key = (policy_type, name)
        known = self._ids.get(key)
        if known is not None and self._clock.monotonic() < known[1]:
            return known[0]
        url = self._client.url(
            f"{POLICY_PATH}/getPolicyId(type={_quoted(policy_type)},name={_quoted(name)})"
        )
        found = _matching_id(await self._look_up(url), name)
        if found is None:
            raise Refused(
                RefusalClass.PRECONDITION,
                f"the tenant has no policy {name!r} of type {policy_type}",
                reason="PolicyNotFound",
            )
        self._ids[key] = (found, self._clock.monotonic() + KEPT_SECONDS)
        return found

    async def _look_up(self, url: str) -> Any:
        try:
            answer = await self._client.read_answer("getPolicyId", url)
        except PermissionMissing as error:
            # Looking a name up needs the permission to assign, which numbers can do without: the
            # connection as a whole is not to blame.
            raise Refused(
                RefusalClass.PERMISSION, str(error), reason="PermissionMissing"
            ) from error
        if answer.ok:
            return answer.json()
        if refusal_of(Operation.SET_POLICY, answer).refusal is RefusalClass.TRANSIENT:
            raise Unavailable(f"getPolicyId: {describe(answer)}")
        # The service refuses types that it does not know in the same way as unknown names.
        return None

    def forget(self, policy_type: str, name: str) -> None:
        """A write with this id was refused: the policy may have been made anew under its name."""
        self._ids.pop((policy_type, name), None)


def _quoted(text: str) -> str:
    """A string literal of OData inside a path: quotes are doubled, then everything is encoded."""
    doubled = text.replace("'", "''")
    return f"'{urllib.parse.quote(doubled, safe='')}'"


def _matching_id(answer: Any, name: str) -> str | None:
    entries = answer.get("value") if isinstance(answer, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        found, policy_id = entry.get("name"), entry.get("policyId")
        if not isinstance(policy_id, str) or not policy_id:
            continue
        # Names of policies are compared without regard to case, as the service does.
        if not isinstance(found, str) or policy_name(found).lower() == name.lower():
            return policy_id
    return None
