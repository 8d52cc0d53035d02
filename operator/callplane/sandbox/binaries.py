"""Where the programs of a cluster come from. (Lookup order: design.)"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Binaries:
    """The four programs of a sandbox cluster."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kubectl: Path


def find(*, build: bool = True) -> Binaries:
    folder = Path(os.environ["KUBEBUILDER_ASSETS"]).expanduser()
    return Binaries(
        *(folder / n for n in ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl"))
    )
