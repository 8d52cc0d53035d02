"""Signing in to a tenant with each kind of credentials, and each way in which that goes wrong."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from callplane.apis.references import SecretKeyRef
from callplane.apis.teams_tenants import (
    CertificateCredentials,
    ClientSecretCredentials,
    TeamsCredentials,
    TeamsEndpoint,
    TeamsTenantSpec,
    WorkloadIdentityCredentials,
)
from callplane.clock import SystemClock
from callplane.plan.change import Change, Operation
from callplane.providers.protocol import (
    AuthenticationFailed,
    PermissionMissing,
    Provider,
    RefusalClass,
    Refused,
    Unavailable,
)
from callplane.providers.registry import Ingredients, Registry
from callplane.providers.transport import CallRecord
from callplane.simulators.faults import Effect, FaultRule
from callplane.simulators.graph.identity import Application, FederatedCredential, Secret
from callplane.simulators.graph.running import RunningGraph, running_graph
from callplane.simulators.graph.seeding import DEFAULT_CLIENT_ID, DEFAULT_SECRET, WorldSeed
from callplane.simulators.graph.world import GraphWorld
from callplane.testing.manual_clock import ManualClock
from callplane.testing.provider_stage import NUMBERS
from callplane.values import Platform

SECRET_REF = SecretKeyRef(name="graph", key="secret")
PASSPHRASE_REF = SecretKeyRef(name="graph", key="passphrase")
SUBJECT = "system:serviceaccount:callplane:operator"
CLIENT_SECRET = TeamsCredentials(
    client_secret=ClientSecretCredentials(client_id=DEFAULT_CLIENT_ID, secret_ref=SECRET_REF)
)


class SignIn:
    """A tenant at its beginning; `provider` makes a fresh provider with what is given."""

    def __init__(self, graph: RunningGraph, clock: ManualClock) -> None:
        self.graph = graph
        self.clock = clock
        self.records: list[CallRecord] = []
        self.made: list[Provider] = []
        self.token_file: str | None = None
        self.token_folders: tuple[str, ...] = ()
        self.endpoint = TeamsEndpoint(
            graph=graph.graph_url, authority=graph.login_url, ca_bundle=graph.ca_file.read_text()
        )

    def register(self, **application: object) -> None:
        """Put these credentials in the place of the application's old ones."""
        tenant = self.graph.world.tenant().id
        self.graph.world.tokens.register(
            tenant,
            Application(client_id=DEFAULT_CLIENT_ID, **application),  # type: ignore[arg-type]
        )

    def provider(
        self, credentials: TeamsCredentials, secrets: dict[SecretKeyRef, bytes] | None = None
    ) -> Provider:
        spec = TeamsTenantSpec(
            tenant_id=self.graph.world.tenant().id,
            credentials=credentials,
            endpoint=self.endpoint,
        )
        made = Registry().create(
            "teams",
            Ingredients(
                spec=spec,
                clock=self.clock,
                secrets=secrets or {},
                observer=self.records.append,
                token_file=self.token_file,
                token_folders=self.token_folders,
            ),
        )
        self.made.append(made)
        return made

    def with_secret(self, secret: str) -> Provider:
        return self.provider(CLIENT_SECRET, {SECRET_REF: secret.encode()})

    def asked(self, operation: str) -> int:
        return sum(record.operation == operation for record in self.records)


@pytest.fixture
async def sign_in() -> AsyncIterator[SignIn]:
    clock = ManualClock(SystemClock().now())
    async with running_graph(GraphWorld(clock=clock, seed=WorldSeed())) as graph:
        sign_in = SignIn(graph, clock)
        yield sign_in
        for provider in sign_in.made:
            await provider.close()


async def works(provider: Provider) -> bool:
    return (await provider.read_number(NUMBERS[0])).row is None


# --- client secret ---


@pytest.mark.parametrize("text", [DEFAULT_SECRET, f"{DEFAULT_SECRET}\n"])
async def test_a_client_secret(sign_in: SignIn, text: str) -> None:
    provider = sign_in.with_secret(text)
    assert await works(provider)
    assert await works(provider)
    assert sign_in.asked("getToken") == 1


async def test_a_wrong_secret_is_asked_for_once(sign_in: SignIn) -> None:
    provider = sign_in.with_secret("guess")
    for _ in range(20):
        with pytest.raises(AuthenticationFailed, match="AADSTS7000215"):
            await works(provider)
    assert sign_in.asked("getToken") == 1
    assert await works(sign_in.with_secret(DEFAULT_SECRET))


async def test_a_wrong_secret_says_nothing_of_itself(sign_in: SignIn) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        await works(sign_in.with_secret("guess-of-a-secret"))
    assert "guess-of-a-secret" not in str(caught.value)
    assert "Trace ID" not in str(caught.value)


