"""The token service: who may ask, how they prove it, and what their tokens are good for.

Client credentials only, with a client secret, a certificate or a federated assertion, as the OAuth
2.0 pages of the Microsoft identity platform describe them. Tokens are opaque texts without meaning.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from callplane.clock import Clock
from callplane.simulators.graph.refusals import Refusal
from callplane.simulators.graph.tenant import timestamp
from callplane.simulators.invented import derive_guid

ALL_PERMISSIONS = frozenset(
    {
        "TeamsTelephoneNumber.Read.All",
        "TeamsTelephoneNumber.ReadWrite.All",
        "TeamsPolicyUserAssign.ReadWrite.All",
        "TeamsUserConfiguration.Read.All",
        "User.Read.All",
        "ServiceHealth.Read.All",
        "CallRecords.Read.All",
    }
)
GRAPH_SCOPE = "https://graph.microsoft.com/.default"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
SIMULATED_ISSUER = "https://kubernetes.example"

_SKEW_SECONDS = 300.0
_PRUNE_ABOVE = 1000


@dataclass(frozen=True, slots=True)
class Secret:
    """A client secret; `expires_at` None never expires."""

    value: str
    expires_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class FederatedCredential:
    """Whose tokens stand for the application; `public_key` is PEM, empty for this simulator's
    issuer.
    """

    subject: str
    issuer: str = SIMULATED_ISSUER
    audience: str = EXCHANGE_AUDIENCE
    public_key: str = ""


@dataclass(slots=True)
class Application:
    """An app registration in one tenant. Certificates are PEM."""

    client_id: str
    secrets: list[Secret] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)
    federated: list[FederatedCredential] = field(default_factory=list)
    permissions: frozenset[str] = ALL_PERMISSIONS


@dataclass(frozen=True, slots=True)
class Token:
    """What an access token stands for. `expires_at` is seconds of the world's monotonic clock."""

    tenant_id: str
    application: Application
    expires_at: float


@dataclass(slots=True, eq=False)
class TokenRefusal(Exception):
    """An answer of the token endpoint that is an error; `number` is the one after AADSTS."""

    status: int
    error: str
    number: int
    text: str


