"""How to reach a cluster and who we are: from a kubeconfig that was named, or from inside a pod.

Neither `KUBECONFIG` nor `~/.kube` is ever looked at: a cluster is used only when somebody says
which. Keys and certificates stay in memory, but for the moment in which OpenSSL has to read them
from a file.

The plain cases are read here rather than by the `kubernetes` package, whose import costs 0.7 s and
58 MB and whose loader leaves key files behind until the process ends. Its runner of credential
plugins is used, and imported, only where the kubeconfig names a plugin.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from callplane.clock import Clock
from callplane.cluster.tokens import (
    CredentialsError,
    FixedToken,
    PluginToken,
    TokenFile,
    TokenSource,
)

SERVICE_ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_UNSUPPORTED_USER_FIELDS = ("auth-provider", "username", "as", "as-groups", "as-uid")


@dataclass(frozen=True, slots=True)
class ClusterConnection:
    """Everything a client needs. `tls` is None for plain HTTP on loopback only."""

    server: str
    tokens: TokenSource
    tls: ssl.SSLContext | None = None
    tls_server_name: str | None = None


@dataclass(frozen=True, slots=True)
class _ClientCertificate:
    certificate: bytes
    key: bytes = field(repr=False)


def from_service_account(
    environment: Mapping[str, str], *, folder: Path = SERVICE_ACCOUNT_FOLDER
) -> ClusterConnection:
    """The connection a pod has. `environment` is the process environment.

    Raises CredentialsError when this is no pod with a service account.
    """
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise CredentialsError(
            "not inside a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set"
        )
    authority = _read(folder / "ca.crt")
    tokens = TokenFile(folder / "token")
    if not (folder / "token").exists():
        raise CredentialsError(f"{folder / 'token'}: no such file")
    address = f"[{host}]" if ":" in host else host
    tls = _tls_context(authority, None, place=str(folder / "ca.crt"))
    return ClusterConnection(f"https://{address}:{port}", tokens, tls)


def from_kubeconfig(path: Path, *, clock: Clock, context: str | None = None) -> ClusterConnection:
    """The connection of one context of a kubeconfig, the current one where none is named.

    Raises CredentialsError that names the file and the entry.
    """
    config = _load(path)
    name = context or config.get("current-context")
    if not name:
        raise CredentialsError(f"{path}: no context is named and there is no current-context")
    chosen = _entry(config, "contexts", "context", str(name), path)
    cluster = _entry(config, "clusters", "cluster", str(chosen.get("cluster", "")), path)
    user: dict[str, Any] = {}
    if chosen.get("user"):
        user = _entry(config, "users", "user", str(chosen["user"]), path)
    for unsupported in _UNSUPPORTED_USER_FIELDS:
        if user.get(unsupported):
            raise CredentialsError(f"{path}: user {chosen['user']}: {unsupported} is not supported")
    if cluster.get("proxy-url"):
        raise CredentialsError(f"{path}: cluster {chosen['cluster']}: proxy-url is not supported")
    server = _checked_server(cluster, path)
    place = f"{path}: user {chosen.get('user')}"
    certificate = _client_certificate(user, path.parent, place)
    tokens: TokenSource
    if user.get("exec") and not user.get("token") and not user.get("tokenFile"):
        tokens, certificate = _from_plugin(user, cluster, path, clock, certificate)
    elif user.get("tokenFile") and not user.get("token"):
        tokens = TokenFile(path.parent / str(user["tokenFile"]))
    else:
        tokens = FixedToken(user.get("token"))
    if not server.startswith("https:"):
        return ClusterConnection(server, tokens)
    authority = _data_or_file(cluster, "certificate-authority", path.parent, f"{path}: cluster")
    tls = _tls_context(authority, certificate, place=place)
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    return ClusterConnection(server, tokens, tls, cluster.get("tls-server-name"))


def _load(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CredentialsError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError):
        # The parser's own message quotes the text, and the text holds keys.
        raise CredentialsError(f"{path}: not YAML") from None
    if not isinstance(loaded, dict):
        raise CredentialsError(f"{path}: not a kubeconfig")
    return loaded


def _entry(
    config: Mapping[str, Any], section: str, field_name: str, name: str, path: Path
) -> dict[str, Any]:
    for entry in config.get(section) or []:
        if isinstance(entry, dict) and entry.get("name") == name:
            found = entry.get(field_name) or {}
            if isinstance(found, dict):
                return found
    raise CredentialsError(f"{path}: {section} has no entry {name!r}")


def _checked_server(cluster: Mapping[str, Any], path: Path) -> str:
    server = str(cluster.get("server") or "").rstrip("/")
    parts = urlsplit(server)
    if parts.scheme == "https" and parts.hostname:
        return server
    if parts.scheme == "http" and _is_loopback(parts.hostname):
        return server
    raise CredentialsError(
        f"{path}: the cluster's server must be an https address (http on loopback only)"
    )


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _client_certificate(
    user: Mapping[str, Any], folder: Path, place: str
) -> _ClientCertificate | None:
    certificate = _data_or_file(user, "client-certificate", folder, place)
    key = _data_or_file(user, "client-key", folder, place)
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise CredentialsError(f"{place}: client-certificate and client-key belong together")
    return _ClientCertificate(certificate, key)


def _from_plugin(
    user: Mapping[str, Any],
    cluster: Mapping[str, Any],
    path: Path,
    clock: Clock,
    certificate: _ClientCertificate | None,
) -> tuple[TokenSource, _ClientCertificate | None]:
    """What a credential plugin gives: a token that is asked for again, or a certificate once."""
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.config.exec_provider import ExecProvider
    from kubernetes.config.kube_config import ConfigNode

    place = f"{path}: credential plugin {user['exec'].get('command')!r}"

    def run() -> Mapping[str, Any]:
        try:
            node = ConfigNode("exec", dict(user["exec"]))
            provider = ExecProvider(node, str(path.parent), ConfigNode("cluster", dict(cluster)))
            status: Mapping[str, Any] = provider.run()
        except (ConfigException, OSError) as error:
            raise CredentialsError(f"{place}: {str(error)[:200]}") from None
        return status

    status = run()
    if status.get("clientCertificateData") and status.get("clientKeyData"):
        certificate = _ClientCertificate(
            str(status["clientCertificateData"]).encode(), str(status["clientKeyData"]).encode()
        )
    if status.get("token"):
        return PluginToken(run, clock=clock, first=status), certificate
    if certificate is None:
        raise CredentialsError(f"{place} gave neither a token nor a certificate")
    return FixedToken(), certificate


def _data_or_file(entry: Mapping[str, Any], name: str, folder: Path, place: str) -> bytes | None:
    data = entry.get(f"{name}-data")
    if data:
        try:
            return base64.b64decode(str(data), validate=True)
        except binascii.Error:
            raise CredentialsError(f"{place}: {name}-data is not base64") from None
    if entry.get(name):
        return _read(folder / str(entry[name]))
    return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CredentialsError(f"{path}: {error.strerror}") from error


def _tls_context(
    authority: bytes | None, certificate: _ClientCertificate | None, *, place: str
) -> ssl.SSLContext:
    """A client context. `create_default_context` is not used: from Python 3.13 on it refuses the
    authorities that many clusters made for themselves.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if authority is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cadata=authority.decode("ascii"))
        if certificate is not None:
            # OpenSSL takes a key from a file only; the folder is ours alone and gone at once.
            with tempfile.TemporaryDirectory(prefix="callplane-") as folder:
                pair = Path(folder) / "client.pem"
                pair.touch(mode=0o600)
                pair.write_bytes(certificate.certificate + b"\n" + certificate.key)
                context.load_cert_chain(pair)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        reason = getattr(error, "reason", None) or "not PEM"
        raise CredentialsError(f"{place}: unusable certificate or key ({reason})") from None
    return context
