"""The token service over HTTP: OpenID discovery and `/{tenant}/oauth2/v2.0/token`."""

from __future__ import annotations

from urllib.parse import parse_qsl

from callplane.simulators.exchange import Request, Response, json_response
from callplane.simulators.graph.identity import TokenRefusal
from callplane.simulators.graph.world import GraphWorld
from callplane.simulators.recording import Entry, Outcome

_DISCOVERY_ENDINGS = ("/v2.0/.well-known/openid-configuration", "/.well-known/openid-configuration")
_TOKEN_ENDING = "/oauth2/v2.0/token"


def answer(world: GraphWorld, request: Request) -> Response:
    """Answer a request outside `/v1.0`."""
    for ending in _DISCOVERY_ENDINGS:
        if request.method == "GET" and request.path.endswith(ending):
            return _discovery(world, request, request.path.removesuffix(ending).strip("/"))
    if request.method == "POST" and request.path.endswith(_TOKEN_ENDING):
        return _token(world, request, request.path.removesuffix(_TOKEN_ENDING).strip("/"))
    return json_response({"error": "not_found", "path": request.path}, status=404)


def _discovery(world: GraphWorld, request: Request, key: str) -> Response:
    try:
        tenant = world.tenant(key)
    except ValueError:
        return _refused(world, _unknown_tenant(key))
    base = f"{request.origin()}/{tenant.id}"
    return json_response(
        {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}{_TOKEN_ENDING}",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": "EU",
        }
    )


def _token(world: GraphWorld, request: Request, key: str) -> Response:
    form = dict(parse_qsl(request.body.decode("utf-8", errors="replace")))
    tenant_id = ""
    try:
        try:
            tenant = world.tenant(key)
        except ValueError:
            raise _unknown_tenant(key) from None
        tenant_id = tenant.id
        strikes = world.faults.strikes("token", is_write=None, tenant=tenant.id, subject="")
        if strikes:
            rule = strikes[0]
            raise TokenRefusal(rule.status, "temporarily_unavailable", 90033, rule.message)
        response = json_response(
            world.tokens.issue(
                tenant.id,
                form,
                audience=f"/{key}{_TOKEN_ENDING}",
                lifetime_seconds=tenant.settings.token_seconds,
            )
        )
    except TokenRefusal as refusal:
        response = _refused(world, refusal)
    _record(world, request, response, tenant_id=tenant_id, who=form.get("client_id", ""))
    return response


def _unknown_tenant(key: str) -> TokenRefusal:
    return TokenRefusal(
        400,
        "invalid_tenant",
        90002,
        f"Tenant '{key}' not found. Check to make sure you have the correct tenant ID and are"
        " signing into the correct cloud.",
    )


def _refused(world: GraphWorld, refusal: TokenRefusal) -> Response:
    return json_response(
        world.tokens.refusal_document(refusal),
        status=refusal.status,
        headers={"Cache-Control": "no-store, no-cache"},
    )


def _record(
    world: GraphWorld, request: Request, response: Response, *, tenant_id: str, who: str
) -> None:
    now = world.clock.now().timestamp()
    refused = response.status >= 400
    world.recorder.add(
        Entry(
            sequence=world.recorder.next_sequence(),
            at=now,
            answered_at=now,
            tenant=tenant_id,
            who=who,
            kind="token",
            method=request.method,
            path=request.path,
            status=response.status,
            outcome=Outcome.REFUSED if refused else Outcome.ANSWERED,
            is_write=False,
            committed=False,
            subject="",
            request_id="",
        )
    )
