"""A `PigeonProvider` from the spec of a Carrier."""

from __future__ import annotations

from pigeon.client import PUBLIC_URL, PigeonClient
from pigeon.provider import PigeonProvider

from callplane.providers import carrier_access
from callplane.providers.registry import Ingredients


def create(ingredients: Ingredients) -> PigeonProvider:
    """Raises AuthenticationFailed when the key is missing."""
    client = PigeonClient(
        carrier_access.address_of(ingredients, PUBLIC_URL),
        transport=carrier_access.open_transport("pigeon", ingredients),
        key=carrier_access.secret_text(ingredients, what="key of Pigeon Post"),
    )
    account = carrier_access.carrier_spec(ingredients).account
    return PigeonProvider(account, client=client, clock=ingredients.clock)
