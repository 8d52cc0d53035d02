"""What the configurations of all targets share; each target's own lies in its package.

A configuration is read before anything is planned. Whatever is wrong is said at once: what pydantic
finds, and the rules of `configuration_rules`, which look at the document as it was written and
therefore work on a broken one too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

IMAGE = re.compile(r"[a-z0-9][a-z0-9._:/-]*(:[A-Za-z0-9_][\w.-]{0,127}|@sha256:[0-9a-f]{64})")
GROUP = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+")
#: Whoever may write kinds of these has the whole cluster in the end.
TOO_MUCH = ("k8s.io", "fluxcd.io", "argoproj.io", "pulumi.com")
PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"
# No password in it, and no token behind a question mark.
REPOSITORY = re.compile(r"https://[^\s@?#]+|ssh://([\w.-]+@)?[^\s@?#]+")
#: Those below belong to the machine's own services, which the firewall would cut off.
FIRST_PORT, LAST_PORT = 1024, 65535


def _text(value: object) -> str:
    """YAML reads `no` and `1` as something else, which Python would take for an address."""
    if not isinstance(value, str):
        raise ValueError("Input should be a text")
    return value


Cidr = Annotated[IPv4Network | IPv6Network, BeforeValidator(lambda each: ip_network(_text(each)))]
Cidr4 = Annotated[IPv4Network, BeforeValidator(lambda each: IPv4Network(_text(each)))]
Address4 = Annotated[IPv4Address, BeforeValidator(_text)]


def _pinned(image: str) -> str:
    if not IMAGE.fullmatch(image) or image.endswith(":latest"):
        raise ValueError(f"{image!r} needs a tag other than latest, or a digest")
    return image


def _own(namespace: str) -> str:
    """A stack makes its namespaces, and deletes them with everything in them when it goes."""
    if namespace == "default" or namespace.startswith("kube-"):
        raise ValueError(f"{namespace!r} is the cluster's own; a stack needs one for itself")
    return namespace


def _tame(group: str) -> str:
    if not GROUP.fullmatch(group) or f".{group}".endswith(tuple(f".{each}" for each in TOO_MUCH)):
        raise ValueError(f"{group!r} is no group of kinds that tenants may have")
    return group


def _span(ports: tuple[int, int]) -> tuple[int, int]:
    first, last = ports
    if not FIRST_PORT <= first < last <= LAST_PORT:
        raise ValueError(f"needs a first and a higher last port of {FIRST_PORT} to {LAST_PORT}")
    return ports


def _without_secret(repository: str) -> str:
    if not REPOSITORY.fullmatch(repository):
        raise ValueError(
            "needs an address that begins with https:// or ssh:// and holds no password and no "
            "token: those are in a Secret"
        )
    return repository


Image = Annotated[str, AfterValidator(_pinned)]
Ports = Annotated[tuple[int, int], AfterValidator(_span)]
#: What has a value, such as a branch or a size of machines.
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w./:-]*$")]
#: An object of Kubernetes whose name may have dots, such as a node.
ObjectName = Annotated[
    str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$")]
OwnNamespace = Annotated[Name, AfterValidator(_own)]


class ConfigurationRefused(Exception):
    """What was configured cannot be; `reasons` are all of them, each with its place."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("\n".join(["the configuration cannot be:", *reasons]))
        self.reasons = reasons


class Part(BaseModel):
    """A part of the configuration: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Platform(Part):
    """The operator."""

    namespace: OwnNamespace = "callplane-system"
    image: Image
    replicas: Annotated[int, Field(ge=2, le=5)] = 2
    gitops_accounts: tuple[str, ...] = ()
    secret_names: tuple[ObjectName, ...] = ()
    traces_endpoint: Annotated[
        str, Field(pattern=r"^(https?://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[\w./-]*)?)?$")
    ] = ""
    traces_ratio: Annotated[float, Field(ge=0, le=1)] = 0.1


class Borders(Part):
    """What session border controllers have in common wherever they run."""

    peers: tuple[str, ...] = ("teams",)
    rtp_ports: Ports = (16384, 32767)
    # One that goes ends ordinary calls after so long; emergency and exempt ones have more.
    drain_seconds: Annotated[int, Field(ge=60, le=14_400)] = 3600
    services_seconds: Annotated[int, Field(ge=600, le=14_400)] = 3600


class GitOpsProgram(StrEnum):
    """What applies the tenants' repository."""

    FLUX = "Flux"
    ARGO_CD = "ArgoCD"


