"""An SBC's pod: Kamailio, rtpengine and call control on the network of the host.

Nothing comes before Kamailio but its own image and the node's firewall: while call control's image,
its Secret, the database or the media relay is missing, emergency and inbound calls go through. Call
control is a container like the others and none that starts first; evapi knows no passwords and
never leaves the machine.

A pod that goes drains: Kamailio's hook refuses new calls and waits, and what serves Kamailio stays
until it has left. One program does both, so one image has it all (`images/sbc/Dockerfile`).
"""

from __future__ import annotations

from dataclasses import dataclass

from callplane.deployment import traces, workload
from callplane.deployment.options import CALLS_URI_KEY, Body, Options
from callplane.sbc.model import Sbc

ACCOUNT = "callplane-sbc"
PRIORITY = "callplane-calls"
NODE_LABEL = "kubernetes.io/hostname"
RULESET = "callplane.nft"
METRICS_PORT = 9494
PROBE_PORT = 8081
MEDIA_CONTROL = "127.0.0.1:2223"
#: The Secret with the database's address as call control's role.
DATABASE_SECRET = "callplane-database"
#: Where Kamailio's log, which is the spool of call records, lies in its pod.
SPOOL_FOLDER = "/var/spool/callplane"
SPOOL = f"{SPOOL_FOLDER}/sbc.log"
PUBLIC_CERTIFICATE = "/etc/callplane/certificate"
#: The feed of SBCs that charge as one; each has a name of its own in it.
FEED = "sbc"
OWNER = f"{workload.USER}:{workload.USER}"
#: How long a pod waits for call control to take records, once nobody is on the telephone.
RECORDS_SECONDS = 30
#: What serves Kamailio waits so much longer than Kamailio's own hook may take, and Kubernetes so
#: much longer than that.
LEAVING_SECONDS = 30
MARGIN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class SbcPod:
    """Choices of one pod. Ordinary calls are ended `drain_seconds` after it was asked to go; calls
    to emergency and exempt services have `services_seconds` more, until Kubernetes ends everything.
    """

    name: str
    address: str
    node: str
    kamailio_image: str
    media_image: str
    rtp_ports: tuple[int, int]
    drain_seconds: int
    services_seconds: int
    trust_bundle: str
    # A folder of the node; each SBC has one of its own in it.
    spool_folder: str
    platform: Options

    @property
    def limit_seconds(self) -> int:
        """How long Kamailio's hook takes at most."""
        return self.drain_seconds + self.services_seconds


