"""Call control beside an SBC: a container of the SBC's own pod, since evapi knows no passwords and
never leaves the machine.

It is a container like the others and none that starts first: while its image, its Secret or the
database is missing, Kamailio starts all the same, and emergency and inbound calls go through.
"""

from __future__ import annotations

import pulumi

from callplane.deployment import workload
from callplane.deployment.options import CALLS_URI_KEY
from callplane.sbc.model import Sbc as Values
from callplane_stacks import platform_component
from callplane_stacks.kubernetes.configuration import Configuration, SbcInstance
from callplane_stacks.objects import Body, labelled

SECRET = "callplane-database"
PROBE_PORT = 8081
#: The feed of SBCs that charge as one; each has a name of its own in it.
FEED = "sbc"


def secret(configuration: Configuration, component: str, uri: pulumi.Input[str]) -> Body:
    """Where the database is, as call control's role; nothing else of it is known here."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": labelled(SECRET, component, configuration.sbc.namespace),
        "stringData": {CALLS_URI_KEY: uri},
    }


def container(
    configuration: Configuration, instance: SbcInstance, values: Values, *, run: Body
) -> Body:
    """The operator's image, as it runs beside this SBC; `run` mounts the SBC's folder of sockets.

    It stays until the SBC is quiet: its calls are extended, and its records taken, to the last one.
    """
    settings = {
        "sbcs": str(values.call_control),
        "source": f"{FEED}:{instance.name}",
        "outside_lines": ",".join(
            f"{trunk.name}={trunk.outside_line}" for trunk in values.trunks if trunk.outside_line
        ),
        "phones_outside_line": values.phones.outside_line if values.phones else "",
        # The firewall lets the cluster in to them and nobody else.
        "probe_host": "0.0.0.0",
        "probe_port": str(PROBE_PORT),
    }
    found = workload.container("callcontrol", platform_component.options(configuration))
    found["securityContext"] |= {
        "runAsNonRoot": True,
        "runAsUser": workload.USER,
        "runAsGroup": workload.USER,
    }
    found["volumeMounts"].append(run)
    socket = f"{values.folders.run}/rpc.sock"
    limit = f"--limit={configuration.sbc.drain_seconds}s"
    return {
        **found,
        "args": ["callcontrol"],
        "env": [
            workload.from_secret("database_url", SECRET, CALLS_URI_KEY),
            *(
                {"name": workload.variable(name), "value": value}
                for name, value in settings.items()
                if value
            ),
            # Kamailio answers the drain's questions on a socket that it has to see too.
            {"name": "TMPDIR", "value": values.folders.run},
        ],
        "ports": [{"name": "probes", "containerPort": PROBE_PORT, "protocol": "TCP"}],
        "lifecycle": {
            "preStop": {"exec": {"command": ["callplane", "sbc", "drain", socket, limit]}}
        },
        "startupProbe": workload.probe("/healthz", periodSeconds=2, failureThreshold=60),
        "livenessProbe": workload.probe("/healthz", periodSeconds=20, failureThreshold=3),
        # Whoever replaces pods waits until this one could decide; no call passes a Service.
        "readinessProbe": workload.probe("/readyz", periodSeconds=5, failureThreshold=2),
    }
