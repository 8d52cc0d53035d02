"""The values of each SBC, as `callplane sbc render` reads them, and whether they fit the stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from callplane.sbc import reading
from callplane.sbc.model import Sbc
from callplane_stacks import firewall
from callplane_stacks.configuration import ConfigurationRefused, Instance


class Bordering(Protocol):
    """The part `sbc` of any target's configuration."""

    @property
    def instances(self) -> Sequence[Instance]: ...

    @property
    def rtp_ports(self) -> tuple[int, int]: ...


def read(chosen: Bordering, documents: Mapping[str, Any]) -> dict[str, Sbc]:
    """The SBCs by instance. Raises ConfigurationRefused with every reason of every document."""
    instances = chosen.instances
    reasons = [
        f"values of {name}: no instance is called so"
        for name in documents.keys() - {each.name for each in instances}
    ]
    found: dict[str, Sbc] = {}
    for instance in instances:
        if instance.name not in documents:
            reasons.append(f"values of {instance.name}: there are none")
            continue
        sbc, problems = reading.read(documents[instance.name])
        reasons += [f"values of {instance.name}: {problem}" for problem in problems]
        if sbc is not None:
            reasons += [*_differences(instance, sbc), *_taken(instance, sbc, chosen.rtp_ports)]
            found[instance.name] = sbc
    if reasons:
        raise ConfigurationRefused(sorted(reasons))
    return found


def _differences(instance: Instance, sbc: Sbc) -> list[str]:
    """What the values say otherwise than the configuration."""
    public = sbc.public.address if sbc.public is not None else None
    compared = {
        "fqdn": (sbc.fqdn, instance.host_name),
        "public": (public, str(instance.address)),
    }
    return [
        f"values of {instance.name}: {field} is {said}, and the configuration has {wanted}"
        for field, (said, wanted) in compared.items()
        if said != wanted
    ]


def _taken(instance: Instance, sbc: Sbc, rtp: tuple[int, int]) -> Iterator[str]:
    """Ports that media would take from what listens there; the world may be let in to media."""
    control = [sbc.media.port] if sbc.media else []
    for port in (*firewall.ports(sbc), *control):
        if rtp[0] <= port <= rtp[1]:
            yield (
                f"values of {instance.name}: port {port} is one of sbc.rtp_ports,"
                f" {rtp[0]} to {rtp[1]}"
            )
