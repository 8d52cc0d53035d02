"""Names of Kubernetes resources as values: what the client needs to build a path.

Callers pass one of the constants below, or make one with `callplane_kind`.
"""

from __future__ import annotations

from dataclasses import dataclass

CALLPLANE_GROUP = "callplane.dev"
CALLPLANE_VERSION = "v1alpha1"


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """One kind of object by its place in the API, not by its Go or Python type."""

    group: str
    version: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What an object's `apiVersion` says."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(
        self,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> str:
        """The path of a collection, an object or its subresource.

        A namespaced kind without a namespace is the collection of all namespaces.
        """
        if namespace is not None and not self.namespaced:
            raise ValueError(
                f"{self.plural} are not namespaced, but namespace {namespace!r} is given"
            )
        if name is not None and namespace is None and self.namespaced:
            raise ValueError(
                f"{self.plural} are namespaced, but {name!r} is named without a namespace"
            )
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root]
        if namespace is not None:
            parts.append(f"namespaces/{_segment(namespace)}")
        parts.append(self.plural)
        if name is not None:
            parts.append(_segment(name))
        if subresource is not None:
            parts.append(subresource)
        return "/".join(parts)

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _segment(text: str) -> str:
    """A name as a path segment; a name that could leave its segment is refused."""
    if not text or text in {".", ".."} or any(sign in text for sign in "/%?#\\"):
        raise ValueError(f"not the name of a Kubernetes object: {text!r}")
    return text


def callplane_kind(plural: str) -> ResourceKind:
    """A kind of our own group."""
    return ResourceKind(CALLPLANE_GROUP, CALLPLANE_VERSION, plural)


NAMESPACES = ResourceKind("", "v1", "namespaces", namespaced=False)
SECRETS = ResourceKind("", "v1", "secrets")
LEASES = ResourceKind("coordination.k8s.io", "v1", "leases")
EVENTS = ResourceKind("events.k8s.io", "v1", "events")
TOKEN_REVIEWS = ResourceKind("authentication.k8s.io", "v1", "tokenreviews", namespaced=False)
ACCESS_REVIEWS = ResourceKind(
    "authorization.k8s.io", "v1", "subjectaccessreviews", namespaced=False
)
CUSTOM_RESOURCE_DEFINITIONS = ResourceKind(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False
)
