"""A Kubernetes cluster in memory with the surface of `cluster.client.KubernetesClient`.

Tests of the engine run whole passes against it without a server:

    cluster = FakeCluster()
    cluster.seed(namespace("team-a"), teams_user("team-a", "ann"))   # as a user would apply them
    await engine_part(objects=cluster)
    assert cluster.writes == []                                      # what the operator wrote

`seed` and `as_manager` act as somebody else and are not recorded here. The tests in
`tests/unit/cluster/test_object_store_contract.py` hold for this fake and for a real API server
alike.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from callplane.clock import Clock
from callplane.cluster import api_errors, ports
from callplane.cluster.resource_kinds import ResourceKind
from callplane.testing.cluster_state import ClusterState, Listener

Body = dict[str, Any]
WRITE_VERBS = frozenset({"create", "replace", "delete", "json_patch", "merge_patch", "apply"})


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request as it arrived. `changed` is true when it made a new resourceVersion."""

    verb: str
    kind: ResourceKind
    namespace: str | None
    name: str | None
    subresource: str | None = None
    sent: Any = None
    changed: bool = False


@dataclass(slots=True)
class Fault:
    """An answer to give instead of the right one, `times` times.

    `after` carries the request out first and then loses its answer.
    """

    error: Exception
    verb: str | None = None
    kind: ResourceKind | None = None
    times: int = 1
    after: bool = False

    def fits(self, request: RecordedRequest) -> bool:
        """Whether this request is to suffer."""
        return (
            self.times > 0
            and self.verb in (None, request.verb)
            and self.kind in (None, request.kind)
        )


