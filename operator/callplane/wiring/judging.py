"""What a provider cannot do, asked without signing in anywhere. Called by `callplane plan`."""

from __future__ import annotations

from urllib.parse import urlsplit

from callplane.apis.teams_tenants import TeamsTenantSpec
from callplane.plan.change import Change
from callplane.providers.protocol import Unsupported
from callplane.providers.teams import manual_steps


def judge(spec: TeamsTenantSpec, change: Change) -> Unsupported | None:
    """As the provider of that connection would answer; numbers stay out of the manual step."""
    host = (urlsplit(spec.endpoint.graph).hostname or "").lower()
    other_cloud = host in manual_steps.OTHER_CLOUDS
    return manual_steps.judge(change, other_cloud=other_cloud, show_numbers=False)
