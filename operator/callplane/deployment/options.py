"""What differs from one cluster to another, and the names that do not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import callplane

Body = dict[str, Any]

NAME = "callplane-operator"
LABELS = {"app.kubernetes.io/name": "callplane", "app.kubernetes.io/component": "operator"}
PROBE_PORT = 8080
#: Keys of the Secret with the database's URIs: the service's and the schema owner's.
URI_KEY = "uri"
OWNER_URI_KEY = "owner-uri"
#: The same database as call control's role.
CALLS_URI_KEY = "calls-uri"
#: The same database as the admin API's role, which reads.
READER_URI_KEY = "reader-uri"
API_NAME = "callplane-api"
#: Service accounts that the two GitOps programs apply with, as their own manifests install them.
GITOPS_ACCOUNTS = (
    "system:serviceaccount:argocd:argocd-application-controller",
    "system:serviceaccount:flux-system:kustomize-controller",
)

_ACCOUNT = re.compile(r"system:serviceaccount:[a-z0-9][-a-z0-9]{0,62}:[a-z0-9][-a-z0-9.]{0,252}")
_COLLECTOR = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[\w./-]*)?")
_RATIO = re.compile(r"0(\.[0-9]{1,6})?|1(\.0{1,6})?")
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._:/-]*(:[A-Za-z0-9_][\w.-]{0,127}|@sha256:[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Options:
    """Choices of one cluster. Raises ValueError with every choice that cannot be.

    `secret_names` narrows the Secrets that may be read to these names, in every namespace; without
    any, each Secret may be read by its name (see `permissions`). `gitops_accounts` may write a
    ChangeApproval in somebody else's name, because there the commit is the evidence.
    """

    namespace: str = "callplane-system"
    image: str = f"callplane:{callplane.__version__}"
    replicas: int = 2
    call_control_replicas: int = 2
    api_replicas: int = 2
    database_secret: str = "callplane-database"
    api_certificate_secret: str = "callplane-api-tls"
    secret_names: tuple[str, ...] = ()
    gitops_accounts: tuple[str, ...] = GITOPS_ACCOUNTS
    cpu: str = "250m"
    memory: str = "512Mi"
    #: Collector of traces, as OTLP over HTTP; none are made without one. The ratio is of traces.
    traces_endpoint: str = ""
    traces_ratio: str = "0.1"

    def __post_init__(self) -> None:
        wrong = []
        if not _IMAGE.fullmatch(self.image) or self.image.endswith(":latest"):
            wrong.append(f"image {self.image!r}: needs a tag other than latest, or a digest")
        if not 1 <= self.replicas <= 5:
            wrong.append(f"replicas {self.replicas}: one works, the others stand by; 1 to 5")
        if not 1 <= self.call_control_replicas <= 20:
            wrong.append(f"call_control_replicas {self.call_control_replicas}: 1 to 20")
        wrong += _wrong_traces(self.traces_endpoint, self.traces_ratio)
        if not 1 <= self.api_replicas <= 20:
            wrong.append(f"api_replicas {self.api_replicas}: 1 to 20")
        wrong += [
            f"gitops account {name!r}: not system:serviceaccount:NAMESPACE:NAME"
            for name in self.gitops_accounts
            if not _ACCOUNT.fullmatch(name)
        ]
        if wrong:
            raise ValueError("; ".join(wrong))

    @property
    def account(self) -> str:
        """The name under which the API server knows the operator."""
        return f"system:serviceaccount:{self.namespace}:{NAME}"

    @property
    def api_account(self) -> str:
        """The name under which it knows the admin API."""
        return f"system:serviceaccount:{self.namespace}:{API_NAME}"

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of these accounts, as tokens of them carry them."""
        return ("system:serviceaccounts", f"system:serviceaccounts:{self.namespace}")


def _wrong_traces(endpoint: str, ratio: str) -> list[str]:
    wrong = []
    if endpoint and not _COLLECTOR.fullmatch(endpoint):
        wrong.append(
            f"traces_endpoint {endpoint.partition('?')[0].rpartition('@')[2]!r}: "
            "not http(s)://HOST[:PORT][/PATH]; headers come from a Secret"
        )
    if not _RATIO.fullmatch(ratio):
        wrong.append(f"traces_ratio {ratio!r}: not a number from 0 to 1")
    return wrong


def body(api_version: str, kind: str, name: str, namespace: str = "", **fields: Any) -> Body:
    """An object with our labels; `fields` follow the metadata."""
    metadata: Body = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    metadata["labels"] = dict(LABELS)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}
