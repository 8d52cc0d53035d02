"""The one configuration of a stack, typed; read before anything is planned.

Whatever is wrong is said at once: what pydantic finds, and the rules below, which look at the
document as it was written and therefore work on a broken one too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from callplane_stacks import firewall

IMAGE = re.compile(r"[a-z0-9][a-z0-9._:/-]*(:[A-Za-z0-9_][\w.-]{0,127}|@sha256:[0-9a-f]{64})")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
#: Where no peer could reach an SBC.
UNREACHABLE = tuple(
    ip_network(each)
    for each in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
    )
)

Cidr = Annotated[IPv4Network | IPv6Network, BeforeValidator(ip_network)]


def _pinned(image: str) -> str:
    if not IMAGE.fullmatch(image) or image.endswith(":latest"):
        raise ValueError(f"{image!r} needs a tag other than latest, or a digest")
    return image


Image = Annotated[str, AfterValidator(_pinned)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$")]


class ConfigurationRefused(Exception):
    """What was configured cannot be; `reasons` are all of them, each with its place."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("\n".join(["the configuration cannot be:", *reasons]))
        self.reasons = reasons


class Part(BaseModel):
    """A part of the configuration: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Networks(Part):
    """Networks of the cluster; none may overlap another or a peer's."""

    pods: Cidr
    services: Cidr
    nodes: Cidr


class Platform(Part):
    """The operator."""

    namespace: Name = "callplane-system"
    image: Image
    replicas: Annotated[int, Field(ge=2, le=5)] = 2
    gitops_accounts: tuple[str, ...] = ()
    secret_names: tuple[str, ...] = ()


class Backup(Part):
    """Where the database's write-ahead log and nightly backups go."""

    destination: Annotated[str, Field(pattern=r"^(s3|https|gs)://")]
    credentials_secret: Name
    schedule: str = "0 30 2 * * *"
    retention_days: Annotated[int, Field(ge=7, le=365)] = 30


class Database(Part):
    """The ledger's PostgreSQL, run by CloudNativePG."""

    instances: Annotated[int, Field(ge=3, le=7)] = 3
    image: Image = "ghcr.io/cloudnative-pg/postgresql:18.4"
    storage_gib: Annotated[int, Field(ge=10)] = 100
    wal_gib: Annotated[int, Field(ge=5)] = 20
    storage_class: str = ""
    backup: Backup


class SbcInstance(Part):
    """One SBC: a name of its own, a node of its own, a public address of its own."""

    name: Name
    host_name: str
    address: IPv4Address
    node: str


class Sbc(Part):
    """The session border controllers."""

    namespace: Name = "callplane-sbc"
    kamailio_image: Image
    media_image: Image
    instances: tuple[SbcInstance, ...]
    issuer: Name
    # A ConfigMap with `ca.pem`: the roots that the SBC trusts when it calls out.
    trust_bundle: Name = "callplane-sbc-roots"
    peers: tuple[str, ...] = ("teams",)
    rtp_ports: tuple[int, int] = (16384, 32767)
    drain_seconds: Annotated[int, Field(ge=60, le=14_400)] = 3600


class GitOpsProgram(StrEnum):
    """What applies the tenants' repository."""

    FLUX = "Flux"
    ARGO_CD = "ArgoCD"


class GitOps(Part):
    """The tenants' repository."""

    program: GitOpsProgram = GitOpsProgram.FLUX
    repository: Annotated[str, Field(pattern=r"^(https|ssh)://")]
    branch: str = "main"
    path: str = "./tenants"


class Configuration(Part):
    """Everything a stack needs to know; secrets come from the secrets provider instead."""

    target: Literal["Kubernetes"] = "Kubernetes"
    networks: Networks
    platform: Platform
    database: Database
    sbc: Sbc
    gitops: GitOps


