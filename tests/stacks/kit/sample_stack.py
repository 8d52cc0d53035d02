"""The sample configuration, and the whole program as a function that an engine or a mock runs."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml

from callplane_stacks import sbc_values
from callplane_stacks.kubernetes import configuration, ledger_database, target
from callplane_stacks.kubernetes.target import Inputs

ROOT = Path(__file__).parents[3]
SAMPLE = yaml.safe_load((ROOT / "stacks/kubernetes/Pulumi.sample.yaml").read_text())
PASSWORDS = {role: f"password-of-{role}" for role in ledger_database.ROLES}
# The values that the renderer's own tests look at.
VALUES = yaml.safe_load((ROOT / "tests/golden/sbc/london.yaml").read_text(encoding="utf-8"))


def document(**parts: Mapping[str, Any]) -> dict[str, Any]:
    """The sample's configuration, with keys of parts replaced."""
    found: dict[str, Any] = copy.deepcopy(SAMPLE["config"]["callplane:stack"])
    for name, fields in parts.items():
        found[name] = {**found[name], **fields}
    return found


def values() -> dict[str, Any]:
    """Values of each SBC of the sample, as their files would hold them."""
    return {
        instance["name"]: {
            **copy.deepcopy(VALUES),
            "fqdn": instance["host_name"],
            "public": f"{instance['address']}:5061",
            "phones": {**VALUES["phones"], "listen": f"{instance['address']}:5080"},
        }
        for instance in document()["sbc"]["instances"]
    }


def inputs(**parts: Mapping[str, Any]) -> Inputs:
    """The inputs of a stack as the sample configures it."""
    chosen = configuration.read(document(**parts))
    return Inputs(chosen, sbc_values.read(chosen.sbc, values()), PASSWORDS)


def declare(passwords: Mapping[str, str] = PASSWORDS, **parts: Mapping[str, Any]) -> None:
    """The whole program."""
    chosen = dataclasses.replace(inputs(**parts), passwords=passwords)
    target.deploy(chosen, pulumi.ResourceOptions())
