"""A `TeamsProvider` from the spec of a TeamsTenant; the registry knows this module by name."""

from __future__ import annotations

import functools
from pathlib import Path

import yarl

from callplane.apis.references import SecretKeyRef
from callplane.apis.teams_tenants import TeamsCredentials, TeamsTenantSpec
from callplane.providers.protocol import AuthenticationFailed
from callplane.providers.registry import Ingredients
from callplane.providers.teams import manual_steps, sign_in
from callplane.providers.teams.credentials import (
    Certificate,
    ClientSecret,
    Credential,
    WorkloadIdentity,
)
from callplane.providers.teams.graph_client import GraphClient
from callplane.providers.teams.provider import TeamsProvider
from callplane.providers.teams.sign_in import Account
from callplane.providers.tokens import TokenSource
from callplane.providers.transport import Transport

GLOBAL_GRAPH = "https://graph.microsoft.com"


def create(ingredients: Ingredients) -> TeamsProvider:
    """Raises AuthenticationFailed when a Secret that the spec names is not among the
    ingredients.
    """
    spec = ingredients.spec
    if not isinstance(spec, TeamsTenantSpec):
        raise TypeError(f"the Teams provider needs a TeamsTenantSpec, not {type(spec).__name__}")
    graph_url = spec.endpoint.graph
    other_cloud = (yarl.URL(graph_url).host or "").lower() in manual_steps.OTHER_CLOUDS
    transport = Transport(
        "teams",
        clock=ingredients.clock,
        ca_bundle=spec.endpoint.ca_bundle,
        observer=ingredients.observer,
    )
    account = Account(
        tenant_id=spec.tenant_id,
        credential=_credential(spec.credentials, ingredients),
        # A stand-in for Graph at another address still answers to Graph's own name.
        scope=f"{graph_url.rstrip('/') if other_cloud else GLOBAL_GRAPH}/.default",
        authority_url=spec.endpoint.authority,
    )
    tokens = TokenSource(
        functools.partial(sign_in.acquire, account, transport), clock=ingredients.clock
    )

    async def close() -> None:
        await tokens.close()
        await transport.close()

    return TeamsProvider(
        spec.tenant_id,
        client=GraphClient(graph_url, transport=transport, tokens=tokens, clock=ingredients.clock),
        clock=ingredients.clock,
        judge=functools.partial(
            manual_steps.judge, other_cloud=other_cloud, show_numbers=ingredients.show_numbers
        ),
        on_close=close,
    )


def _credential(spec: TeamsCredentials, ingredients: Ingredients) -> Credential:
    if spec.client_secret is not None:
        secret = _secret(spec.client_secret.secret_ref, ingredients)
        # A line feed at the end comes from `echo` and editors, never from Entra ID.
        text = secret.decode("utf-8", errors="replace").strip()
        return ClientSecret(spec.client_secret.client_id, text)
    if spec.certificate is not None:
        passphrase_ref = spec.certificate.passphrase_ref
        return Certificate(
            spec.certificate.client_id,
            _secret(spec.certificate.secret_ref, ingredients),
            None
            if passphrase_ref is None
            else _secret(passphrase_ref, ingredients).rstrip(b"\r\n"),
        )
    if spec.workload_identity is not None:
        file = spec.workload_identity.token_file or ingredients.token_file
        if not file:
            raise AuthenticationFailed("there is no federated token file on this operator")
        if spec.workload_identity.token_file is not None:
            _check_folder(file, ingredients.token_folders)
        return WorkloadIdentity(
            spec.workload_identity.client_id, lambda: Path(file).read_text().strip()
        )
    raise AuthenticationFailed("the tenant names no credentials")


def _secret(reference: SecretKeyRef, ingredients: Ingredients) -> bytes:
    value = ingredients.secrets.get(reference)
    if value is None:
        raise AuthenticationFailed(
            f"Secret {reference.name} with key {reference.key} was not found"
        )
    return value


def _check_folder(file: str, folders: tuple[str, ...]) -> None:
    """A tenant's author may name a file, so it must lie where the operator's settings allow:
    otherwise any of the operator's own tokens could be sent to an authority of the author's choice.
    """
    path = Path(file).resolve()
    if not any(path.is_relative_to(Path(folder).resolve()) for folder in folders):
        raise AuthenticationFailed("the federated token file lies outside the allowed folders")
