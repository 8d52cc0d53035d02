"""What an SBC machine does when it is born: cloud-init, the same on every cloud.

The scripts and units are files of `machine_files`; what differs between machines is in one file of
settings that they read. Nothing secret is among it, since whoever may describe a machine reads it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from importlib import resources
from typing import Any

import yaml

#: Debian 12's own; `lego` speaks ACME with both clouds' name servers.
PACKAGES = (
    "kamailio",
    "kamailio-extra-modules",
    "kamailio-tls-modules",
    "kamailio-utils-modules",
    "rtpengine-daemon",
    "podman",
    "lego",
    "openssl",
    "ca-certificates",
)
#: Programs that one cloud needs besides.
CLOUD_PACKAGES = {"aws": ("awscli",), "azure": ("curl",)}
SETTINGS = "/etc/callplane/machine.env"
STATE = "/var/lib/callplane"
SPOOL = "/var/spool/callplane"
SCRIPTS = ("callplane-drain", "callplane-fetch", "callplane-certificate", "callplane-callcontrol")
UNITS = (
    "callplane-kamailio.service",
    "callplane-rtpengine.service",
    "callplane-callcontrol.service",
    "callplane-certificate.service",
    "callplane-certificate.timer",
)
STARTED = (
    "callplane-kamailio.service",
    "callplane-rtpengine.service",
    "callplane-callcontrol.service",
    "callplane-certificate.timer",
)
#: What the packages would start by themselves, with configurations of their own.
MASKED = ("kamailio.service", "rtpengine-daemon.service")
#: How much longer than the drain a stop may take.
MARGIN_SECONDS = 60


class _Readable(yaml.SafeDumper):
    """Writes files as they are, so that whoever looks at a machine can read them."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Readable.add_representer(str, _text)


def user_data(settings: Mapping[str, str]) -> str:
    """The machine's cloud-init; `settings` are those that `machine_files` read, by name."""
    stop_seconds = int(settings["MACHINE_LIMIT_SECONDS"]) + MARGIN_SECONDS
    run = settings["MACHINE_RUN"]
    files = [
        _file(SETTINGS, environment({**settings, "MACHINE_STATE": STATE}), "0644"),
        _file(
            "/etc/tmpfiles.d/callplane.conf",
            f"d {run} 0770 kamailio kamailio\nd {SPOOL} 0750 kamailio kamailio\n"
            # Here before systemd opens it, which would make it root's.
            f"f {SPOOL}/sbc.log 0640 kamailio kamailio\n",
            "0644",
        ),
        *(_file(f"/usr/local/sbin/{name}", text(name), "0755") for name in SCRIPTS),
        *(
            _file(
                f"/etc/systemd/system/{name}",
                text(name).replace("@STOP_SECONDS@", str(stop_seconds)),
                "0644",
            )
            for name in UNITS
        ),
    ]
    document = {
        # Before packages are installed, which would start them.
        "bootcmd": [["systemctl", "mask", *MASKED]],
        "package_update": True,
        "packages": [*PACKAGES, *CLOUD_PACKAGES[settings["MACHINE_CLOUD"]]],
        "write_files": files,
        "runcmd": [
            ["systemd-tmpfiles", "--create", "/etc/tmpfiles.d/callplane.conf"],
            ["/usr/local/sbin/callplane-certificate", "placeholder"],
            ["systemctl", "daemon-reload"],
            ["systemctl", "enable", "--now", *STARTED],
        ],
    }
    return "#cloud-config\n" + yaml.dump(document, Dumper=_Readable, sort_keys=False, width=1000)


def environment(settings: Mapping[str, str]) -> str:
    """Settings as a shell and systemd both read them."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items())


def text(name: str) -> str:
    """A file of `machine_files`."""
    return (resources.files(__package__) / "machine_files" / name).read_text(encoding="utf-8")


def _file(path: str, content: str, mode: str) -> dict[str, Any]:
    return {"path": path, "permissions": mode, "content": content}
