"""Certificates for a throw-away Kubernetes API: two authorities, a signer, and a leaf per user.

Called by `control_plane`. Keys are ECDSA P-256 in PKCS #8 PEM, readable by their owner only.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=365)
# A machine whose clock is a little behind must accept what another just signed.
CLOCK_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes

    def write(self, certificate_file: Path, key_file: Path) -> None:
        """Write both files; the key is never readable by others, not even for a moment."""
        certificate_file.write_bytes(self.certificate)
        key_file.touch(mode=0o600)
        key_file.write_bytes(self.key)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority that signs leaves."""

    pair: Pair

    @classmethod
    def create(cls, name: str, *, now: datetime) -> Self:
        """Make a new self-signed authority."""
        return cls(self_signed(name, now=now))

    @classmethod
    def read(cls, certificate_file: Path, key_file: Path) -> Self:
        """Read an authority that `Pair.write` left."""
        return cls(Pair(certificate_file.read_bytes(), key_file.read_bytes()))

    def serving(self, name: str, *, now: datetime) -> Pair:
        """Sign a leaf for a server on loopback."""
        alternatives: list[x509.GeneralName] = [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
        ]
        extra = x509.SubjectAlternativeName(alternatives)
        usage = ExtendedKeyUsageOID.SERVER_AUTH
        return self._leaf(_name(name), extensions=[extra], usage=usage, now=now)

    def client(self, user: str, *, groups: Sequence[str], now: datetime) -> Pair:
        """Sign a leaf that Kubernetes reads as user `user` in `groups`."""
        return self._leaf(
            _name(user, *groups), extensions=[], usage=ExtendedKeyUsageOID.CLIENT_AUTH, now=now
        )

    def _leaf(
        self,
        subject: x509.Name,
        *,
        extensions: Sequence[x509.ExtensionType],
        usage: x509.ObjectIdentifier,
        now: datetime,
    ) -> Pair:
        issuer = x509.load_pem_x509_certificate(self.pair.certificate)
        issuer_key = serialization.load_pem_private_key(self.pair.key, password=None)
        if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
            raise TypeError("the key of a sandbox authority is an elliptic-curve key")
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, issuer.subject, key=key, now=now)
        builder = builder.add_extension(_key_usage(authority=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        builder = builder.add_extension(issuer_id, critical=False)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return _pair(builder.sign(issuer_key, hashes.SHA256()), key)


def self_signed(name: str, *, now: datetime) -> Pair:
    """Make a self-signed certificate that may sign others."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(name), _name(name), key=key, now=now)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(authority=True), critical=True)
    own_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(own_id, critical=False)
    return _pair(builder.sign(key, hashes.SHA256()), key)


def _name(common_name: str, *organizations: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, *, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_TOLERANCE)
        .not_valid_after(now + LIFETIME)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
