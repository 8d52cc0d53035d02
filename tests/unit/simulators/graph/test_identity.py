"""The token service accepts good proof and refuses bad proof in Entra ID's words."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from callplane.simulators.graph.identity import (
    EXCHANGE_AUDIENCE,
    GRAPH_SCOPE,
    JWT_BEARER,
    Application,
    FederatedCredential,
    Secret,
)
from callplane.simulators.graph.seeding import DEFAULT_CLIENT_ID, DEFAULT_SECRET
from callplane.testing.app_certificates import make_app_certificate
from callplane.testing.graph_desk import GraphDesk
from callplane.testing.manual_clock import START

CLIENT_ID = "c11e0000-0000-4000-8000-000000000009"
CERTIFICATE = make_app_certificate(START)
STRANGER = make_app_certificate(START)


async def token(desk: GraphDesk, **form: str) -> tuple[int, Any]:
    """Status and body of a token request over HTTP."""
    fields = {"grant_type": "client_credentials", "scope": GRAPH_SCOPE, **form}
    encoded = "&".join(f"{name}={value}" for name, value in fields.items()).encode("ascii")
    path = f"/{desk.tenant.id}/oauth2/v2.0/token"
    answer = await desk.calls.request("POST", path, body=encoded)
    return answer.status, answer.document


def assertion(
    desk: GraphDesk, key: Any = CERTIFICATE.key, algorithm: str = "PS256", **changes: object
) -> str:
    digest = CERTIFICATE.certificate.fingerprint(hashes.SHA256())
    now = int(desk.clock.now().timestamp())
    claims = {
        "aud": f"https://login.test/{desk.tenant.id}/oauth2/v2.0/token",
        "iss": CLIENT_ID,
        "sub": CLIENT_ID,
        "exp": now + 600,
        **changes,
    }
    headers = {"x5t#S256": base64.urlsafe_b64encode(digest).decode("ascii")}
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


def register(desk: GraphDesk, **fields: Any) -> None:
    desk.world.tokens.register(desk.tenant.id, Application(CLIENT_ID, **fields))


async def proof(desk: GraphDesk, text: str) -> tuple[int, Any]:
    return await token(
        desk, client_id=CLIENT_ID, client_assertion=text, client_assertion_type=JWT_BEARER
    )


async def test_a_secret_is_good_for_a_token(desk: GraphDesk) -> None:
    status, body = await token(desk, client_id=DEFAULT_CLIENT_ID, client_secret=DEFAULT_SECRET)

    assert status == 200
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3599)
    desk.calls.headers["authorization"] = f"Bearer {body['access_token']}"
    assert (await desk.calls.get("/v1.0/users")).status == 200


@pytest.mark.parametrize(
    ("form", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": "old"}, 401, "invalid_client", 7000222),
        ({"client_id": "nobody"}, 400, "unauthorized_client", 700016),
        ({"scope": "other"}, 400, "invalid_scope", 1002012),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"client_assertion": "x", "client_assertion_type": "y"}, 401, "invalid_client", 700027),
        (
            {"client_assertion": "x", "client_assertion_type": JWT_BEARER},
            401,
            "invalid_client",
            50027,
        ),
    ],
)
async def test_a_refusal_names_its_number(
    desk: GraphDesk, form: dict[str, str], status: int, error: str, number: int
) -> None:
    moment = desk.clock.now()
    register(desk, secrets=[Secret("new"), Secret("old", moment)])
    found, body = await token(desk, **{"client_id": CLIENT_ID, "client_secret": "new", **form})

    assert (found, body["error"], body["error_codes"]) == (status, error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")


async def test_an_unknown_tenant_is_refused(desk: GraphDesk) -> None:
    path = "/nowhere/v2.0/.well-known/openid-configuration"
    answer = await desk.calls.request("GET", path)

    assert (answer.status, answer.document["error_codes"]) == (400, [90002])


async def test_discovery_follows_the_scheme_the_caller_used(desk: GraphDesk) -> None:
    path = "/tenant.example/v2.0/.well-known/openid-configuration"
    plain = await desk.calls.request("GET", path)
    proxied = await desk.calls.request("GET", path, headers={"X-Forwarded-Proto": "https"})

    ending = f"://graph.test/{desk.tenant.id}/oauth2/v2.0/token"
    assert plain.document["token_endpoint"] == f"http{ending}"
    assert proxied.document["token_endpoint"] == f"https{ending}"


@pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
async def test_a_certificate_is_good_for_a_token(desk: GraphDesk, algorithm: str) -> None:
    register(desk, certificates=[CERTIFICATE.certificate_pem])

    assert (await proof(desk, assertion(desk, algorithm=algorithm)))[0] == 200


async def test_a_certificate_must_be_registered_and_its_key_must_have_signed(
    desk: GraphDesk,
) -> None:
    register(desk)
    assert (await proof(desk, assertion(desk)))[1]["error_codes"] == [700027]

    register(desk, certificates=[CERTIFICATE.certificate_pem])
    bad = {
        "signature": assertion(desk, key=STRANGER.key),
        "audience": assertion(desk, aud="https://login.test/other/oauth2/v2.0/token"),
        "subject": assertion(desk, sub="somebody"),
    }
    for text in bad.values():
        assert (await proof(desk, text))[1]["error_codes"] == [700027]
    late = assertion(desk)
    desk.clock.advance(3600.0)
    assert (await proof(desk, late))[1]["error_codes"] == [700024]


async def test_a_federated_token_is_good_for_its_subject_and_audience_only(
    desk: GraphDesk,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    issuer = "https://issuer.example"
    credential = FederatedCredential("sa", issuer, EXCHANGE_AUDIENCE, public.decode("ascii"))
    register(desk, federated=[credential, FederatedCredential("ours")])

    def projected(signer: Any = key, **changes: object) -> str:
        expires = int(desk.clock.now().timestamp()) + 600
        claims = {"iss": issuer, "sub": "sa", "aud": [EXCHANGE_AUDIENCE], "exp": expires}
        return jwt.encode({**claims, **changes}, signer, algorithm="ES256")

    stranger = ec.generate_private_key(ec.SECP256R1())
    assert (await proof(desk, projected()))[0] == 200
    assert (await proof(desk, desk.world.tokens.projected_token("ours")))[0] == 200
    assert (await proof(desk, projected(sub="other")))[1]["error_codes"] == [700213]
    assert (await proof(desk, projected(aud="other")))[1]["error_codes"] == [700212]
    assert (await proof(desk, projected(stranger)))[1]["error_codes"] == [700027]


async def test_the_token_service_can_be_down_while_graph_is_not(desk: GraphDesk) -> None:
    desk.fault(effect="status", kinds=["token"], times=1)
    form = {"client_id": DEFAULT_CLIENT_ID, "client_secret": DEFAULT_SECRET}

    assert (await token(desk, **form))[0] == 503
    assert (await token(desk, **form))[0] == 200


async def test_no_secret_is_in_the_record(desk: GraphDesk) -> None:
    await token(desk, client_id=DEFAULT_CLIENT_ID, client_secret=DEFAULT_SECRET)
    record = json.dumps([entry.document() for entry in desk.world.recorder.requests()])

    assert '"kind": "token"' in record
    assert DEFAULT_SECRET not in record