# What it takes to read it is a Secret.
Repository = Annotated[str, AfterValidator(_without_secret)]
Group = Annotated[str, AfterValidator(_tame)]


class SecretKey(Part):
    """Where a secret is, which never stands in a configuration itself."""

    name: Name
    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$")]


class PulumiOperator(Part):
    """The repository of the stacks themselves, which the Pulumi Kubernetes Operator keeps up."""

    namespace: OwnNamespace = "callplane-stacks"
    repository: Repository
    # One of both: a branch is followed, a commit is what was reviewed.
    branch: Annotated[str, Field(pattern=r"^[\w./-]*$")] = ""
    commit: Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$")] = ""
    folder: str = "stacks/kubernetes"
    stack: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+){0,2}$")]
    # Where the state is, and what encrypts the secrets in it.
    backend: Annotated[str, Field(pattern=r"^(s3|azblob|gs|https)://")]
    secrets_provider: Annotated[
        str, Field(pattern=r"^((awskms|azurekeyvault|gcpkms|hashivault)://.+)?$")
    ] = ""
    environment: dict[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")], SecretKey] = {}
    # A token for https, a private key for ssh. Flux wants a Secret of its own form instead.
    credentials: SecretKey | None = None
    workspace_image: Image
    # What a stack may do in the cluster; whoever can write to that repository can do it.
    cluster_role: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.:-]*$")]
    resync_seconds: Annotated[int, Field(ge=60, le=86_400)] = 300
    # Look and never touch, as a rehearsal.
    preview: bool = False

    @model_validator(mode="after")
    def _whole(self) -> PulumiOperator:
        if bool(self.branch) == bool(self.commit):
            raise ValueError("needs a branch or a commit, and not both")
        if not self.secrets_provider and PASSPHRASE not in self.environment:
            raise ValueError(f"needs secrets_provider, or {PASSPHRASE} in environment")
        return self


class GitOps(Part):
    """The tenants' repository."""

    program: GitOpsProgram = GitOpsProgram.FLUX
    repository: Repository
    branch: Word = "main"
    path: str = "./tenants"
    # In the program's namespace, in the form that the program wants.
    credentials_secret: Name | None = None
    # What the repository may hold beside objects of ours and namespaces.
    also_groups: tuple[Group, ...] = ()
    stacks: PulumiOperator | None = None


class OnCluster(Part):
    """What every target puts on a Kubernetes cluster."""

    platform: Platform
    gitops: GitOps


class Instance(Protocol):
    """One SBC of any target: its name, the name Teams knows it by, the address it listens on."""

    @property
    def name(self) -> str: ...

    @property
    def host_name(self) -> str: ...

    @property
    def address(self) -> IPv4Address: ...


Document = Mapping[str, Any]


def mapping(document: object) -> Document:
    """What a person wrote, as a document. Raises ConfigurationRefused where it is none."""
    if not isinstance(document, Mapping):
        raise ConfigurationRefused(["callplane:stack: has to be keys and values"])
    return document


Read = TypeVar("Read", bound=Part)


def read(model: type[Read], document: Document, rules: Sequence[Iterable[str]]) -> Read:
    """The configuration in a document. Raises ConfigurationRefused with every reason: the model's,
    and those that `rules` give.
    """
    reasons = [reason for rule in rules for reason in rule]
    try:
        configuration = model.model_validate(document)
    except ValidationError as error:
        for each in error.errors():
            place = ".".join(str(step) for step in each["loc"]) or "configuration"
            reasons.append(f"{place}: {each['msg']}")
    else:
        if not reasons:
            return configuration
    raise ConfigurationRefused(sorted(set(reasons)))
