"""A `SimwoodProvider` from the spec of a Carrier; the registry knows this module by name."""

from __future__ import annotations

from callplane.apis.carriers import CarrierSpec
from callplane.providers.protocol import AuthenticationFailed
from callplane.providers.registry import Ingredients
from callplane.providers.simwood.client import PUBLIC_URL, Login, SimwoodClient
from callplane.providers.simwood.provider import SimwoodProvider
from callplane.providers.transport import Transport


def create(ingredients: Ingredients) -> SimwoodProvider:
    """Raises AuthenticationFailed when user or password is missing."""
    spec = ingredients.spec
    if not isinstance(spec, CarrierSpec):
        raise TypeError(f"the Simwood provider needs a CarrierSpec, not {type(spec).__name__}")
    endpoint = spec.endpoint
    transport = Transport(
        "simwood",
        clock=ingredients.clock,
        ca_bundle=endpoint.ca_bundle if endpoint is not None else None,
        observer=ingredients.observer,
    )
    client = SimwoodClient(
        endpoint.url if endpoint is not None else PUBLIC_URL,
        transport=transport,
        login=_login(spec, ingredients),
    )
    return SimwoodProvider(
        spec.account, client=client, clock=ingredients.clock, on_close=transport.close
    )


def _login(spec: CarrierSpec, ingredients: Ingredients) -> Login:
    credentials = spec.credentials
    if credentials is None or not credentials.user:
        raise AuthenticationFailed("Simwood needs credentials.user: the API user, not the portal's")
    secret = ingredients.secrets.get(credentials.secret_ref)
    if secret is None:
        reference = credentials.secret_ref
        raise AuthenticationFailed(
            f"Secret {reference.name} with key {reference.key} was not found"
        )
    # A line feed at the end comes from `echo` and editors.
    password = secret.decode("utf-8", errors="replace").strip()
    return Login(spec.account, credentials.user, password)