async def test_an_expired_secret(sign_in: SignIn) -> None:
    expired = sign_in.clock.now() - datetime.timedelta(days=1)
    sign_in.register(secrets=[Secret(DEFAULT_SECRET, expired)])
    with pytest.raises(AuthenticationFailed, match="AADSTS7000222"):
        await works(sign_in.with_secret(DEFAULT_SECRET))


async def test_an_application_nobody_knows(sign_in: SignIn) -> None:
    other = ClientSecretCredentials(
        client_id="0badc0de-0000-4000-8000-000000000001", secret_ref=SECRET_REF
    )
    provider = sign_in.provider(
        TeamsCredentials(client_secret=other), {SECRET_REF: DEFAULT_SECRET.encode()}
    )
    with pytest.raises(AuthenticationFailed, match="AADSTS700016"):
        await works(provider)


def test_a_missing_secret_is_named() -> None:
    spec = TeamsTenantSpec(
        tenant_id="7e5a1d00-0000-4000-8000-000000000001", credentials=CLIENT_SECRET
    )
    with pytest.raises(AuthenticationFailed, match="Secret graph with key secret"):
        Registry().create("teams", Ingredients(spec=spec, clock=ManualClock()))


# --- the token's life ---


async def test_an_expired_token_is_replaced_before_it_hurts(sign_in: SignIn) -> None:
    provider = sign_in.with_secret(DEFAULT_SECRET)
    await works(provider)
    sign_in.clock.advance(3400.0)
    assert await works(provider)
    assert sign_in.asked("getToken") == 2
    assert {record.status for record in sign_in.records} == {200}


async def test_a_revoked_token_costs_one_refused_read(sign_in: SignIn) -> None:
    provider = sign_in.with_secret(DEFAULT_SECRET)
    await works(provider)
    sign_in.graph.world.tokens.revoke_all()
    assert await works(provider)
    assert [record.status for record in sign_in.records[-4:]] == [401, 200, 200, 200]


async def test_a_permission_that_is_missing(sign_in: SignIn) -> None:
    sign_in.register(secrets=[Secret(DEFAULT_SECRET)], permissions=frozenset({"User.Read.All"}))
    provider = sign_in.with_secret(DEFAULT_SECRET)
    with pytest.raises(PermissionMissing):
        await works(provider)


async def test_a_permission_that_only_policies_need(sign_in: SignIn) -> None:
    permissions = frozenset({"TeamsTelephoneNumber.ReadWrite.All"})
    sign_in.register(secrets=[Secret(DEFAULT_SECRET)], permissions=permissions)
    provider = sign_in.with_secret(DEFAULT_SECRET)
    assert await works(provider)
    policy = {"type": "TeamsCallingPolicy", "name": "AllowCalling"}
    change = Change(
        provider.connection, Operation.SET_POLICY, Platform.TEAMS, "user-1", None, policy
    )
    with pytest.raises(Refused) as caught:
        await provider.send(change, request_id="r")
    assert caught.value.refusal is RefusalClass.PERMISSION
    assert await works(provider)


# --- certificates ---


def certificate_files(passphrase: bytes | None) -> dict[str, bytes]:
    """The same certificate as PFX and as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "callplane")])
    now = SystemClock().now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    encryption: serialization.KeySerializationEncryption = (
        serialization.NoEncryption()
        if passphrase is None
        else serialization.BestAvailableEncryption(passphrase)
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )
    pfx = pkcs12.serialize_key_and_certificates(b"callplane", key, certificate, None, encryption)
    return {"pfx": pfx, "pem": private + public, "public": public, "private": private}


def certificate_credentials(*, passphrase: bool) -> TeamsCredentials:
    return TeamsCredentials(
        certificate=CertificateCredentials(
            client_id=DEFAULT_CLIENT_ID,
            secret_ref=SECRET_REF,
            passphrase_ref=PASSPHRASE_REF if passphrase else None,
        )
    )


@pytest.mark.parametrize("form", ["pfx", "pem"])
@pytest.mark.parametrize("passphrase", [None, b"open sesame"])
async def test_a_certificate(sign_in: SignIn, form: str, passphrase: bytes | None) -> None:
    files = certificate_files(passphrase)
    sign_in.register(certificates=[files["public"].decode()])
    secrets = {SECRET_REF: files[form]}
    if passphrase is not None:
        secrets[PASSPHRASE_REF] = passphrase + b"\n"
    credentials = certificate_credentials(passphrase=passphrase is not None)
    assert await works(sign_in.provider(credentials, secrets))


async def test_a_certificate_that_the_application_does_not_have(sign_in: SignIn) -> None:
    sign_in.register(certificates=[certificate_files(None)["public"].decode()])
    secrets = {SECRET_REF: certificate_files(None)["pem"]}
    with pytest.raises(AuthenticationFailed, match="AADSTS700027"):
        await works(sign_in.provider(certificate_credentials(passphrase=False), secrets))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda files: b"",
        lambda files: b"not a certificate",
        lambda files: files["public"],
        lambda files: files["private"],
        lambda files: files["pfx"][:100],
    ],
)
async def test_a_certificate_that_cannot_be_opened(
    sign_in: SignIn, spoil: Callable[[dict[str, bytes]], bytes]
) -> None:
    secrets = {SECRET_REF: spoil(certificate_files(None))}
    with pytest.raises(AuthenticationFailed, match="certificate"):
        await works(sign_in.provider(certificate_credentials(passphrase=False), secrets))
    assert sign_in.asked("getToken") == 0


@pytest.mark.parametrize("form", ["pfx", "pem"])
async def test_a_wrong_passphrase(sign_in: SignIn, form: str) -> None:
    secrets = {SECRET_REF: certificate_files(b"right")[form], PASSPHRASE_REF: b"wrong"}
    with pytest.raises(AuthenticationFailed, match="cannot be opened"):
        await works(sign_in.provider(certificate_credentials(passphrase=True), secrets))


# --- workload identity ---


def federated(file: Path | None) -> TeamsCredentials:
    return TeamsCredentials(
        workload_identity=WorkloadIdentityCredentials(
            client_id=DEFAULT_CLIENT_ID, token_file=str(file) if file is not None else None
        )
    )


def trust(sign_in: SignIn) -> str:
    """Let the application trust the operator's service account; a token of that account."""
    sign_in.register(federated=[FederatedCredential(subject=SUBJECT)])
    return sign_in.graph.world.tokens.projected_token(SUBJECT)


