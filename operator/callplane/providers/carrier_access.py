"""What the factories of carriers share: the spec, the secret it names, and a transport of its own.

A carrier's folder must not import another's, so what is alike stands here.
"""

from __future__ import annotations

from callplane.apis.carriers import CarrierSpec
from callplane.providers.protocol import AuthenticationFailed
from callplane.providers.registry import Ingredients
from callplane.providers.transport import Transport


def carrier_spec(ingredients: Ingredients) -> CarrierSpec:
    """The spec of a Carrier. Raises TypeError for any other: a mistake of the wiring."""
    spec = ingredients.spec
    if not isinstance(spec, CarrierSpec):
        raise TypeError(f"a carrier's provider needs a CarrierSpec, not {type(spec).__name__}")
    return spec


def secret_text(ingredients: Ingredients, *, what: str) -> str:
    """The password, token or key that the spec names. `what` says which, in a message.

    Raises AuthenticationFailed when no credentials are stated or the Secret is not there.
    """
    credentials = carrier_spec(ingredients).credentials
    if credentials is None:
        raise AuthenticationFailed(f"credentials.secretRef is missing: {what}")
    reference = credentials.secret_ref
    secret = ingredients.secrets.get(reference)
    if secret is None:
        raise AuthenticationFailed(
            f"Secret {reference.name} with key {reference.key} was not found: {what}"
        )
    # A line feed at the end comes from `echo` and editors.
    text = secret.decode("utf-8", errors="replace").strip()
    if not text.isprintable() or not text.isascii() or not text:
        raise AuthenticationFailed(
            f"Secret {reference.name} with key {reference.key} holds no {what}"
        )
    return text


def address_of(ingredients: Ingredients, public_url: str) -> str:
    """Where the carrier's interface is, without a slash at the end."""
    endpoint = carrier_spec(ingredients).endpoint
    return (endpoint.url if endpoint is not None else public_url).rstrip("/")


def open_transport(provider: str, ingredients: Ingredients) -> Transport:
    """A transport that trusts what the spec says and is measured as the others are."""
    endpoint = carrier_spec(ingredients).endpoint
    return Transport(
        provider,
        clock=ingredients.clock,
        ca_bundle=endpoint.ca_bundle if endpoint is not None else None,
        observer=ingredients.observer,
    )