class FakeCluster:
    """One client's view of a `ClusterState`; satisfies `ports.ObjectStore`."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        state: ClusterState | None = None,
        manager: str = ports.FIELD_MANAGER,
    ) -> None:
        self.state = state or ClusterState(clock=clock)
        self.requests: list[RecordedRequest] = []
        self.faults: list[Fault] = []
        self.pages_expire_after: int | None = None
        self._manager = manager

    # --- for tests ---

    @property
    def writes(self) -> list[RecordedRequest]:
        """Requests that could have changed something, in order."""
        return [request for request in self.requests if request.verb in WRITE_VERBS]

    def as_manager(self, manager: str) -> FakeCluster:
        """Another client of the same cluster, with a record of its own."""
        return FakeCluster(state=self.state, manager=manager)

    def seed(self, *bodies: Body) -> list[Body]:
        """Create objects as a user would; a status in a body is written as well."""
        created = []
        for body in bodies:
            kind = self.state.kinds[body["kind"]]
            stored = self.state.create(kind, body)
            if "status" in body and kind.group:
                stored["status"] = copy.deepcopy(body["status"])
                stored = self.state.update(kind, body=stored, subresource="status")
            created.append(stored)
        return created

    def subscribe(self, listener: Listener) -> None:
        """Call `listener(event, kind, body)` at every change, as a watch would, without delay."""
        self.state.listeners.append(listener)

    # --- ports.ObjectReader ---

    async def get(self, kind: ResourceKind, *, name: str, namespace: str | None = None) -> Body:
        """See `ports.ObjectReader.get`."""
        request = RecordedRequest("get", kind, namespace, name)
        fault = await self._arrive(request)
        self.requests.append(request)
        _suffer(fault)
        return self.state.get(kind, name=name, namespace=namespace)

    async def list_pages(
        self,
        kind: ResourceKind,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        limit: int = 500,
    ) -> AsyncIterator[ports.Page]:
        """See `ports.ObjectReader.list_pages`.

        `pages_expire_after = n` lets the continue token of one listing expire after n pages.
        """
        starts_over = False
        while True:
            items = self.state.list_objects(kind, namespace=namespace)
            items = [item for item in items if _selected(item, label_selector)]
            revision, expired = self.state.revision, False
            for number, start in enumerate(range(0, max(len(items), 1), limit)):
                request = RecordedRequest("list", kind, namespace, None)
                fault = await self._arrive(request)
                self.requests.append(request)
                _suffer(fault)
                if number == self.pages_expire_after:
                    self.pages_expire_after = None
                    expired = True
                    break
                yield ports.Page(items[start : start + limit], revision, starts_over)
                starts_over = False
            if not expired:
                return
            starts_over = True

    async def list_all(
        self,
        kind: ResourceKind,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        limit: int = 500,
    ) -> ports.Listing:
        """See `ports.ObjectReader.list_all`."""
        items: list[Body] = []
        revision = ""
        async for page in self.list_pages(
            kind, namespace=namespace, label_selector=label_selector, limit=limit
        ):
            items = page.items if page.starts_over else items + page.items
            revision = page.resource_version
        return ports.Listing(items, revision)

    async def api_resources(self, *, group: str, version: str) -> list[ports.ApiResource]:
        """See `ports.ObjectReader`; a kind taken out of `state.kinds` is not served."""
        await asyncio.sleep(0)
        return [
            ports.ApiResource(kind.plural, name, kind.namespaced, frozenset({"status"}))
            for name, kind in sorted(self.state.kinds.items())
            if (kind.group, kind.version) == (group, version)
        ]

    # --- ports.ObjectWriter ---

    async def create(self, kind: ResourceKind, *, body: Body) -> Body:
        """See `ports.ObjectWriter.create`."""
        request = _request_of("create", kind, body)
        fault = await self._arrive(request)
        return self._carry_out(request, fault, lambda: self.state.create(kind, body))

    async def replace(
        self, kind: ResourceKind, *, body: Body, subresource: str | None = None
    ) -> Body:
        """See `ports.ObjectWriter.replace`."""
        request = _request_of("replace", kind, body, subresource)
        fault = await self._arrive(request)
        return self._carry_out(
            request,
            fault,
            lambda: self.state.replace(kind, body=body, subresource=subresource),
        )

    async def delete(
        self,
        kind: ResourceKind,
        *,
        name: str,
        namespace: str | None = None,
        uid: str | None = None,
    ) -> Body:
        """See `ports.ObjectWriter.delete`."""
        request = RecordedRequest("delete", kind, namespace, name, sent={"uid": uid})
        fault = await self._arrive(request)
        return self._carry_out(
            request,
            fault,
            lambda: self.state.delete(kind, name=name, namespace=namespace, uid=uid),
        )

    async def json_patch(
        self,
        kind: ResourceKind,
        *,
        name: str,
        namespace: str | None = None,
        operations: ports.JsonPatch,
        subresource: str | None = None,
    ) -> Body:
        """See `ports.ObjectWriter.json_patch`."""
        sent = copy.deepcopy(list(operations))
        request = RecordedRequest("json_patch", kind, namespace, name, subresource, sent)
        fault = await self._arrive(request)
        return self._carry_out(
            request,
            fault,
            lambda: self.state.json_patch(
                kind, name=name, namespace=namespace, operations=sent, subresource=subresource
            ),
        )

    async def merge_patch(
        self,
        kind: ResourceKind,
        *,
        name: str,
        namespace: str | None = None,
        patch: Body,
        subresource: str | None = None,
    ) -> Body:
        """See `ports.ObjectWriter.merge_patch`."""
        sent = copy.deepcopy(patch)
        request = RecordedRequest("merge_patch", kind, namespace, name, subresource, sent)
        fault = await self._arrive(request)
        return self._carry_out(
            request,
            fault,
            lambda: self.state.merge_patch(
                kind, name=name, namespace=namespace, patch=sent, subresource=subresource
            ),
        )

    async def apply(
        self,
        kind: ResourceKind,
        *,
        body: Body,
        force: bool = True,
        subresource: str | None = None,
    ) -> Body:
        """See `ports.ObjectWriter.apply`; conflicts between managers are not modelled."""
        request = _request_of("apply", kind, body, subresource)
        fault = await self._arrive(request)
        return self._carry_out(
            request,
            fault,
            lambda: self.state.apply(
                kind, body=body, manager=self._manager, subresource=subresource
            ),
        )

    # --- inside ---

    async def _arrive(self, request: RecordedRequest) -> Fault | None:
        """Let other tasks run as a network would, then find what is to go wrong."""
        await asyncio.sleep(0)
        for fault in self.faults:
            if fault.fits(request):
                fault.times -= 1
                return fault
        return None

    def _carry_out(self, request: RecordedRequest, fault: Fault | None, action: Any) -> Body:
        before = self.state.revision
        changed = False
        try:
            if fault is not None and not fault.after:
                raise fault.error
            result: Body = action()
            changed = self.state.revision != before
        finally:
            self.requests.append(
                RecordedRequest(
                    request.verb,
                    request.kind,
                    request.namespace,
                    request.name,
                    request.subresource,
                    request.sent,
                    changed,
                )
            )
        _suffer(fault)
        return result


def _suffer(fault: Fault | None) -> None:
    if fault is not None:
        raise fault.error


def _request_of(
    verb: str, kind: ResourceKind, body: Body, subresource: str | None = None
) -> RecordedRequest:
    metadata = body.get("metadata", {})
    return RecordedRequest(
        verb,
        kind,
        metadata.get("namespace"),
        metadata.get("name"),
        subresource,
        copy.deepcopy(body),
    )


def _selected(body: Body, selector: str | None) -> bool:
    """Equality selectors only: `a=b,c`."""
    if not selector:
        return True
    labels = body["metadata"].get("labels", {})
    for term in selector.split(","):
        key, equals, value = term.partition("=")
        if any(sign in term for sign in "!()"):
            raise api_errors.BadRequest(f"this fake knows equality selectors only: {term!r}")
        if key not in labels or (equals and labels[key] != value.lstrip("=")):
            return False
    return True