async def test_a_federated_token_is_read_anew_each_time(sign_in: SignIn, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a token of yesterday")
    good = trust(sign_in)
    sign_in.token_file = str(file)
    provider = sign_in.provider(federated(None))
    with pytest.raises(AuthenticationFailed):
        await works(provider)
    file.write_text(f"{good}\n")
    sign_in.clock.advance(30.0)
    assert await works(provider)


async def test_a_federated_token_that_is_not_there(sign_in: SignIn, tmp_path: Path) -> None:
    sign_in.token_file = str(tmp_path / "missing")
    with pytest.raises(AuthenticationFailed, match="federated token cannot be read"):
        await works(sign_in.provider(federated(None)))


async def test_a_tenant_names_files_only_where_it_may(sign_in: SignIn, tmp_path: Path) -> None:
    allowed, other = tmp_path / "allowed", tmp_path / "other"
    for folder in (allowed, other):
        folder.mkdir()
        (folder / "token").write_text(trust(sign_in))
    (allowed / "link").symlink_to(other / "token")
    sign_in.token_folders = (str(allowed),)
    assert await works(sign_in.provider(federated(allowed / "token")))
    for file in (other / "token", allowed / "link"):
        with pytest.raises(AuthenticationFailed, match="allowed folders"):
            sign_in.provider(federated(file))


def test_without_a_token_file_there_is_no_workload_identity() -> None:
    spec = TeamsTenantSpec(
        tenant_id="7e5a1d00-0000-4000-8000-000000000001", credentials=federated(None)
    )
    with pytest.raises(AuthenticationFailed, match="no federated token file"):
        Registry().create("teams", Ingredients(spec=spec, clock=ManualClock()))


# --- the token service itself ---


async def test_a_token_service_that_nobody_can_reach_is_no_wrong_secret(sign_in: SignIn) -> None:
    sign_in.endpoint = sign_in.endpoint.model_copy(update={"authority": "https://127.0.0.1:1"})
    with pytest.raises(Unavailable, match="no connection"):
        await works(sign_in.with_secret(DEFAULT_SECRET))


async def test_a_certificate_authority_nobody_trusts(sign_in: SignIn) -> None:
    sign_in.endpoint = sign_in.endpoint.model_copy(update={"ca_bundle": None})
    with pytest.raises(Unavailable, match="certificate not trusted"):
        await works(sign_in.with_secret(DEFAULT_SECRET))


async def test_the_environment_cannot_replace_the_authorities(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "/nowhere.pem")
    assert await works(sign_in.with_secret(DEFAULT_SECRET))


async def test_a_plain_token_service_is_refused(sign_in: SignIn) -> None:
    plain = sign_in.graph.login_url.replace("https", "http")
    sign_in.endpoint = sign_in.endpoint.model_copy(update={"authority": plain})
    with pytest.raises(AuthenticationFailed, match="not usable"):
        await works(sign_in.with_secret(DEFAULT_SECRET))
    assert sign_in.records == []


@pytest.mark.parametrize("status", [500, 503])
async def test_an_unwell_token_service_is_no_wrong_secret(sign_in: SignIn, status: int) -> None:
    sign_in.graph.world.faults.add(
        FaultRule(Effect.STATUS, ("token", "discovery", "*"), status=status)
    )
    provider = sign_in.with_secret(DEFAULT_SECRET)
    for _ in range(5):
        with pytest.raises(Unavailable):
            await works(provider)
    assert len(sign_in.records) <= 2
    sign_in.graph.world.faults.clear()
    sign_in.clock.advance(5.0)
    assert await works(provider)
