"""The identities of a throw-away cluster."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID

from callplane.sandbox.certificates import LIFETIME, Authority, Pair

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def parsed(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate)


def test_a_serving_leaf_is_trusted_for_loopback_by_its_authority_alone() -> None:
    authority, stranger = (Authority.create(name, now=NOW) for name in ("one", "two"))
    leaf = parsed(authority.serving("localhost", now=NOW))
    for name in (x509.DNSName("localhost"),):
        builder = verification.PolicyBuilder().time(NOW.replace(tzinfo=None))
        trusted = builder.store(verification.Store([parsed(authority.pair)]))
        assert len(trusted.build_server_verifier(name).verify(leaf, [])) == 2
        wrong = builder.store(verification.Store([parsed(stranger.pair)]))
        with pytest.raises(verification.VerificationError):
            wrong.build_server_verifier(name).verify(leaf, [])


def test_a_client_leaf_names_user_and_groups_as_kubernetes_reads_them() -> None:
    leaf = parsed(Authority.create("one", now=NOW).client("jo", groups=["a", "b"], now=NOW))
    names = leaf.subject
    assert [each.value for each in names.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["jo"]
    organizations = names.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [each.value for each in organizations] == ["a", "b"]


def test_a_clock_that_is_a_little_behind_accepts_a_new_certificate() -> None:
    leaf = parsed(Authority.create("one", now=NOW).serving("localhost", now=NOW))
    assert leaf.not_valid_before_utc < NOW - timedelta(minutes=4)
    assert leaf.not_valid_after_utc == NOW + LIFETIME


def test_a_written_authority_signs_again_after_it_is_read(tmp_path: Path) -> None:
    files = tmp_path / "ca.crt", tmp_path / "ca.key"
    authority = Authority.create("one", now=NOW)
    authority.pair.write(*files)
    assert stat.S_IMODE(files[1].stat().st_mode) == 0o600
    assert files[1].read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    leaf = parsed(Authority.read(*files).client("jo", groups=[], now=NOW))
    leaf.verify_directly_issued_by(parsed(authority.pair))


def test_each_leaf_has_a_key_of_its_own() -> None:
    authority = Authority.create("one", now=NOW)
    keys = {
        serialization.load_pem_private_key(
            authority.client("jo", groups=[], now=NOW).key, password=None
        )
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        for _ in range(2)
    }
    assert len(keys) == 2
