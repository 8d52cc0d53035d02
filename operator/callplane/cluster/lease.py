"""Leader election on a coordination.k8s.io/v1 Lease, and the fence that keeps a late leader from
writing.

The controller runs one `LeaderElector`; the engine asks `may_write` before each write to a
provider.

Two machines' clocks are never compared. A holder counts as alive while its Lease keeps changing, by
the observer's own monotonic clock; its own deadline counts from the moment *before* the renewal was
sent. An observer begins to count after it has seen that renewal, so the deadline of the old holder
always lies before the moment when another may take over. `renewTime` is written for people.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from callplane import errors
from callplane.clock import Clock
from callplane.cluster import api_errors, ports
from callplane.cluster.resource_kinds import LEASES

log = logging.getLogger(__name__)


class LeadershipLost(errors.CallplaneError):
    """We led and do not lead any more: the process must end without another write."""


@dataclass(frozen=True, slots=True)
class LeaseName:
    """Which Lease, and under which identity we hold it.

    `holder` must be unique to this process (host name plus a random part): a Lease that names it is
    taken for our own.
    """

    namespace: str
    name: str
    holder: str


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """How long a Lease counts, how long renewing may fail, and how often we try."""

    duration_seconds: float = 30.0
    renew_deadline_seconds: float = 20.0
    retry_seconds: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.retry_seconds < self.renew_deadline_seconds < self.duration_seconds:
            raise ValueError(
                "lease: needs 0 < retry_seconds < renew_deadline_seconds < duration_seconds, not "
                f"{self.retry_seconds}, {self.renew_deadline_seconds}, {self.duration_seconds}"
            )


@dataclass(frozen=True, slots=True)
class _Observation:
    """Another holder's Lease as we last saw it change, on our own monotonic clock."""

    spec: dict[str, Any]
    since: float


