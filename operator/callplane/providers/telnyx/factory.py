"""A `TelnyxProvider` from the spec of a Carrier; the registry knows this module by name."""

from __future__ import annotations

from callplane.providers import carrier_access
from callplane.providers.registry import Ingredients
from callplane.providers.telnyx.client import PUBLIC_URL, TelnyxClient
from callplane.providers.telnyx.provider import TelnyxProvider


def create(ingredients: Ingredients) -> TelnyxProvider:
    """Raises AuthenticationFailed when the key is missing."""
    key = carrier_access.secret_text(ingredients, what="API key of Telnyx")
    client = TelnyxClient(
        carrier_access.address_of(ingredients, PUBLIC_URL),
        transport=carrier_access.open_transport("telnyx", ingredients),
        key=key,
    )
    account = carrier_access.carrier_spec(ingredients).account
    return TelnyxProvider(account, client=client, clock=ingredients.clock)
