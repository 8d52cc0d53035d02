"""What a provider cannot do, asked without signing in anywhere. Called by `callplane plan`."""

from __future__ import annotations

from urllib.parse import urlsplit

from callplane.apis.carriers import CarrierSpec
from callplane.apis.references import SecretKeyRef
from callplane.apis.session_border_controllers import SessionBorderController
from callplane.apis.teams_tenants import TeamsTenant
from callplane.clock import SystemClock
from callplane.desired.declarations import PlatformObject
from callplane.engine.carriers import provider_name
from callplane.engine.recorded_carrier import CarrierSkills
from callplane.errors import CallplaneError
from callplane.plan.change import Change
from callplane.providers.protocol import Unsupported
from callplane.providers.registry import CarrierRegistry, Ingredients
from callplane.providers.sip import provider as sip_provider
from callplane.providers.teams import manual_steps as teams_steps
from callplane.providers.webex import manual_steps as webex_steps


def judge(platform: PlatformObject, change: Change) -> Unsupported | None:
    """As the provider of that connection would answer; numbers stay out of the manual step."""
    if isinstance(platform, SessionBorderController):
        return sip_provider.judge(change)
    if not isinstance(platform, TeamsTenant):
        return webex_steps.judge(change)
    host = (urlsplit(platform.spec.endpoint.graph).hostname or "").lower()
    other_cloud = host in teams_steps.OTHER_CLOUDS
    return teams_steps.judge(change, other_cloud=other_cloud, show_numbers=False)


#: Stands in for the value of a Secret: what is asked of such a provider asks nobody else.
_NO_SECRET = b"not-signed-in"


async def carrier_skills(spec: CarrierSpec) -> CarrierSkills:
    """The pure half of a carrier's provider. Raises CallplaneError where the spec makes none."""
    secrets: dict[SecretKeyRef, bytes] = {}
    if spec.credentials is not None:
        secrets[spec.credentials.secret_ref] = _NO_SECRET
    ingredients = Ingredients(spec=spec, clock=SystemClock(), secrets=secrets)
    try:
        provider = CarrierRegistry().create(provider_name(spec), ingredients)
    except LookupError as error:
        raise CallplaneError(str(error)) from error
    await provider.close()
    return CarrierSkills(
        provider.capabilities, provider.canonical_route, provider.canonical_address
    )
