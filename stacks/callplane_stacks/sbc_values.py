"""The values of each SBC, as `callplane sbc render` reads them, and whether they fit the stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callplane.sbc import reading
from callplane.sbc.model import Sbc
from callplane_stacks.configuration import ConfigurationRefused, Instance


def read(instances: Sequence[Instance], documents: Mapping[str, Any]) -> dict[str, Sbc]:
    """The SBCs by instance. Raises ConfigurationRefused with every reason of every document."""
    reasons = [
        f"values of {name}: no instance is called so"
        for name in documents.keys() - {each.name for each in instances}
    ]
    found: dict[str, Sbc] = {}
    for instance in instances:
        if instance.name not in documents:
            reasons.append(f"values of {instance.name}: there are none")
            continue
        sbc, problems = reading.read(documents[instance.name])
        reasons += [f"values of {instance.name}: {problem}" for problem in problems]
        if sbc is not None:
            reasons += _differences(instance, sbc)
            found[instance.name] = sbc
    if reasons:
        raise ConfigurationRefused(sorted(reasons))
    return found


def _differences(instance: Instance, sbc: Sbc) -> list[str]:
    """What the values say otherwise than the configuration."""
    public = sbc.public.address if sbc.public is not None else None
    compared = {
        "fqdn": (sbc.fqdn, instance.host_name),
        "public": (public, str(instance.address)),
    }
    return [
        f"values of {instance.name}: {field} is {said}, and the configuration has {wanted}"
        for field, (said, wanted) in compared.items()
        if said != wanted
    ]