def pod(chosen: SbcPod, values: Sbc) -> Body:
    """The pod's specification."""
    return {
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "priorityClassName": PRIORITY,
        "hostNetwork": True,
        "dnsPolicy": "ClusterFirstWithHostNet",
        "nodeSelector": {NODE_LABEL: chosen.node},
        "terminationGracePeriodSeconds": chosen.limit_seconds + LEAVING_SECONDS + MARGIN_SECONDS,
        "initContainers": [
            {
                "name": "firewall",
                "image": chosen.kamailio_image,
                "command": ["nft", "-f", f"/firewall/{RULESET}"],
                "securityContext": _security(root=True, add=("NET_ADMIN",)),
                "resources": _resources("50m", "64Mi"),
                "volumeMounts": [_mount("configuration", "/firewall")],
            },
            {
                "name": "spool",
                "image": chosen.kamailio_image,
                # The folder of a node is root's. Without it there is no spool, and there are calls.
                "command": ["sh", "-c", f"chown {OWNER} {SPOOL_FOLDER} || true"],
                "securityContext": _security(root=True, add=("CHOWN",)),
                "resources": _resources("50m", "64Mi"),
                "volumeMounts": [_mount("spool", SPOOL_FOLDER, read_only=False)],
            },
        ],
        "containers": [
            _kamailio(chosen, values),
            _media(chosen, values),
            _call_control(chosen, values),
        ],
        "volumes": [
            _projected(
                "configuration",
                {"configMap": {"name": chosen.name}},
                {"secret": {"name": f"{chosen.name}-phones", "optional": True}},
            ),
            _projected(
                "certificate",
                {"secret": {"name": f"{chosen.name}-tls"}},
                {"configMap": {"name": chosen.trust_bundle}},
            ),
            _projected(
                "public-certificate",
                {
                    "secret": {
                        "name": f"{chosen.name}-tls",
                        "items": [{"key": "tls.crt", "path": "tls.crt"}],
                    }
                },
            ),
            {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            # On the node, so that the next pod takes what this one could not. No volume that would
            # have to come first: an emergency call does not wait for storage.
            {
                "name": "spool",
                "hostPath": {
                    "path": f"{chosen.spool_folder}/{chosen.name}",
                    "type": "DirectoryOrCreate",
                },
            },
            workload.scratch(),
            workload.database_volume(DATABASE_SECRET, CALLS_URI_KEY),
        ],
    }


def drain_command(chosen: SbcPod, values: Sbc) -> list[str]:
    """What Kamailio's container runs before it is stopped."""
    return [
        *("callplane", "sbc", "drain", _socket(values)),
        f"--end-after={chosen.drain_seconds}s",
        f"--limit={chosen.limit_seconds}s",
        # The next pod takes what stands in the spool.
        f"--records={RECORDS_SECONDS}s",
    ]


def outlast_command(chosen: SbcPod, values: Sbc) -> list[str]:
    """What a container that serves Kamailio runs before it is stopped."""
    limit = chosen.limit_seconds + LEAVING_SECONDS
    return ["callplane", "sbc", "wait", _socket(values), f"--limit={limit}s"]


def call_control_settings(name: str, values: Sbc, *, spool: str, probe_host: str) -> dict[str, str]:
    """What call control beside the SBC of this name is told wherever it runs, by the fields of its
    settings; an empty one is left out. `spool` is the file of call records.
    """
    return {
        "sbcs": str(values.call_control),
        "spools": spool,
        # The feed of SBCs that charge as one; each has a name of its own in it.
        "source": f"{FEED}:{name}",
        "outside_lines": ",".join(
            f"{trunk.name}={trunk.outside_line}" for trunk in values.trunks if trunk.outside_line
        ),
        "phones_outside_line": values.phones.outside_line if values.phones else "",
        # The firewall lets the cluster in to them and nobody else.
        "probe_host": probe_host,
        "probe_port": str(PROBE_PORT),
    }


def _kamailio(chosen: SbcPod, values: Sbc) -> Body:
    folders = values.folders
    face = values.public or values.core
    return {
        "name": "kamailio",
        "image": chosen.kamailio_image,
        "command": ["callplane-spooled", SPOOL, "kamailio"],
        "args": [
            *("-DD", "-E", "-f", f"{folders.config}/kamailio.cfg"),
            *("-m", "512", "-M", "16", "-x", "fm", "-X", "fm"),
            *("-w", folders.run, "-Y", folders.run),
        ],
        "env": _answers_here(values),
        "lifecycle": _before_stop(drain_command(chosen, values)),
        # A connection is enough: a SIP request would be judged by who sends it.
        "livenessProbe": _alive(face.port, face.address, periodSeconds=10, failureThreshold=6),
        "readinessProbe": _alive(face.port, face.address, periodSeconds=5, failureThreshold=2),
        "securityContext": _security(),
        # Shared memory, and 16 MiB for each of some thirty processes.
        "resources": _resources("1", "1536Mi"),
        "volumeMounts": [
            _mount("configuration", folders.config),
            _mount("certificate", folders.certificates),
            _mount("run", folders.run, read_only=False),
            _mount("spool", SPOOL_FOLDER, read_only=False),
        ],
    }


def _media(chosen: SbcPod, values: Sbc) -> Body:
    first, last = chosen.rtp_ports
    # Where Kamailio asks; rtpengine's own usual place where no media is configured.
    control = f"{values.media.address}:{values.media.port}" if values.media else MEDIA_CONTROL
    return {
        "name": "rtpengine",
        "image": chosen.media_image,
        "command": ["rtpengine"],
        "args": [
            "--foreground",
            "--log-stderr",
            f"--interface={chosen.address}",
            f"--listen-ng={control}",
            f"--listen-http={METRICS_PORT}",
            f"--port-min={first}",
            f"--port-max={last}",
            "--table=-1",
        ],
        "env": _answers_here(values),
        "lifecycle": _before_stop(outlast_command(chosen, values)),
        "livenessProbe": _alive(METRICS_PORT, periodSeconds=10, failureThreshold=6),
        "readinessProbe": _alive(METRICS_PORT, periodSeconds=5, failureThreshold=2),
        "securityContext": _security(),
        "resources": _resources("1", "512Mi"),
        "volumeMounts": [_mount("run", values.folders.run, read_only=False)],
    }


def _call_control(chosen: SbcPod, values: Sbc) -> Body:
    """The operator's image: its calls are extended, and its records taken, to the last one."""
    settings = {
        **call_control_settings(chosen.name, values, spool=SPOOL, probe_host="0.0.0.0"),
        "rpc_sockets": _socket(values),
        "certificates": f"{PUBLIC_CERTIFICATE}/tls.crt",
    }
    found = workload.container("callcontrol", chosen.platform, database=True)
    found["securityContext"] |= {
        "runAsNonRoot": True,
        "runAsUser": workload.USER,
        "runAsGroup": workload.USER,
    }
    found["volumeMounts"] += [
        _mount("run", values.folders.run, read_only=False),
        _mount("spool", SPOOL_FOLDER, read_only=False),
        # To see that it was renewed; the key is Kamailio's alone.
        _mount("public-certificate", PUBLIC_CERTIFICATE),
    ]
    return {
        **found,
        "args": ["callcontrol"],
        "env": [
            workload.database_address(),
            *(
                {"name": workload.variable(name), "value": value}
                for name, value in settings.items()
                if value
            ),
            *traces.told(chosen.platform),
            *_answers_here(values),
        ],
        "ports": [{"name": "probes", "containerPort": PROBE_PORT, "protocol": "TCP"}],
        "lifecycle": _before_stop(outlast_command(chosen, values)),
        "startupProbe": workload.probe("/healthz", periodSeconds=2, failureThreshold=60),
        "livenessProbe": workload.probe("/healthz", periodSeconds=20, failureThreshold=3),
        # Whoever replaces pods waits until this one could decide; no call passes a Service.
        "readinessProbe": workload.probe("/readyz", periodSeconds=5, failureThreshold=2),
    }


def _socket(values: Sbc) -> str:
    return f"{values.folders.run}/rpc.sock"


def _answers_here(values: Sbc) -> list[Body]:
    """Kamailio answers what hooks ask on a socket of theirs, which it has to see too."""
    return [{"name": "TMPDIR", "value": values.folders.run}]


def _before_stop(command: list[str]) -> Body:
    return {"preStop": {"exec": {"command": command}}}


def _security(*, root: bool = False, add: tuple[str, ...] = ()) -> Body:
    capabilities: Body = {"drop": ["ALL"]}
    if add:
        capabilities["add"] = list(add)
    found: Body = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": capabilities,
    }
    user = {"runAsUser": 0} if root else {"runAsNonRoot": True, "runAsUser": workload.USER}
    return found | user | {"runAsGroup": 0 if root else workload.USER}


def _resources(cpu: str, memory: str) -> Body:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}


def _projected(name: str, *sources: Body) -> Body:
    return {"name": name, "projected": {"sources": list(sources)}}


def _mount(name: str, path: str, *, read_only: bool = True) -> Body:
    return {"name": name, "mountPath": path, "readOnly": read_only}


def _alive(port: int, host: str = "", **timing: int) -> Body:
    # Without a host the node's own address is asked, and Kamailio listens on one of its own.
    where = {"host": host, "port": port} if host else {"port": port}
    return {"tcpSocket": where, "timeoutSeconds": 3, **timing}
