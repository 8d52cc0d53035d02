"""A throw-away certificate of an app registration, in the forms its owner and its judge want it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class AppCertificate:
    """A private key and its self-signed certificate."""

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate

    @property
    def certificate_pem(self) -> str:
        """What is registered with the application."""
        return self.certificate.public_bytes(_PEM).decode("ascii")

    @property
    def key_pem(self) -> str:
        """The private key without a passphrase."""
        return self.key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode("ascii")

    def pfx(self, passphrase: str) -> bytes:
        """Key and certificate in one PKCS #12 file."""
        return pkcs12.serialize_key_and_certificates(
            b"app",
            self.key,
            self.certificate,
            None,
            serialization.BestAvailableEncryption(passphrase.encode("utf-8")),
        )


def make_app_certificate(now: datetime.datetime) -> AppCertificate:
    """A certificate that is good from `now` (with a zone) for a day."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return AppCertificate(key, certificate)