class LeaderElector:
    """Acquires and renews one Lease. Satisfies `ports.WriteFence`."""

    def __init__(
        self,
        objects: ports.ObjectStore,
        *,
        lease: LeaseName,
        clock: Clock,
        settings: LeaseSettings | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.leading = asyncio.Event()
        self._objects = objects
        self._lease = lease
        self._clock = clock
        self._settings = settings or LeaseSettings()
        self._sleep = sleep
        self._body: ports.Body | None = None
        self._observed: _Observation | None = None
        self._renewed_at: float | None = None
        self._over = False
        self._complaint = ""
        self._exchange = asyncio.Lock()

    # --- the fence ---

    def deadline(self) -> float | None:
        """The monotonic moment at which our Lease ends, None while we do not lead."""
        if self._renewed_at is None or self._over:
            return None
        return self._renewed_at + self._settings.duration_seconds

    def may_write(self, write_timeout_seconds: float) -> bool:
        """See `ports.WriteFence.may_write`."""
        deadline = self.deadline()
        return deadline is not None and self._clock.monotonic() + write_timeout_seconds < deadline

    # --- running ---

    async def run(self) -> None:
        """Acquire, then renew until `release`, cancellation or loss.

        Sets `leading` once acquired. Raises LeadershipLost when the Lease is lost. Returns after
        `release`. Cancellation alone releases nothing: call `release` when the last write is done.
        """
        while not self._over and not await self._try_acquire():
            await self._sleep(self._settings.retry_seconds)
        if self._over:
            return
        self.leading.set()
        log.info("Leading: Lease %s/%s is ours", self._lease.namespace, self._lease.name)
        try:
            while not self._over:
                await self._sleep(self._settings.retry_seconds)
                await self._renew()
        except Exception:
            self._stop_leading()
            raise

    async def release(self) -> None:
        """Give the Lease up so that a standby takes over at once. Call it after the last write.

        `may_write` is false from the first moment. A failure is logged only: the Lease runs out.
        """
        self._stop_leading()
        try:
            async with self._exchange, asyncio.timeout(self._settings.retry_seconds * 2):
                # A renewal may have been cancelled after it was sent, so what we remember counts
                # for nothing here.
                body = await self._read()
                if _holder(body) != self._lease.holder:
                    return
                spec = {**body["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
                await self._replace(body, spec)
        except api_errors.NotFound:
            return
        except (api_errors.ClusterError, TimeoutError) as error:
            log.warning("The Lease was not released and will run out: %r", error)

    def _stop_leading(self) -> None:
        self._over = True
        self.leading.clear()

    # --- acquiring ---

    async def _try_acquire(self) -> bool:
        """One attempt. An error of the API means "not yet": a standby has all the time it needs."""
        try:
            async with self._exchange, asyncio.timeout(self._settings.renew_deadline_seconds):
                return not self._over and await self._acquire_once()
        except (api_errors.ClusterError, TimeoutError) as error:
            complaint = repr(error)
            if complaint != self._complaint:
                log.warning("The Lease could not be taken, trying on: %s", complaint)
            self._complaint = complaint
            return False

    async def _acquire_once(self) -> bool:
        try:
            body = await self._read()
        except api_errors.NotFound:
            return await self._take(None)
        spec: dict[str, Any] = body.get("spec") or {}
        # The answer's arrival, not the request's start: the old holder's deadline lies before it.
        now = self._clock.monotonic()
        if self._observed is None or self._observed.spec != spec:
            self._observed = _Observation(spec, now)
        holder = _holder(body)
        if holder in {"", self._lease.holder}:
            return await self._take(body)
        # The holder may have been started with a longer duration than ours.
        stated = float(spec.get("leaseDurationSeconds") or 0)
        patience = max(stated, self._settings.duration_seconds)
        if now - self._observed.since < patience:
            return False
        log.warning("The Lease of %s has not changed for %.0f s: taking it", holder, patience)
        return await self._take(body)

    async def _take(self, body: ports.Body | None) -> bool:
        sent_at = self._clock.monotonic()
        previous: dict[str, Any] = (body or {}).get("spec") or {}
        transitions = int(previous.get("leaseTransitions") or 0)
        if body is not None and _holder(body) != self._lease.holder:
            transitions += 1
        spec = self._spec(acquire_time=self._micro_time(), transitions=transitions)
        try:
            if body is None:
                metadata = {"namespace": self._lease.namespace, "name": self._lease.name}
                new = {**_TYPE, "metadata": metadata, "spec": spec}
                self._body = await self._objects.create(LEASES, body=new)
            else:
                self._body = await self._replace(body, spec)
        except api_errors.Conflict:
            return False
        self._renewed_at = sent_at
        # An answer that took longer than the Lease lasts is no leadership.
        return self.may_write(0)

    # --- renewing ---

    async def _renew(self) -> None:
        """One attempt to renew. Returns also when it failed and there is time for another."""
        if self._over:
            return
        assert self._renewed_at is not None
        limit = self._settings.renew_deadline_seconds
        left = self._renewed_at + limit - self._clock.monotonic()
        if left <= 0:
            raise LeadershipLost(f"the Lease was not renewed for {limit:.0f} s")
        try:
            async with self._exchange, asyncio.timeout(left):
                if not self._over:
                    await self._renew_once()
        except api_errors.NotFound:
            raise LeadershipLost("the Lease was deleted") from None
        except (api_errors.ClusterError, TimeoutError) as error:
            log.warning("The Lease was not renewed, trying again: %r", error)

    async def _renew_once(self) -> None:
        assert self._body is not None
        spec = self._body["spec"]
        sent_at = self._clock.monotonic()
        renewed = self._spec(
            acquire_time=spec["acquireTime"], transitions=int(spec["leaseTransitions"])
        )
        try:
            self._body = await self._replace(self._body, renewed)
        except api_errors.Conflict:
            # An answer of ours was lost, or somebody wrote a label, or the Lease is taken.
            body = await self._read()
            if _holder(body) != self._lease.holder:
                raise LeadershipLost(f"the Lease is held by {_holder(body) or 'nobody'}") from None
            self._body = body
        else:
            self._renewed_at = sent_at

    # --- bodies ---

    async def _read(self) -> ports.Body:
        return await self._objects.get(
            LEASES, namespace=self._lease.namespace, name=self._lease.name
        )

    async def _replace(self, body: ports.Body, spec: dict[str, Any]) -> ports.Body:
        """Write the spec under the lock of the resourceVersion in `body`."""
        return await self._objects.replace(LEASES, body={**body, **_TYPE, "spec": spec})

    def _spec(self, *, acquire_time: str, transitions: int) -> dict[str, Any]:
        return {
            "holderIdentity": self._lease.holder,
            "leaseDurationSeconds": math.ceil(self._settings.duration_seconds),
            "acquireTime": acquire_time,
            "renewTime": self._micro_time(),
            "leaseTransitions": transitions,
        }

    def _micro_time(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_TYPE = {"apiVersion": LEASES.api_version, "kind": "Lease"}


def _holder(body: ports.Body) -> str:
    return str((body.get("spec") or {}).get("holderIdentity") or "")
