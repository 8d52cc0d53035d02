"""The stack of a cluster: configuration in, components out; everything else is in the package."""

from __future__ import annotations

import sys
from pathlib import Path

import pulumi

# The package is no distribution: it is run from its checkout, beside the operator's description.
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "stacks"), str(ROOT / "operator")]

from callplane_stacks import configuration, kubernetes_target, ledger_database  # noqa: E402

settings = pulumi.Config("callplane")
folder = Path(settings.require("files"))
kubernetes_target.deploy(
    kubernetes_target.Inputs(
        configuration=configuration.read(settings.require_object("stack")),
        kamailio_files={path.name: path.read_text() for path in sorted(folder.iterdir())},
        passwords={
            role: settings.require_secret(f"{role}-password") for role in ledger_database.ROLES
        },
    )
)
