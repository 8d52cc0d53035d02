"""A cluster that somebody else made: used only when its kubeconfig is named and the user says yes.

Called by the command line and by `lifecycle`. The variable KUBECONFIG and the user's own folder of
kubeconfigs are never read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from callplane.sandbox.failures import SandboxError


def checked(kubeconfig: Path) -> Path:
    """Return the kubeconfig's full path. Raises SandboxError when it names no server."""
    server(kubeconfig)
    return kubeconfig.expanduser().absolute()


def server(kubeconfig: Path) -> str:
    """Return the address of the server that the kubeconfig's current context names."""
    try:
        document = yaml.safe_load(kubeconfig.expanduser().read_text())
        context = _named(document["contexts"], document["current-context"])["context"]
        return str(_named(document["clusters"], context["cluster"])["cluster"]["server"])
    except OSError as error:
        raise SandboxError(f"the kubeconfig cannot be read: {error}") from error
    except (yaml.YAMLError, KeyError, TypeError, StopIteration) as error:
        raise SandboxError(
            f"{kubeconfig} is no kubeconfig with a current context, or names no server"
        ) from error


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)
