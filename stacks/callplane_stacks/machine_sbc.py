"""What an SBC on a machine of any cloud is told: its settings, and the files in its store."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from callplane.deployment import sbc_pod
from callplane.sbc import rendering
from callplane.sbc.model import Sbc as Values
from callplane.settings import PREFIX
from callplane_stacks import cloud_init, firewall, machine_rules
from callplane_stacks.machines import MachineInstance, Machines

SSH_PORT = 22
#: The file that says who an SBC is.
MAIN = "kamailio.cfg"
#: Files that hold what only the program may read.
SECRET_FILES = frozenset({"phones.cfg", "callcontrol.env"})
#: The comment of rules that are the stack's own.
CLUSTER, ADMINISTRATORS = "cluster", "administrators"


@dataclass(frozen=True, slots=True)
class Place:
    """What a machine is told besides the configuration and its SBC's values."""

    cloud: str
    public_address: str
    # The image with `callplane`.
    image: str
    # Where the files of this SBC lie.
    files: str
    # The name by which lego knows the cloud's name servers, and what it has to be told.
    dns: str
    settings: Mapping[str, str]


def settings(
    chosen: Machines,
    instance: MachineInstance,
    values: Values,
    place: Place,
) -> dict[str, str]:
    """What the scripts and units of a machine read."""
    first, last = chosen.rtp_ports
    media = f"{values.media.address}:{values.media.port}" if values.media else sbc_pod.MEDIA_CONTROL
    return {
        "MACHINE_CLOUD": place.cloud,
        "MACHINE_HOST_NAME": instance.host_name,
        "MACHINE_ADDRESS": str(instance.address),
        "MACHINE_PUBLIC_ADDRESS": place.public_address,
        "MACHINE_CONFIG": values.folders.config,
        "MACHINE_RUN": values.folders.run,
        "MACHINE_CERTIFICATES": values.folders.certificates,
        "MACHINE_FILES": place.files,
        "MACHINE_IMAGE": place.image,
        "MACHINE_MEDIA_CONTROL": media,
        "MACHINE_METRICS_PORT": str(sbc_pod.METRICS_PORT),
        "MACHINE_RTP_FIRST": str(first),
        "MACHINE_RTP_LAST": str(last),
        "MACHINE_DRAIN_SECONDS": str(chosen.drain_seconds),
        "MACHINE_LIMIT_SECONDS": str(chosen.drain_seconds + chosen.services_seconds),
        "MACHINE_ACME_DIRECTORY": chosen.certificates.directory,
        "MACHINE_ACME_EMAIL": chosen.certificates.email,
        "MACHINE_DNS": place.dns,
        **place.settings,
    }


def files(
    instance: MachineInstance,
    values: Values,
    calls_uri: pulumi.Input[str],
    public_address: pulumi.Output[str],
) -> dict[str, pulumi.Input[str]]:
    """The files of an SBC's store by name: Kamailio's as `callplane sbc render` writes them for an
    SBC that is reached at its public address, and what call control is told, with `calls_uri` the
    database as its role. Secret ones are secrets.
    """
    found: dict[str, pulumi.Input[str]] = {
        name: pulumi.Output.secret(content) if name in SECRET_FILES else content
        for name, content in rendering.render(values).items()
    }

    def seen_from_outside(address: str) -> str:
        return rendering.render(dataclasses.replace(values, advertised=address))[MAIN]

    # The cloud gives the address, and no other file has it: a preview can judge those already.
    found[MAIN] = public_address.apply(seen_from_outside)
    known = sbc_pod.call_control_settings(
        instance.name,
        values,
        spool=f"{cloud_init.SPOOL}/sbc.log",
        probe_host=str(instance.address),
    )
    lines = "".join(f"{PREFIX}{name.upper()}={value}\n" for name, value in known.items() if value)
    uri = pulumi.Output.concat(f"{PREFIX}DATABASE_URL=", calls_uri, "\n", lines)
    found["callcontrol.env"] = pulumi.Output.secret(uri)
    return {**found, "index": "".join(f"{name}\n" for name in found)}


def admitted(
    chosen: Machines,
    values: Mapping[str, Values],
    *,
    cluster: firewall.Network,
    administrators: tuple[firewall.Network, ...],
    quota: int,
) -> dict[str, tuple[firewall.Rule, ...]]:
    """What is let in to each machine. Raises ConfigurationRefused where a security group, which
    takes `quota` rules, would not hold it.
    """
    found = {
        instance.name: _let_in(chosen, values[instance.name], cluster, administrators)
        for instance in chosen.instances
    }
    machine_rules.within_quota(found, quota, "a security group")
    return found


def _let_in(
    chosen: Machines,
    values: Values,
    cluster: firewall.Network,
    administrators: tuple[firewall.Network, ...],
) -> tuple[firewall.Rule, ...]:
    """The SBC's own sources, the peers' media, the cluster to its metrics, administrators to sign
    in.
    """
    peers = [peer for peer in firewall.shipped_peers() if peer.name in chosen.peers]
    return (
        *firewall.rules(values, peers, rtp=chosen.rtp_ports),
        # Whoever reaches rtpengine's port could also give it orders.
        *(
            firewall.Rule(CLUSTER, cluster, "tcp", port, port)
            for port in (sbc_pod.PROBE_PORT, sbc_pod.METRICS_PORT)
        ),
        *(
            firewall.Rule(ADMINISTRATORS, network, "tcp", SSH_PORT, SSH_PORT)
            for network in administrators
        ),
    )
