"""A `DidwwProvider` from the spec of a Carrier; the registry knows this module by name."""

from __future__ import annotations

from callplane.providers import carrier_access
from callplane.providers.didww.client import PUBLIC_URL, DidwwClient
from callplane.providers.didww.provider import DidwwProvider
from callplane.providers.registry import Ingredients


def create(ingredients: Ingredients) -> DidwwProvider:
    """Raises AuthenticationFailed when the key is missing."""
    key = carrier_access.secret_text(ingredients, what="API key of DIDWW")
    client = DidwwClient(
        carrier_access.address_of(ingredients, PUBLIC_URL),
        transport=carrier_access.open_transport("didww", ingredients),
        key=key,
    )
    account = carrier_access.carrier_spec(ingredients).account
    return DidwwProvider(account, client=client, clock=ingredients.clock)
