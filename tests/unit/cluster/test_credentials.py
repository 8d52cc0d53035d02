"""Where credentials come from, what is refused, and that nothing is left behind."""

from __future__ import annotations

import base64
import json
import os
import ssl
import stat
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from callplane.cluster import credentials
from callplane.cluster.tokens import CredentialsError, PluginToken, TokenFile, parse_expiry

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class FixedClock:
    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture(scope="session")
def pair() -> tuple[bytes, bytes]:
    """A self-signed certificate and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def kubeconfig(
    folder: Path, *, cluster: Mapping[str, Any] | None = None, user: Mapping[str, Any] | None = None
) -> Path:
    path = folder / "config.yaml"
    named = {"server": "https://127.0.0.1:6443", **(cluster or {})}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": named}],
        "users": [{"name": "u", "user": dict(user or {})}],
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u"}},
            {"name": "nobody", "context": {"cluster": "c"}},
            {"name": "broken", "context": {"cluster": "none"}},
        ],
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def load(path: Path, context: str | None = None) -> credentials.ClusterConnection:
    return credentials.from_kubeconfig(path, clock=FixedClock(), context=context)


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


async def test_inline_data_makes_a_connection_and_leaves_no_file(
    tmp_path: Path, pair: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    certificate, key = pair
    path = kubeconfig(
        tmp_path,
        cluster={"certificate-authority-data": encoded(certificate), "tls-server-name": "api"},
        user={
            "client-certificate-data": encoded(certificate),
            "client-key-data": encoded(key),
            "token": "token-1",
        },
    )
    connection = load(path)
    assert connection.server == "https://127.0.0.1:6443"
    assert connection.tls_server_name == "api"
    assert connection.tls is not None
    assert connection.tls.verify_mode is ssl.CERT_REQUIRED
    assert connection.tls.check_hostname
    assert len(connection.tls.get_ca_certs()) == 1
    assert await connection.tokens.authorization() == "Bearer token-1"
    assert list(scratch.iterdir()) == []


async def test_files_are_found_beside_the_kubeconfig(
    tmp_path: Path, pair: tuple[bytes, bytes]
) -> None:
    (tmp_path / "ca.crt").write_bytes(pair[0])
    (tmp_path / "me.crt").write_bytes(pair[0])
    (tmp_path / "me.key").write_bytes(pair[1])
    (tmp_path / "token").write_text("from-file\n", encoding="utf-8")
    path = kubeconfig(
        tmp_path,
        cluster={"certificate-authority": "ca.crt"},
        user={"client-certificate": "me.crt", "client-key": "me.key", "tokenFile": "token"},
    )
    connection = load(path)
    assert connection.tls is not None
    assert await connection.tokens.authorization() == "Bearer from-file"


async def test_a_context_can_be_named_and_may_have_no_user(tmp_path: Path) -> None:
    connection = load(kubeconfig(tmp_path, user={"token": "t"}), "nobody")
    assert await connection.tokens.authorization() is None


def test_the_environment_is_not_asked_for_a_kubeconfig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path)))
    with pytest.raises(CredentialsError, match="No such file"):
        load(tmp_path / "absent.yaml")


def test_verification_is_left_out_only_when_the_file_says_so(tmp_path: Path) -> None:
    connection = load(kubeconfig(tmp_path, cluster={"insecure-skip-tls-verify": True}))
    assert connection.tls is not None
    assert connection.tls.verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize(
    ("cluster", "user", "message"),
    [
        ({"server": "http://api.example.org"}, {}, "must be an https address"),
        ({"server": ""}, {}, "must be an https address"),
        ({"proxy-url": "http://127.0.0.1:1"}, {}, "proxy-url is not supported"),
        ({}, {"auth-provider": {"name": "oidc"}}, "user u: auth-provider is not supported"),
        ({}, {"as": "somebody"}, "user u: as is not supported"),
        ({}, {"client-key-data": "aGk="}, "belong together"),
        ({"certificate-authority-data": "%%"}, {}, "certificate-authority-data is not base64"),
        ({"certificate-authority-data": "aGk="}, {}, "unusable certificate or key"),
        ({"certificate-authority": "absent.crt"}, {}, "absent.crt: No such file"),
    ],
)
def test_what_cannot_work_is_said_at_once(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], message: str
) -> None:
    with pytest.raises(CredentialsError, match=message):
        load(kubeconfig(tmp_path, cluster=cluster, user=user))


def test_a_broken_key_is_not_shown(tmp_path: Path, pair: tuple[bytes, bytes]) -> None:
    user = {"client-certificate-data": encoded(pair[0]), "client-key-data": encoded(b"hunter2")}
    with pytest.raises(CredentialsError) as caught:
        load(kubeconfig(tmp_path, user=user))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("token: hunter2: [", "not YAML"),
        ("[]", "not a kubeconfig"),
        ("", "not a kubeconfig"),
        ("kind: Config", "no context is named"),
        ("current-context: x", "contexts has no entry 'x'"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_refused_without_quoting_it(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CredentialsError, match=message) as caught:
        load(path)
    assert "hunter2" not in str(caught.value)


def test_a_context_without_its_cluster_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="clusters has no entry 'none'"):
        load(kubeconfig(tmp_path), "broken")


# --- credential plugins ---


def plugin(folder: Path, status: Mapping[str, Any], *, code: int = 0) -> dict[str, Any]:
    """A plugin that prints the status and counts its runs in a file."""
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": dict(status),
    }
    script = folder / "plugin.py"
    script.write_text(
        "import pathlib, sys\n"
        f"runs = pathlib.Path({str(folder / 'runs')!r})\n"
        "runs.write_text((runs.read_text() if runs.exists() else '') + 'x')\n"
        f"print({json.dumps(answer)!r})\n"
        f"sys.exit({code})\n",
        encoding="utf-8",
    )
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(script)],
        }
    }


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text(encoding="utf-8"))


async def test_a_plugin_is_run_once_until_its_token_expires(tmp_path: Path) -> None:
    expires = (NOW + timedelta(minutes=10)).isoformat().replace("+00:00", "Z")
    clock = FixedClock()
    status = {"token": "plugin-token", "expirationTimestamp": expires}
    path = kubeconfig(tmp_path, user=plugin(tmp_path, status))
    connection = credentials.from_kubeconfig(path, clock=clock)
    for _ in range(3):
        assert await connection.tokens.authorization() == "Bearer plugin-token"
    assert runs(tmp_path) == 1
    clock.moment += timedelta(minutes=9, seconds=1)
    await connection.tokens.authorization()
    assert runs(tmp_path) == 2
    clock.moment = NOW
    connection.tokens.refused()
    await connection.tokens.authorization()
    assert runs(tmp_path) == 3


def test_a_plugin_may_give_a_certificate(tmp_path: Path, pair: tuple[bytes, bytes]) -> None:
    status = {"clientCertificateData": pair[0].decode(), "clientKeyData": pair[1].decode()}
    assert load(kubeconfig(tmp_path, user=plugin(tmp_path, status))).tls is not None


def test_a_plugin_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match=r"credential plugin .* process returned 3"):
        load(kubeconfig(tmp_path, user=plugin(tmp_path, {}, code=3)))
    with pytest.raises(CredentialsError, match="neither a token nor a certificate"):
        load(kubeconfig(tmp_path, user=plugin(tmp_path, {})))
    missing = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./none"}}
    with pytest.raises(CredentialsError, match=r"credential plugin '\./none'"):
        load(kubeconfig(tmp_path, user=missing))


async def test_a_plugin_that_forgets_its_token_later_says_so() -> None:
    tokens = PluginToken(dict, clock=FixedClock())
    with pytest.raises(CredentialsError, match="without a token"):
        await tokens.authorization()


@pytest.mark.parametrize("text", ["soon", "2026-01-01T00:00:00"])
def test_an_expiry_must_be_a_moment(text: str) -> None:
    with pytest.raises(CredentialsError, match="expirationTimestamp"):
        parse_expiry(text)


# --- inside a pod ---


def service_account(folder: Path, pair: tuple[bytes, bytes]) -> Path:
    (folder / "ca.crt").write_bytes(pair[0])
    (folder / "token").write_text("first", encoding="utf-8")
    return folder


async def test_a_pod_reads_its_token_again_when_it_rotates(
    tmp_path: Path, pair: tuple[bytes, bytes]
) -> None:
    folder = service_account(tmp_path, pair)
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    connection = credentials.from_service_account(environment, folder=folder)
    assert connection.server == "https://[fd00::1]:443"
    assert connection.tls is not None
    assert await connection.tokens.authorization() == "Bearer first"
    # The kubelet swaps a symbolic link; to a reader that is another file.
    (folder / "next").write_text("other", encoding="utf-8")
    os.replace(folder / "next", folder / "token")
    assert await connection.tokens.authorization() == "Bearer other"


async def test_a_token_file_that_is_away_for_a_moment_is_no_failure(tmp_path: Path) -> None:
    path = tmp_path / "token"
    tokens = TokenFile(path)
    with pytest.raises(CredentialsError, match="No such file"):
        await tokens.authorization()
    path.write_text("first", encoding="utf-8")
    assert await tokens.authorization() == "Bearer first"
    path.unlink()
    assert await tokens.authorization() == "Bearer first"
    path.write_text("", encoding="utf-8")
    with pytest.raises(CredentialsError, match="empty"):
        await tokens.authorization()


async def test_an_unchanged_token_file_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first", encoding="utf-8")
    seen = path.stat()
    tokens = TokenFile(path)
    await tokens.authorization()
    path.write_text("third", encoding="utf-8")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert await tokens.authorization() == "Bearer first"
    tokens.refused()
    assert await tokens.authorization() == "Bearer third"


@pytest.mark.parametrize("left_out", ["KUBERNETES_SERVICE_HOST", "ca.crt", "token"])
def test_what_is_no_pod_is_told_what_it_lacks(
    tmp_path: Path, pair: tuple[bytes, bytes], left_out: str
) -> None:
    folder = service_account(tmp_path, pair)
    environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    if left_out in environment:
        del environment[left_out]
    else:
        (folder / left_out).unlink()
    with pytest.raises(CredentialsError, match=left_out):
        credentials.from_service_account(environment, folder=folder)


def test_no_secret_is_in_a_repr(tmp_path: Path) -> None:
    connection = load(kubeconfig(tmp_path, user={"token": "hunter2"}))
    assert "hunter2" not in repr(connection)


def test_the_key_is_in_a_file_that_is_ours_alone(
    tmp_path: Path, pair: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    original = ssl.SSLContext.load_cert_chain

    def watched(self: ssl.SSLContext, certfile: Path) -> None:
        modes.append(stat.S_IMODE(certfile.stat().st_mode))
        modes.append(stat.S_IMODE(certfile.parent.stat().st_mode))
        original(self, certfile)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watched)
    user = {"client-certificate-data": encoded(pair[0]), "client-key-data": encoded(pair[1])}
    load(kubeconfig(tmp_path, user=user))
    assert modes == [0o600, 0o700]
