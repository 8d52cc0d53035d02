"""The stack on Azure: configuration in, components out; everything else is in the package."""

from __future__ import annotations

import sys
from pathlib import Path

import pulumi

# The package is no distribution: it is run from its checkout, beside the operator's description.
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "stacks"), str(ROOT / "operator")]

from callplane_stacks import given_cluster, program_inputs, sbc_values  # noqa: E402
from callplane_stacks.azure import configuration, target  # noqa: E402

settings = pulumi.Config("callplane")
chosen = configuration.read(settings.require_object("stack"))
secrets = program_inputs.secrets(
    settings, ["kubeconfig", *(f"{role}-password" for role in given_cluster.PASSWORDS)]
)
target.deploy(
    target.Inputs(
        configuration=chosen,
        sbcs=sbc_values.read(chosen.sbc, program_inputs.values(Path(settings.require("values")))),
        passwords={role: secrets[f"{role}-password"] for role in given_cluster.PASSWORDS},
        kubeconfig=secrets["kubeconfig"],
    )
)