def read(document: Mapping[str, Any]) -> Configuration:
    """The configuration in a document. Raises ConfigurationRefused with every reason."""
    reasons = [
        *_overlaps(document),
        *_host_names(document),
        *_instances(document),
        *_peers(document),
    ]
    try:
        configuration = Configuration.model_validate(document)
    except ValidationError as error:
        for each in error.errors():
            place = ".".join(str(step) for step in each["loc"]) or "configuration"
            reasons.insert(0, f"{place}: {each['msg']}")
    else:
        if not reasons:
            return configuration
    raise ConfigurationRefused(sorted(set(reasons)))


def _overlaps(document: Mapping[str, Any]) -> Iterator[str]:
    """Networks that share addresses: packets would go the wrong way, or past the firewall."""
    own = [(f"networks.{name}", text) for name, text in _part(document, "networks").items()]
    known = [(place, found) for place, text in own if (found := _network(text)) is not None]
    wanted = set(_texts(_part(document, "sbc").get("peers", ("teams",))))
    peers = [
        (f"peer {peer.name}", network)
        for peer in firewall.shipped_peers()
        if peer.name in wanted
        for network in dict.fromkeys((*peer.signalling, *peer.media))
    ]
    for index, (place, network) in enumerate(known):
        for other_place, other in [*known[index + 1 :], *peers]:
            if network.version == other.version and network.overlaps(other):
                yield f"{place}: {network} overlaps {other_place} {other}"


def _host_names(document: Mapping[str, Any]) -> Iterator[str]:
    """Names that Teams would not take for an SBC (Microsoft, Plan Direct Routing)."""
    seen: set[str] = set()
    for place, instance in _instances_of(document):
        name = instance.get("host_name")
        if not isinstance(name, str):
            continue
        if (reason := _refused_by_teams(name)) is not None:
            yield f"{place}.host_name: {name!r} {reason}"
        if name.lower() in seen:
            yield f"{place}.host_name: {name!r} is another instance's too"
        seen.add(name.lower())


def _refused_by_teams(name: str) -> str | None:
    if name != name.lower():
        return "has capital letters; write it as the certificate does"
    if name.endswith((".onmicrosoft.com", ".onmicrosoft.com.")):
        return "is under onmicrosoft.com, where nobody can prove to own a name"
    if "*" in name:
        return "is a wildcard; an SBC has a name of its own"
    if _address(name) is not None:
        return "is an address and not a name"
    labels = name.split(".")
    if len(name) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        return "is no host name"
    if len(labels) < 3:
        return "has to lie within a verified domain, such as sbc1.example.com"
    return None


def _instances(document: Mapping[str, Any]) -> Iterator[str]:
    """One SBC is none: it cannot be upgraded, and its node cannot be lost."""
    found = list(_instances_of(document))
    if len(found) < 2:
        yield f"sbc.instances: {len(found)} of them; two at least, so that one may go"
    for field in ("name", "address", "node"):
        seen: set[str] = set()
        for place, instance in found:
            value = str(instance.get(field, place))
            if value in seen:
                yield f"{place}.{field}: {value!r} is another instance's too"
            seen.add(value)
    for place, instance in found:
        address = _address(instance.get("address"))
        if address is not None and any(
            address.version == network.version and address in network for network in UNREACHABLE
        ):
            yield f"{place}.address: {address} cannot be reached from outside"


def _peers(document: Mapping[str, Any]) -> Iterator[str]:
    known = {peer.name for peer in firewall.shipped_peers()}
    for name in _texts(_part(document, "sbc").get("peers", ())):
        if name not in known:
            yield f"sbc.peers: {name!r} is none of {', '.join(sorted(known))}"


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def _instances_of(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    listed = _part(document, "sbc").get("instances")
    for index, instance in enumerate(listed if isinstance(listed, (list, tuple)) else ()):
        if isinstance(instance, Mapping):
            yield f"sbc.instances.{index}", instance


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) else ()


def _network(text: object) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(str(text))
    except ValueError:
        return None


def _address(text: object) -> Any:
    try:
        return ip_address(str(text))
    except ValueError:
        return None
