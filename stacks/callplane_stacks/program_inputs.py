"""What a project's program is given beside its configuration: files of values, and secrets.

Both are refused with every reason at once, before anything is planned.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import get_config_secret_keys_env, is_config_secret

from callplane.cli import yaml_documents
from callplane.cli.yaml_documents import YamlProblem
from callplane_stacks.configuration import ConfigurationRefused
from callplane_stacks.objects import IN_PLACE


def values(folder: Path) -> dict[str, Any]:
    """The values of each SBC, by the name of its file. Raises ConfigurationRefused."""
    found: dict[str, Any] = {}
    reasons: list[str] = []
    if not folder.is_dir():
        reasons.append(f"values: {folder} is no folder; callplane:values names it")
    for path in sorted(folder.glob("*.yaml")):
        try:
            documents, repeated = yaml_documents.documents(path.read_bytes())
        except YamlProblem as problem:
            reasons.append(f"{path}:{problem.line}: {problem.message}")
            continue
        reasons += [f"{path}:{key.line}: {key.key} is written twice" for key in repeated]
        if len(documents) != 1:
            reasons.append(f"{path}: holds {len(documents)} documents where one is meant")
            continue
        found[path.stem] = documents[0]
    if reasons:
        raise ConfigurationRefused(reasons)
    return found


def changed_in_place(settings: pulumi.Config) -> None:
    """Whether the Kubernetes plugin, whose settings these are, changes files and addresses where
    they are. Raises ConfigurationRefused where it would take them away first.
    """
    reasons = [
        f"{settings.full_key(name)}: is not true, so that a changed ConfigMap or Secret would be "
        f"deleted and made again; `pulumi config set {settings.full_key(name)} true`"
        for name in IN_PLACE
        if not settings.get_bool(name)
    ]
    if reasons:
        raise ConfigurationRefused(reasons)


def secrets(settings: pulumi.Config, names: Iterable[str]) -> dict[str, pulumi.Output[str]]:
    """Secrets by name. Raises ConfigurationRefused where one is missing, empty or stands in the
    stack's file in the clear, from where it would go into git.
    """
    reasons: list[str] = []
    wanted = tuple(names)
    for name in wanted:
        key = settings.full_key(name)
        sealed = is_config_secret(key) or key in get_config_secret_keys_env()
        if not settings.get(name):
            reasons.append(f"{key}: is not set; `pulumi config set --secret {key}` sets it")
        elif not sealed:
            reasons.append(
                f"{key}: stands in the stack's file in the clear; change it where it counts, then "
                f"`pulumi config set --secret {key}`"
            )
    if reasons:
        raise ConfigurationRefused(reasons)
    return {name: settings.require_secret(name) for name in wanted}
