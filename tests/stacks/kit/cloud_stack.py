"""The sample of each cloud's configuration, and its whole program as a mock runs it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import yaml

import sample_stack
from callplane.sbc.model import Sbc
from callplane_stacks import given_cluster, sbc_values
from callplane_stacks.aws import configuration as aws_configuration
from callplane_stacks.aws import target as aws_target
from callplane_stacks.azure import configuration as azure_configuration
from callplane_stacks.azure import target as azure_target

PASSWORDS = {role: f"pass/word of {role}" for role in given_cluster.PASSWORDS}
KUBECONFIG = "a kubeconfig, with a token in it"


@dataclass(frozen=True, slots=True)
class Cloud:
    """A target, and the folder of its project."""

    name: str
    configuration: ModuleType
    target: ModuleType

    def document(self, **parts: Mapping[str, Any]) -> dict[str, Any]:
        """The sample's configuration, with keys of parts replaced."""
        path = sample_stack.ROOT / "stacks" / self.name / "Pulumi.sample.yaml"
        found: dict[str, Any] = yaml.safe_load(path.read_text())["config"]["callplane:stack"]
        for name, fields in parts.items():
            found[name] = {**found[name], **fields}
        return found

    def instances(self, **change: object) -> dict[str, Any]:
        """The sample's SBCs with the first one changed."""
        first, *rest = self.document()["sbc"]["instances"]
        return {"instances": [{**first, **change}, *rest]}

    def sbcs(self, chosen: Any) -> dict[str, Sbc]:
        """The SBCs' values, as their files would hold them."""
        documents = {each.name: values(each) for each in chosen.sbc.instances}
        return sbc_values.read(chosen.sbc, documents)

    def inputs(self, **parts: Mapping[str, Any]) -> Any:
        """The inputs of a stack as the sample configures it."""
        chosen = self.configuration.read(self.document(**parts))
        return self.target.Inputs(chosen, self.sbcs(chosen), PASSWORDS, KUBECONFIG)

    def declare(self, **parts: Mapping[str, Any]) -> None:
        """The whole program."""
        self.target.deploy(self.inputs(**parts))


def values(instance: Any) -> dict[str, Any]:
    """Values of an SBC that listens on its private address."""
    phones = {**sample_stack.VALUES["phones"], "listen": f"{instance.address}:5080"}
    return {
        **copy.deepcopy(sample_stack.VALUES),
        "fqdn": instance.host_name,
        "core": f"{instance.address}:5060",
        "public": f"{instance.address}:5061",
        "phones": phones,
    }


AWS = Cloud("aws", aws_configuration, aws_target)
AZURE = Cloud("azure", azure_configuration, azure_target)
CLOUDS = (AWS, AZURE)
