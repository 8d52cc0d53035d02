"""What a provider cannot do, asked without signing in anywhere. Called by `callplane plan`."""

from __future__ import annotations

from urllib.parse import urlsplit

from callplane.apis.teams_tenants import TeamsTenant
from callplane.desired.declarations import PlatformObject
from callplane.plan.change import Change
from callplane.providers.protocol import Unsupported
from callplane.providers.teams import manual_steps as teams_steps
from callplane.providers.webex import manual_steps as webex_steps


def judge(platform: PlatformObject, change: Change) -> Unsupported | None:
    """As the provider of that connection would answer; numbers stay out of the manual step."""
    if not isinstance(platform, TeamsTenant):
        return webex_steps.judge(change)
    host = (urlsplit(platform.spec.endpoint.graph).hostname or "").lower()
    other_cloud = host in teams_steps.OTHER_CLOUDS
    return teams_steps.judge(change, other_cloud=other_cloud, show_numbers=False)
