"""The sample configuration, and the whole program as a function that an engine or a mock runs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml

from callplane_stacks import configuration, kubernetes_target, ledger_database
from callplane_stacks.kubernetes_target import Inputs

ROOT = Path(__file__).parents[3]
SAMPLE = yaml.safe_load((ROOT / "stacks/kubernetes/Pulumi.sample.yaml").read_text())
PASSWORDS = {role: f"password-of-{role}" for role in ledger_database.ROLES}
FILES = {
    "kamailio.cfg": "# as rendered\n",
    "tls.cfg": "[server:default]\nmethod = TLSv1.2+\nverify_client = optional_no_ca\n",
}


def document(**parts: Mapping[str, Any]) -> dict[str, Any]:
    """The sample's configuration, with keys of parts replaced."""
    found: dict[str, Any] = copy.deepcopy(SAMPLE["config"]["callplane:stack"])
    for name, fields in parts.items():
        found[name] = {**found[name], **fields}
    return found


def inputs(**parts: Mapping[str, Any]) -> Inputs:
    """The inputs of a stack as the sample configures it."""
    return Inputs(configuration.read(document(**parts)), FILES, PASSWORDS)


def declare(**parts: Mapping[str, Any]) -> None:
    """The whole program."""
    kubernetes_target.deploy(inputs(**parts), pulumi.ResourceOptions())
