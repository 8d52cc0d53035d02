"""Certificates for SIP over TLS in tests: one authority, one for an SBC, one for a platform.

The platform's is for servers only, as Microsoft's have been since 2026: a server that verifies its
clients by the book refuses it.
"""

from __future__ import annotations

import datetime
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_PEM = serialization.Encoding.PEM
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SipCertificates:
    """A folder with `ca.pem`, `tls.crt` and `tls.key` of the SBC, and `platform.pem`."""

    folder: Path

    def serving(self) -> ssl.SSLContext:
        """How a platform serves."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "platform.pem")
        context.load_verify_locations(self.folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def dialling(self) -> ssl.SSLContext:
        """How a platform dials an SBC, and shows its certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(self.folder / "platform.pem")
        context.load_verify_locations(self.folder / "ca.pem")
        return context


def make(folder: Path, now: datetime.datetime, *, sbc_name: str) -> SipCertificates:
    """Write everything into a folder, good for a day around `now`."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _builder("Sample authority", "Sample authority", authority_key, now)
    authority = authority.add_extension(x509.BasicConstraints(True, 0), critical=True)
    certificate = authority.sign(authority_key, hashes.SHA256())
    (folder / "ca.pem").write_bytes(certificate.public_bytes(_PEM))
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    for name, usages, files in (
        (sbc_name, both, ("tls.crt", "tls.key")),
        ("sip.pstnhub.callplane.example", both[:1], ("platform.pem", "platform.pem")),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        signed = (
            _builder(name, "Sample authority", key, now)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        parts = (signed.public_bytes(_PEM), _private(key))
        for file in files:
            (folder / file).write_bytes(b"")
        for file, part in zip(files, parts, strict=True):
            with (folder / file).open("ab") as opened:
                opened.write(part)
    return SipCertificates(folder)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, now: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )
