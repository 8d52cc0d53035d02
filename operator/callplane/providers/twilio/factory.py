"""A `TwilioProvider` from the spec of a Carrier; the registry knows this module by name."""

from __future__ import annotations

from callplane.providers import carrier_access
from callplane.providers.protocol import AuthenticationFailed
from callplane.providers.registry import Ingredients
from callplane.providers.twilio.client import ACCOUNT_SID, Hosts, Login, TwilioClient
from callplane.providers.twilio.provider import TwilioProvider


def create(ingredients: Ingredients) -> TwilioProvider:
    """Raises AuthenticationFailed when the token is missing or the account is no SID."""
    spec = carrier_access.carrier_spec(ingredients)
    if not ACCOUNT_SID.fullmatch(spec.account):
        raise AuthenticationFailed("account must be the account's SID: AC and 32 digits of 0-9a-f")
    secret = carrier_access.secret_text(ingredients, what="auth token or API key secret of Twilio")
    user = spec.credentials.user if spec.credentials is not None else ""
    hosts = Hosts()
    if spec.endpoint is not None:
        hosts = Hosts.all_at(carrier_access.address_of(ingredients, ""))
    client = TwilioClient(
        hosts,
        transport=carrier_access.open_transport("twilio", ingredients),
        login=Login(spec.account, user or spec.account, secret),
    )
    return TwilioProvider(spec.account, client=client, clock=ingredients.clock)
