"""The stack on Azure: configuration in, components out; everything else is in the package."""

from __future__ import annotations

import sys
from pathlib import Path

import pulumi

# The package is no distribution: it is run from its checkout, beside the operator's description.
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "stacks"), str(ROOT / "operator")]

import yaml  # noqa: E402

from callplane_stacks import given_cluster, sbc_values  # noqa: E402
from callplane_stacks.azure import configuration, target  # noqa: E402

settings = pulumi.Config("callplane")
folder = Path(settings.require("values"))
documents = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))}
chosen = configuration.read(settings.require_object("stack"))
target.deploy(
    target.Inputs(
        configuration=chosen,
        sbcs=sbc_values.read(chosen.sbc.instances, documents),
        passwords={
            role: settings.require_secret(f"{role}-password") for role in given_cluster.PASSWORDS
        },
        kubeconfig=settings.require_secret("kubeconfig"),
    )
)
