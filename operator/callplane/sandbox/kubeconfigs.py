"""Kubeconfig files with everything inline, as `kubectl` and the operator read them.

Called by `control_plane`.
"""

from __future__ import annotations

import base64
from pathlib import Path

import yaml

from callplane.sandbox.certificates import Pair


def write(file: Path, *, name: str, server: str, authority: bytes, client: Pair) -> Path:
    """Write a kubeconfig with one cluster, user and context, all called `name`."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {"server": server, "certificate-authority-data": _text(authority)},
            }
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": _text(client.certificate),
                    "client-key-data": _text(client.key),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return file


def _text(pem: bytes) -> str:
    return base64.b64encode(pem).decode("ascii")
