"""The people of `admin_api_world` in a real cluster: service accounts, roles and real tokens."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import jwt

from callplane.sandbox import control_plane
from callplane.sandbox.kubectl import Kubectl
from callplane.testing.admin_api_world import PEOPLE, STRANGERS, TEAM_A, TEAM_B, Who
from callplane.testing.control_plane import ThrowAwayCluster

RBAC = "rbac.authorization.k8s.io"
PLACE = "people-of-the-api"
AUDIENCE = "callplane-api"
Manifest = dict[str, Any]


def arrive(cluster: ThrowAwayCluster) -> dict[str, str]:
    """Make everybody's account and rights; the tokens that they show, by name."""
    kubectl = cluster.kubectl
    _apply(kubectl, _manifests())
    tokens = {who: _token(kubectl, who, AUDIENCE) for who in PEOPLE}
    tokens |= {who.name: who.token for who in STRANGERS.values() if who.token}
    tokens["another-audience"] = _token(kubectl, "everything", "somebody-else")
    tokens["expired"] = expired(cluster, tokens["everything"])
    return tokens


def expired(cluster: ThrowAwayCluster, token: str) -> str:
    """The same token an hour too old, signed by the key that the cluster signs with."""
    claims = jwt.decode(token, options={"verify_signature": False})
    now = int(time.time())
    claims |= {"iat": now - 7200, "nbf": now - 7200, "exp": now - 3600}
    return signed(cluster, claims, jwt.get_unverified_header(token))


def signed(cluster: ThrowAwayCluster, claims: Manifest, header: Manifest) -> str:
    """A token with these claims, as the cluster itself would sign it."""
    folder = control_plane.certificate_folder(cluster.plane.folder)
    key = (folder / "sa-signer.key").read_bytes()
    return jwt.encode(claims, key, algorithm=header["alg"], headers={"kid": header["kid"]})


def tampered(token: str, **claims: Any) -> str:
    """The token with other claims under its old signature."""
    head, body, signature = token.split(".")
    known = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    changed = base64.urlsafe_b64encode(json.dumps(known | claims).encode()).decode().rstrip("=")
    return f"{head}.{changed}.{signature}"


def bind(kubectl: Kubectl, account: str, role: str, namespace: str) -> None:
    """Give an account a shipped role in one namespace."""
    kubectl(
        *("create", "rolebinding", f"{role}-{account}", "-n", namespace),
        *(f"--clusterrole={role}", f"--serviceaccount={PLACE}:{account}"),
    )


def _token(kubectl: Kubectl, account: str, audience: str) -> str:
    said = kubectl("create", "token", account, "-n", PLACE, f"--audience={audience}")
    return said.stdout.strip()


def _apply(kubectl: Kubectl, manifests: Iterator[Manifest]) -> None:
    document = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
    kubectl("apply", "-f", "-", stdin=json.dumps(document))


def _manifests() -> Iterator[Manifest]:
    for name in (PLACE, TEAM_A, TEAM_B):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    for who in PEOPLE.values():
        metadata = {"name": who.name, "namespace": PLACE}
        yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
        yield from _roles(who)


def _roles(who: Who) -> Iterator[Manifest]:
    """One role and binding for each of his rights."""
    for index, (verb, resource, namespace, name) in enumerate(who.admitted):
        everywhere = namespace == "*"
        metadata = {"name": f"api-{who.name}-{index}"}
        if not everywhere:
            metadata["namespace"] = namespace
        rule = {"apiGroups": ["callplane.dev"], "resources": [resource], "verbs": [verb]}
        if name != "*":
            rule["resourceNames"] = [name]
        kind = "ClusterRole" if everywhere else "Role"
        head = {"apiVersion": f"{RBAC}/v1", "metadata": metadata}
        yield {**head, "kind": kind, "rules": [rule]}
        yield {
            **head,
            "kind": f"{kind}Binding",
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": metadata["name"]},
            "subjects": [{"kind": "ServiceAccount", "name": who.name, "namespace": PLACE}],
        }