class TokenService:
    """Applications of all tenants and the tokens they hold."""

    def __init__(self, clock: Clock, *, seed: int = 0) -> None:
        self._clock = clock
        self._seed = seed
        self._issued = 0
        self._applications: dict[tuple[str, str], Application] = {}
        self._tokens: dict[str, Token] = {}
        self._issuer_key: ec.EllipticCurvePrivateKey | None = None

    def register(self, tenant_id: str, application: Application) -> None:
        """Add an app registration, or put another in its place."""
        self._applications[(tenant_id, application.client_id)] = application

    def application(self, tenant_id: str, client_id: str) -> Application:
        """A registered application. KeyError when there is none."""
        return self._applications[(tenant_id, client_id)]

    def revoke_all(self, tenant_id: str | None = None) -> int:
        """Make all tokens (of one tenant) worthless at once. Returns how many."""
        revoked = [t for t, token in self._tokens.items() if tenant_id in (None, token.tenant_id)]
        for text in revoked:
            del self._tokens[text]
        return len(revoked)

    def issue(
        self, tenant_id: str, form: Mapping[str, str], *, audience: str, lifetime_seconds: float
    ) -> dict[str, object]:
        """An access token for a client-credentials form. Raises TokenRefusal.

        `audience` is the path of the token endpoint, which an assertion must name.
        """
        if form.get("grant_type") != "client_credentials":
            raise TokenRefusal(
                400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type."
            )
        if form.get("scope") != GRAPH_SCOPE:
            raise TokenRefusal(
                400,
                "invalid_scope",
                1002012,
                f"The provided value for scope {form.get('scope', '')} is not valid.",
            )
        client_id = form.get("client_id", "")
        application = self._applications.get((tenant_id, client_id))
        if application is None:
            raise TokenRefusal(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{client_id}' was not found in the directory"
                f" '{tenant_id}'.",
            )
        if "client_assertion" in form:
            self._check_assertion(application, form, audience)
        else:
            self._check_secret(application, form.get("client_secret", ""))
        now = self._clock.monotonic()
        self._prune(now)
        self._issued += 1
        text = (
            "sim."
            + hashlib.blake2b(
                f"{self._seed}/{tenant_id}/{client_id}/{self._issued}".encode(), digest_size=24
            ).hexdigest()
        )
        self._tokens[text] = Token(tenant_id, application, now + lifetime_seconds)
        seconds = int(lifetime_seconds)
        return {
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": text,
        }

    def authenticate(self, authorization: bytes, now: float) -> Token:
        """The token of an Authorization header. Raises Refusal (401)."""
        text = authorization[7:].decode("latin-1") if authorization[:7] == b"Bearer " else ""
        token = self._tokens.get(text)
        if token is None:
            raise unauthorized("Access token is empty." if not text else "Access token is invalid.")
        if token.expires_at <= now:
            raise unauthorized("Lifetime validation failed, the token is expired.")
        return token

    def projected_token(self, subject: str, *, lifetime_seconds: float = 3600.0) -> str:
        """A token of this simulator's own issuer, as Kubernetes would project one into a pod."""
        now = self._clock.now().timestamp()
        claims = {
            "iss": SIMULATED_ISSUER,
            "sub": subject,
            "aud": EXCHANGE_AUDIENCE,
            "iat": int(now),
            "exp": int(now + lifetime_seconds),
        }
        return jwt.encode(claims, self._issuer(), algorithm="ES256")

    def refusal_document(self, refusal: TokenRefusal) -> dict[str, object]:
        """The body of a refused token request, in Entra ID's form."""
        self._issued += 1
        trace_id = derive_guid(self._seed, "trace", self._issued)
        moment = timestamp(self._clock.now())
        return {
            "error": refusal.error,
            "error_description": f"AADSTS{refusal.number}: {refusal.text} Trace ID: {trace_id}"
            f" Correlation ID: {trace_id} Timestamp: {moment}",
            "error_codes": [refusal.number],
            "timestamp": moment,
            "trace_id": trace_id,
            "correlation_id": trace_id,
        }

    def _prune(self, now: float) -> None:
        if len(self._tokens) > _PRUNE_ABOVE:
            self._tokens = {t: k for t, k in self._tokens.items() if k.expires_at > now}

    def _issuer(self) -> ec.EllipticCurvePrivateKey:
        if self._issuer_key is None:
            self._issuer_key = ec.generate_private_key(ec.SECP256R1())
        return self._issuer_key

    def _check_secret(self, application: Application, value: str) -> None:
        known = next((secret for secret in application.secrets if secret.value == value), None)
        if known is None:
            raise TokenRefusal(
                401,
                "invalid_client",
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the"
                " client secret value, not the client secret ID, for a secret added to app"
                f" '{application.client_id}'.",
            )
        if known.expires_at is not None and known.expires_at <= self._clock.now():
            raise TokenRefusal(
                401,
                "invalid_client",
                7000222,
                f"The provided client secret keys for app '{application.client_id}' are expired."
                " Create new keys for your app, or consider using certificate credentials for added"
                " security.",
            )

    def _check_assertion(
        self, application: Application, form: Mapping[str, str], audience: str
    ) -> None:
        assertion = form["client_assertion"]
        if form.get("client_assertion_type") != JWT_BEARER:
            raise _bad_assertion("The client_assertion_type is not supported.")
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.PyJWTError as error:
            raise TokenRefusal(
                401, "invalid_client", 50027, f"JWT token is invalid or malformed. {error}"
            ) from error
        if claims.get("iss") == application.client_id:
            self._check_certificate(application, assertion, header, audience)
        else:
            self._check_federated(application, assertion, claims)

    def _check_certificate(
        self, application: Application, assertion: str, header: Mapping[str, str], audience: str
    ) -> None:
        certificate = next(
            (
                known
                for known in map(_load, application.certificates)
                if _thumbprint(known, hashes.SHA256()) == header.get("x5t#S256", "").rstrip("=")
                or _thumbprint(known, hashes.SHA1()) == header.get("x5t", "").rstrip("=")
            ),
            None,
        )
        if certificate is None:
            raise _bad_assertion("The key was not found.")
        claims = self._verified(assertion, certificate.public_key(), ["PS256", "RS256"])
        if not str(claims.get("aud", "")).endswith(audience):
            raise _bad_assertion("The audience of the assertion is not the token endpoint.")
        if claims.get("sub") != application.client_id:
            raise _bad_assertion("The subject of the assertion is not the client id.")

    def _check_federated(
        self, application: Application, assertion: str, claims: Mapping[str, object]
    ) -> None:
        known = next(
            (
                federated
                for federated in application.federated
                if federated.issuer == claims.get("iss") and federated.subject == claims.get("sub")
            ),
            None,
        )
        if known is None:
            raise TokenRefusal(
                401,
                "invalid_client",
                700213,
                "No matching federated identity record found for presented assertion subject"
                f" '{claims.get('sub')}'.",
            )
        if claims.get("aud") not in (known.audience, [known.audience]):
            raise TokenRefusal(
                401,
                "invalid_client",
                700212,
                "No matching federated identity record found for presented assertion audience"
                f" '{claims.get('aud')}'.",
            )
        key: object = (
            serialization.load_pem_public_key(known.public_key.encode("ascii"))
            if known.public_key
            else self._issuer().public_key()
        )
        self._verified(assertion, key, ["RS256", "ES256"])

    def _verified(self, assertion: str, key: object, algorithms: list[str]) -> Mapping[str, object]:
        """The claims of an assertion whose signature and times are good."""
        try:
            claims: dict[str, object] = jwt.decode(
                assertion,
                key,  # type: ignore[arg-type]
                algorithms=algorithms,
                # Times are checked below against the world's clock, not the machine's.
                options={
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError as error:
            raise _bad_assertion(
                f"Client assertion failed signature validation. {error}"
            ) from error
        expires = claims.get("exp")
        now = self._clock.now().timestamp()
        if not isinstance(expires, int | float) or expires + _SKEW_SECONDS < now:
            raise TokenRefusal(
                401,
                "invalid_client",
                700024,
                "Client assertion is not within its valid time range.",
            )
        return claims


def unauthorized(message: str) -> Refusal:
    """A 401 of Graph, with the challenge that says why."""
    return Refusal(
        401,
        "InvalidAuthenticationToken",
        message,
        {
            "WWW-Authenticate": 'Bearer realm="", authorization_uri='
            '"https://login.microsoftonline.com/common/oauth2/authorize", error="invalid_token"'
        },
    )


def _bad_assertion(text: str) -> TokenRefusal:
    return TokenRefusal(
        401, "invalid_client", 700027, f"The certificate used to sign the client assertion: {text}"
    )


def _load(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode("ascii"))


def _thumbprint(certificate: x509.Certificate, algorithm: hashes.HashAlgorithm) -> str:
    """Base64url; writers differ about padding, so it is compared without."""
    encoded = base64.urlsafe_b64encode(certificate.fingerprint(algorithm)).decode("ascii")
    return encoded.rstrip("=")
