"""Kubernetes objects as plain data, and how they become resources of a stack.

A resource's type is what the Kubernetes provider calls it, so the real plugin works them as it
works those of its typed classes; every object has a name of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

import pulumi

Body = dict[str, Any]
PROVIDER_PACKAGE = "pulumi-kubernetes"
#: Whoever deletes one of these deletes what it holds: pods with calls, every object of a kind, the
#: ledger with its disks. No `up` does, even where the configuration is another one by mistake.
KEPT = ("Namespace", "CustomResourceDefinition", "Cluster")
#: Settings of the Kubernetes plugin without which it takes a changed ConfigMap or Secret away
#: before it makes the new one: the files of an SBC, or the address of its database.
IN_PLACE = ("enableConfigMapMutable", "enableSecretMutable")


class KubernetesObject(pulumi.CustomResource):
    """One object, whatever its kind; it is created with exactly what is given."""

    def __init__(self, name: str, body: Mapping[str, Any], options: pulumi.ResourceOptions) -> None:
        versioned = pulumi.ResourceOptions(version=metadata.version(PROVIDER_PACKAGE))
        super().__init__(
            type_token(str(body["apiVersion"]), str(body["kind"])),
            name,
            dict(body),
            pulumi.ResourceOptions.merge(versioned, options),
        )


def type_token(api_version: str, kind: str) -> str:
    """The provider's name for a kind.

    >>> type_token("v1", "Secret"), type_token("apps/v1", "Deployment")
    ('kubernetes:core/v1:Secret', 'kubernetes:apps/v1:Deployment')
    """
    group_version = api_version if "/" in api_version else f"core/{api_version}"
    return f"kubernetes:{group_version}:{kind}"


def resource_name(body: Mapping[str, Any]) -> str:
    """A name that no other object of a stack has."""
    found = body["metadata"]
    parts = (str(body["kind"]).lower(), found.get("namespace"), found["name"])
    return ".".join(part for part in parts if part)


def labelled(name: str, component: str, namespace: str = "") -> Body:
    """Metadata with the labels that every object of a stack carries."""
    found: Body = {"name": name}
    if namespace:
        found["namespace"] = namespace
    found["labels"] = {
        "app.kubernetes.io/name": "callplane",
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "pulumi",
    }
    return found


def namespace(name: str, component: str, *, level: str = "restricted") -> Body:
    """A namespace that admits pods of this security level."""
    body: Body = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": labelled(name, component),
    }
    body["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = level
    return body


class Component(pulumi.ComponentResource):
    """Objects that belong together; what comes first is created first.

    Namespaces and definitions go before the rest; the rest waits for them and for `after`. What
    holds what cannot be made again is protected.
    """

    def __init__(
        self,
        name: str,
        bodies: Iterable[Mapping[str, Any]],
        *,
        after: Sequence[pulumi.Resource] = (),
        options: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(f"callplane:kubernetes:{type(self).__name__}", name, None, options)
        self.made: dict[str, KubernetesObject] = {}
        listed = list(bodies)
        first = [body for body in listed if _is_ground(body)]
        rest = [body for body in listed if not _is_ground(body)]
        ground = [self._make(body, after) for body in first]
        for body in rest:
            self._make(body, [*after, *ground])
        self.register_outputs({"objects": len(self.made)})

    def _make(self, body: Mapping[str, Any], after: Sequence[pulumi.Resource]) -> KubernetesObject:
        name = resource_name(body)
        options = pulumi.ResourceOptions(
            parent=self, depends_on=list(after), protect=body["kind"] in KEPT
        )
        self.made[name] = KubernetesObject(name, body, options)
        return self.made[name]


def _is_ground(body: Mapping[str, Any]) -> bool:
    return body["kind"] in ("Namespace", "CustomResourceDefinition")
