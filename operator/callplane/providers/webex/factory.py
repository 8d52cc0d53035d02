"""A `WebexProvider` from the spec of a WebexOrganization; the registry knows it by name."""

from __future__ import annotations

from callplane.apis.references import SecretKeyRef
from callplane.apis.webex_organizations import WebexOrganizationSpec
from callplane.providers.protocol import AuthenticationFailed
from callplane.providers.registry import Ingredients
from callplane.providers.tokens import TokenSource
from callplane.providers.transport import Transport
from callplane.providers.webex.call_reports import ANALYTICS_URL, WebexCallReports
from callplane.providers.webex.client import WebexClient
from callplane.providers.webex.provider import WebexProvider
from callplane.providers.webex.sdk_transport import SdkTransport
from callplane.providers.webex.sign_in import ServiceApp, SignIn

PUBLIC_URL = "https://webexapis.com/v1"


def create(ingredients: Ingredients) -> WebexProvider:
    """Raises AuthenticationFailed when a Secret that the spec names is not among the
    ingredients.
    """
    spec = ingredients.spec
    if not isinstance(spec, WebexOrganizationSpec):
        raise TypeError(
            f"the Webex provider needs a WebexOrganizationSpec, not {type(spec).__name__}"
        )
    app = spec.credentials.service_app
    ca_bundle = spec.endpoint.ca_bundle
    # The token service is asked beside the SDK, which would do it with another HTTP client.
    plain = Transport(
        "webex", clock=ingredients.clock, ca_bundle=ca_bundle, observer=ingredients.observer
    )
    sign_in = SignIn(
        spec.endpoint.api,
        ServiceApp(
            app.client_id,
            _secret(app.client_secret_ref, ingredients),
            _secret(app.refresh_token_ref, ingredients),
        ),
        transport=plain,
        clock=ingredients.clock,
    )
    tokens = TokenSource(sign_in.acquire, clock=ingredients.clock)
    transport = SdkTransport(
        clock=ingredients.clock, ca_bundle=ca_bundle, observer=ingredients.observer
    )

    async def close() -> None:
        await tokens.close()
        await transport.close()
        await plain.close()

    def client_at(url: str) -> WebexClient:
        return WebexClient(url, transport=transport, tokens=tokens, clock=ingredients.clock)

    # Somebody who stands in for Webex does so for all of its hosts.
    is_public = spec.endpoint.api.rstrip("/") == PUBLIC_URL
    return WebexProvider(
        spec.org_id,
        client=client_at(spec.endpoint.api),
        clock=ingredients.clock,
        ends_at=lambda: sign_in.ends_at,
        on_close=close,
        call_reports=WebexCallReports(ANALYTICS_URL if is_public else spec.endpoint.api, client_at),
    )


def _secret(reference: SecretKeyRef, ingredients: Ingredients) -> str:
    value = ingredients.secrets.get(reference)
    if value is None:
        raise AuthenticationFailed(
            f"Secret {reference.name} with key {reference.key} was not found"
        )
    # A line feed at the end comes from `echo` and editors, never from Webex.
    return value.decode("utf-8", errors="replace").strip()
