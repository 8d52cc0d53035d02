"""What proves to Entra ID who we are, and how msal wants to be told. Used by `sign_in` only.

Secrets never show in `repr`, so that a traceback or a log of one of these cannot leak them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from callplane.errors import scrub
from callplane.providers.protocol import AuthenticationFailed


@dataclass(frozen=True, slots=True)
class ClientSecret:
    client_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """`content` is a PFX file or PEM text with both the private key and the certificate."""

    client_id: str
    content: bytes = field(repr=False)
    passphrase: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class WorkloadIdentity:
    """`read_token` reads the projected token anew each time; the file is replaced while we run."""

    client_id: str
    read_token: Callable[[], str] = field(repr=False)


Credential = ClientSecret | Certificate | WorkloadIdentity


def for_msal(credential: Credential) -> str | dict[str, Any]:
    """The `client_credential` argument of msal. Raises AuthenticationFailed for a certificate that
    cannot be opened.
    """
    match credential:
        case ClientSecret():
            return credential.secret
        case WorkloadIdentity():
            return {"client_assertion": credential.read_token}
        case Certificate():
            private_key, certificate = _open_certificate(credential)
            # Without a thumbprint msal signs with PS256 and names the certificate by SHA-256.
            return {"private_key": private_key, "public_certificate": certificate}


def _open_certificate(credential: Certificate) -> tuple[str, str]:
    # Imported here: only tenants with a certificate need it, and it is slow to load.
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        if b"-----BEGIN" in credential.content:
            key: Any = serialization.load_pem_private_key(credential.content, credential.passphrase)
            certificate: Any = x509.load_pem_x509_certificate(credential.content)
        else:
            key, certificate, _ = pkcs12.load_key_and_certificates(
                credential.content, credential.passphrase
            )
    except (ValueError, TypeError) as error:
        raise AuthenticationFailed(
            f"the certificate cannot be opened: {scrub(str(error))}"
        ) from error
    if key is None or certificate is None:
        raise AuthenticationFailed("the certificate file lacks the private key or the certificate")
    private_key = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private_key.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()
