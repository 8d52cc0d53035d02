"""The Kubernetes API over HTTP: one aiohttp session, plain dicts in and out.

Made by `wiring` for the operator and the command line; everyone else sees `ports.ObjectStore`.
Reads are retried a few times on 429, 5xx and lost connections. Writes are retried only when the
server said 429, which means that it did nothing: every other failure goes to the caller, who knows
what a second try would mean. (aiohttp itself sends a PUT or DELETE once more when a connection that
was kept open turns out to be closed. Ours carry a resourceVersion or a UID, so the second one is
refused if the first arrived.)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

import callplane
from callplane.cluster import api_errors, ports
from callplane.cluster.credentials import ClusterConnection
from callplane.cluster.resource_kinds import ResourceKind

CONNECTION_LIMIT = 200
LIST_RESTARTS = 3
_JSON = "application/json"
_PATCH_TYPES = {
    "json_patch": "application/json-patch+json",
    "merge_patch": "application/merge-patch+json",
    # JSON is YAML: the API server takes either under this name.
    "apply": "application/apply-patch+yaml",
}
# Made once: `json.dumps` makes an encoder for every call that is not plain.
_encode = json.JSONEncoder(separators=(",", ":")).encode
Body = ports.Body


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Time-outs by phase and how patient reads are."""

    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 20.0
    list_timeout_seconds: float = 60.0
    write_timeout_seconds: float = 10.0
    attempts: int = 4
    backoff_seconds: float = 0.25
    retry_after_limit_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class FinishedRequest:
    """One request for metrics. `status` is 0 where no answer came; retries count one by one."""

    verb: str
    resource: str
    status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Request:
    verb: str
    method: str
    path: str
    resource: str
    query: Mapping[str, str]
    timeout_seconds: float
    body: Any = None
    content_type: str = _JSON

    @property
    def is_read(self) -> bool:
        return self.method == "GET"

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class KubernetesClient:
    """`ports.ObjectStore` over a real API server; an asynchronous context manager."""

    def __init__(
        self,
        connection: ClusterConnection,
        *,
        settings: ClientSettings | None = None,
        field_manager: str = ports.FIELD_MANAGER,
        on_request: Callable[[FinishedRequest], None] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._connection = connection
        self._settings = settings or ClientSettings()
        self._field_manager = field_manager
        self._on_request = on_request
        self._sleep = sleep
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; the client can be used again afterwards."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- ports.ObjectReader ---

    async def get(self, kind: ResourceKind, *, name: str, namespace: str | None = None) -> Body:
        """See `ports.ObjectReader.get`."""
        path = kind.path(namespace=namespace, name=name)
        return await self._read("get", path, kind, self._settings.read_timeout_seconds)

    async def list_pages(
        self,
        kind: ResourceKind,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        limit: int = 500,
    ) -> AsyncIterator[ports.Page]:
        """See `ports.ObjectReader.list_pages`. Gone after three restarts in one listing."""
        path = kind.path(namespace=namespace)
        query = {"limit": str(limit)}
        if label_selector:
            query["labelSelector"] = label_selector
        token, restarts, starts_over = "", 0, False
        while True:
            asked = {**query, "continue": token} if token else query
            try:
                body = await self._read(
                    "list", path, kind, self._settings.list_timeout_seconds, query=asked
                )
            except api_errors.Gone:
                if not token or restarts == LIST_RESTARTS:
                    raise
                token, restarts, starts_over = "", restarts + 1, True
                continue
            metadata = body["metadata"]
            yield ports.Page(_items(body), metadata["resourceVersion"], starts_over)
            token, starts_over = metadata.get("continue") or "", False
            if not token:
                return

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
        resource_version = ""
        async for page in self.list_pages(
            kind, namespace=namespace, label_selector=label_selector, limit=limit
        ):
            items = page.items if page.starts_over else items + page.items
            resource_version = page.resource_version
        return ports.Listing(items, resource_version)

    async def api_resources(self, *, group: str, version: str) -> list[ports.ApiResource]:
        """See `ports.ObjectReader.api_resources`."""
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        request = _Request(
            "get", "GET", path, "apiresources", {}, self._settings.read_timeout_seconds
        )
        try:
            body = await self._send(request)
        except api_errors.NotFound:
            return []
        return _discovered(body)

    # --- ports.ObjectWriter ---

    async def create(self, kind: ResourceKind, *, body: Body) -> Body:
        """See `ports.ObjectWriter.create`."""
        path = kind.path(namespace=body["metadata"].get("namespace"))
        return await self._write("create", "POST", path, kind, body)

    async def replace(
        self, kind: ResourceKind, *, body: Body, subresource: str | None = None
    ) -> Body:
        """See `ports.ObjectWriter.replace`."""
        path = _path_of(kind, body, subresource)
        return await self._write("replace", "PUT", path, kind, body)

    async def delete(
        self,
        kind: ResourceKind,
        *,
        name: str,
        namespace: str | None = None,
        uid: str | None = None,
    ) -> Body:
        """See `ports.ObjectWriter.delete`."""
        options: Body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
        }
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        path = kind.path(namespace=namespace, name=name)
        return await self._write("delete", "DELETE", path, kind, options)

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
        path = kind.path(namespace=namespace, name=name, subresource=subresource)
        return await self._patch("json_patch", path, kind, list(operations))

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
        path = kind.path(namespace=namespace, name=name, subresource=subresource)
        return await self._patch("merge_patch", path, kind, patch)

    async def apply(
        self,
        kind: ResourceKind,
        *,
        body: Body,
        force: bool = True,
        subresource: str | None = None,
    ) -> Body:
        """See `ports.ObjectWriter.apply`; without `force`, Conflict where another manager owns."""
        path = _path_of(kind, body, subresource)
        query = {"force": "true"} if force else {}
        return await self._patch("apply", path, kind, body, query=query)

    # --- one request ---

    async def _read(
        self,
        verb: str,
        path: str,
        kind: ResourceKind,
        timeout_seconds: float,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Body:
        request = _Request(verb, "GET", path, str(kind), query or {}, timeout_seconds)
        return await self._send(request)

    async def _write(
        self, verb: str, method: str, path: str, kind: ResourceKind, body: Any
    ) -> Body:
        query = {} if method == "DELETE" else {"fieldManager": self._field_manager}
        timeout = self._settings.write_timeout_seconds
        return await self._send(_Request(verb, method, path, str(kind), query, timeout, body))

    async def _patch(
        self,
        verb: str,
        path: str,
        kind: ResourceKind,
        body: Any,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Body:
        asked = {"fieldManager": self._field_manager, **(query or {})}
        timeout = self._settings.write_timeout_seconds
        media = _PATCH_TYPES[verb]
        return await self._send(
            _Request(verb, "PATCH", path, str(kind), asked, timeout, body, media)
        )

    async def _send(self, request: _Request) -> Body:
        """Send with the retries that the module's docstring promises."""
        refused = False
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._exchange(request)
            except api_errors.Unauthorized:
                # A 401 did nothing, and a rotated token may be there by now.
                if refused:
                    raise
                refused = True
                self._connection.tokens.refused()
                continue
            except api_errors.Throttled as error:
                wait = error.retry_after_seconds
                if attempt >= self._settings.attempts:
                    raise
                if wait > self._settings.retry_after_limit_seconds:
                    raise
            except api_errors.Unavailable:
                if not request.is_read or attempt >= self._settings.attempts:
                    raise
                wait = self._settings.backoff_seconds * 2 ** (attempt - 1)
            await self._sleep(wait)

    async def _exchange(self, request: _Request) -> Body:
        """One attempt: send, read, decode, and turn every failure into a type of ours."""
        authorization = await self._connection.tokens.authorization()
        headers = {"Accept": _JSON}
        if authorization:
            headers["Authorization"] = authorization
        data = None
        if request.body is not None:
            headers["Content-Type"] = request.content_type
            data = _encode(request.body).encode()
        loop = asyncio.get_running_loop()
        started = loop.time()
        status = 0
        try:
            async with self._opened().request(
                request.method,
                self._connection.server + request.path,
                params=request.query,
                data=data,
                headers=headers,
                timeout=self._timeout(request),
                allow_redirects=False,
                server_hostname=self._connection.tls_server_name,
            ) as response:
                content = await response.read()
                status = response.status
                retry_after = response.headers.get("Retry-After")
        except (aiohttp.ClientError, OSError) as error:
            # The text of a client error may hold the whole address; its type says enough.
            raise api_errors.Unavailable(
                f"{request} got no answer ({type(error).__name__})"
            ) from error
        finally:
            if self._on_request is not None:
                seconds = loop.time() - started
                self._on_request(FinishedRequest(request.verb, request.resource, status, seconds))
        body = _decoded(content)
        if status >= 300:
            raise api_errors.from_status(
                status, body, request=str(request), retry_after=retry_after
            )
        if not isinstance(body, dict):
            raise api_errors.Unavailable(f"{request} answered {status} without a JSON object")
        return body

    def _timeout(self, request: _Request) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(
            total=request.timeout_seconds, sock_connect=self._settings.connect_timeout_seconds
        )

    def _opened(self) -> aiohttp.ClientSession:
        """The session, made at first use because it belongs to the running event loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=CONNECTION_LIMIT, ssl=self._connection.tls or True
                ),
                headers={"User-Agent": f"callplane/{callplane.__version__}"},
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session


def _path_of(kind: ResourceKind, body: Body, subresource: str | None) -> str:
    metadata = body["metadata"]
    return kind.path(
        namespace=metadata.get("namespace"), name=metadata["name"], subresource=subresource
    )


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _items(listing: Body) -> list[Body]:
    """The objects of a list, each with the type that lists of built-in kinds leave out."""
    item_kind = str(listing.get("kind") or "").removesuffix("List")
    api_version = listing.get("apiVersion")
    items: list[Body] = listing.get("items") or []
    for item in items:
        item.setdefault("apiVersion", api_version)
        item.setdefault("kind", item_kind)
    return items


def _discovered(body: Body) -> list[ports.ApiResource]:
    """Discovery's flat list (`users`, `users/status`) as one line a kind."""
    subresources: dict[str, set[str]] = {}
    kinds: list[Body] = []
    for line in body.get("resources") or []:
        plural, slash, subresource = str(line["name"]).partition("/")
        if slash:
            subresources.setdefault(plural, set()).add(subresource)
        else:
            kinds.append(line)
    return [
        ports.ApiResource(
            plural=line["name"],
            kind=line["kind"],
            namespaced=bool(line["namespaced"]),
            subresources=frozenset(subresources.get(line["name"], ())),
        )
        for line in kinds
    ]
