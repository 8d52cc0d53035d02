"""Leader election under virtual time: who leads, when, and what a late leader may still do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from callplane.cluster import api_errors, ports
from callplane.cluster.lease import LeaderElector, LeadershipLost, LeaseName, LeaseSettings
from callplane.cluster.resource_kinds import LEASES, ResourceKind
from callplane.testing.fake_cluster import FakeCluster, Fault

pytestmark = pytest.mark.looptime

WRITE_TIMEOUT_SECONDS = 8.0


class LoopClock:
    """Virtual time of the event loop; `jump` is what a stopped process finds when it goes on."""

    def __init__(self, *, wall_offset: timedelta = timedelta()) -> None:
        self._jumped = 0.0
        self._wall = datetime(2026, 1, 1, tzinfo=UTC) + wall_offset

    def jump(self, seconds: float) -> None:
        self._jumped += seconds

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self._jumped

    def now(self) -> datetime:
        return self._wall + timedelta(seconds=self.monotonic())


class InterruptedCluster(FakeCluster):
    """Calls `interrupt` after a replace was carried out and before its answer is read."""

    interrupt: Callable[[], None] = staticmethod(lambda: None)

    async def replace(
        self, kind: ResourceKind, *, body: ports.Body, subresource: str | None = None
    ) -> ports.Body:
        answer = await super().replace(kind, body=body, subresource=subresource)
        self.interrupt()
        return answer


def elector(
    cluster: FakeCluster,
    holder: str,
    *,
    clock: LoopClock | None = None,
    settings: LeaseSettings | None = None,
) -> LeaderElector:
    return LeaderElector(
        cluster,
        lease=LeaseName("kube-system", "callplane", holder),
        clock=clock or LoopClock(),
        settings=settings,
    )


@asynccontextmanager
async def running(candidate: LeaderElector) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(candidate.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, LeadershipLost):
            await task


async def led(candidate: LeaderElector) -> None:
    """Wait, in virtual time, until the candidate leads."""
    async with asyncio.timeout(600):
        await candidate.leading.wait()


async def lease_of(cluster: FakeCluster) -> ports.Body:
    return await cluster.as_manager("test").get(LEASES, namespace="kube-system", name="callplane")


async def test_the_first_comer_creates_the_lease_and_leads() -> None:
    cluster = FakeCluster()
    one = elector(cluster, "one")
    assert not one.may_write(0)
    async with running(one):
        await led(one)
        spec = (await lease_of(cluster))["spec"]
        assert spec["holderIdentity"] == "one"
        assert spec["leaseDurationSeconds"] == 30
        assert spec["leaseTransitions"] == 0
        assert spec["acquireTime"] == spec["renewTime"] == "2026-01-01T00:00:00.000000Z"
        assert one.deadline() == 30.0


async def test_renewing_moves_the_deadline_and_keeps_the_acquire_time() -> None:
    cluster = FakeCluster()
    one = elector(cluster, "one")
    async with running(one):
        await asyncio.sleep(11)
        assert one.deadline() == 40.0
        spec = (await lease_of(cluster))["spec"]
        assert spec["acquireTime"] == "2026-01-01T00:00:00.000000Z"
        assert spec["renewTime"] == "2026-01-01T00:00:10.000000Z"
        assert spec["leaseTransitions"] == 0


async def test_a_standby_waits_for_as_long_as_the_leader_renews() -> None:
    cluster = FakeCluster()
    one, two = elector(cluster, "one"), elector(cluster.as_manager("two"), "two")
    async with running(one), running(two):
        await asyncio.sleep(300)
        assert one.leading.is_set()
        assert not two.leading.is_set()


@pytest.mark.parametrize("hours", [-5, 0, 5])
async def test_a_dead_leader_is_replaced_whatever_the_wall_clocks_say(hours: int) -> None:
    cluster = FakeCluster()
    one = elector(cluster, "one")
    other_machine = LoopClock(wall_offset=timedelta(hours=hours))
    two = elector(cluster.as_manager("two"), "two", clock=other_machine)
    async with running(one) as leader:
        await led(one)
        async with running(two):
            await asyncio.sleep(21)
            leader.cancel()
            last_deadline = one.deadline()
            assert last_deadline is not None
            await led(two)
            now = asyncio.get_running_loop().time()
            assert last_deadline <= now <= last_deadline + 2 * LeaseSettings().retry_seconds
            assert (await lease_of(cluster))["spec"]["leaseTransitions"] == 1


async def test_a_longer_duration_of_the_holder_is_respected() -> None:
    cluster = FakeCluster()
    patient = LeaseSettings(duration_seconds=90, renew_deadline_seconds=60, retry_seconds=2)
    one = elector(cluster, "one", settings=patient)
    two = elector(cluster.as_manager("two"), "two")
    async with running(one):
        await led(one)
    async with running(two):
        await led(two)
        assert asyncio.get_running_loop().time() >= 90


async def test_the_deadline_counts_from_before_the_request_was_sent() -> None:
    cluster = InterruptedCluster()
    clock = LoopClock()
    one = elector(cluster, "one", clock=clock)
    async with running(one):
        await led(one)
        cluster.interrupt = lambda: clock.jump(5)
        await asyncio.sleep(2.5)
        cluster.interrupt = lambda: None
        assert clock.monotonic() == 7.5
        assert one.deadline() == 32.0


async def test_a_paused_leader_may_not_write_when_it_goes_on() -> None:
    cluster = FakeCluster()
    clock = LoopClock()
    one = elector(cluster, "one", clock=clock)
    async with running(one) as task:
        await asyncio.sleep(3)
        assert one.may_write(WRITE_TIMEOUT_SECONDS)
        clock.jump(31)
        assert not one.may_write(0)
        with pytest.raises(LeadershipLost, match="not renewed"):
            await task
        assert not one.leading.is_set()
        assert not one.may_write(0)
        assert one.deadline() is None


async def test_a_leader_paused_inside_a_renewal_may_not_write_when_it_goes_on() -> None:
    cluster = InterruptedCluster()
    clock = LoopClock()
    one = elector(cluster, "one", clock=clock)
    async with running(one) as task:
        await led(one)
        cluster.interrupt = lambda: clock.jump(31)
        await asyncio.sleep(2)
        await asyncio.sleep(0.1)
        assert not one.may_write(0)
        with pytest.raises(LeadershipLost):
            await task


async def test_an_answer_slower_than_the_lease_is_no_leadership() -> None:
    cluster = InterruptedCluster()
    cluster.seed(
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"namespace": "kube-system", "name": "callplane"},
            "spec": {"holderIdentity": "", "leaseTransitions": 4},
        }
    )
    clock = LoopClock()
    one = elector(cluster, "one", clock=clock)
    cluster.interrupt = lambda: clock.jump(31)
    async with running(one):
        await asyncio.sleep(1)
        assert not one.leading.is_set()
        assert not one.may_write(0)
        cluster.interrupt = lambda: None
        await led(one)
        # Taken once: the second take found our own name.
        assert (await lease_of(cluster))["spec"]["leaseTransitions"] == 5


async def test_the_write_timeout_must_fit_before_the_deadline() -> None:
    cluster = FakeCluster()
    clock = LoopClock()
    one = elector(cluster, "one", clock=clock)
    async with running(one):
        await led(one)
        clock.jump(21.9)
        assert one.may_write(WRITE_TIMEOUT_SECONDS)
        clock.jump(0.1)
        assert not one.may_write(WRITE_TIMEOUT_SECONDS)


async def test_the_old_leaders_last_write_ends_before_the_new_one_leads() -> None:
    cluster = FakeCluster()
    clock = LoopClock()
    one = elector(cluster, "one", clock=clock)
    two = elector(cluster.as_manager("two"), "two")
    last_write_may_end = 0.0
    async with running(one) as leader:
        await led(one)
        async with running(two):
            await asyncio.sleep(7)
            leader.cancel()
            while not two.leading.is_set():
                if one.may_write(WRITE_TIMEOUT_SECONDS):
                    last_write_may_end = clock.monotonic() + WRITE_TIMEOUT_SECONDS
                await asyncio.sleep(0.25)
            assert 7 < last_write_may_end < clock.monotonic() < 60


async def test_a_failing_server_costs_the_lease_after_the_renew_deadline() -> None:
    cluster = FakeCluster()
    one = elector(cluster, "one")
    async with running(one) as task:
        await asyncio.sleep(3)
        cluster.faults.append(
            Fault(api_errors.Unavailable("down"), verb="replace", kind=LEASES, times=1000)
        )
        with pytest.raises(LeadershipLost, match="not renewed for 20 s"):
            await task
        # The last renewal was sent at 2 s.
        assert asyncio.get_running_loop().time() == pytest.approx(22, abs=0.1)


async def test_a_short_outage_costs_nothing() -> None:
    cluster = FakeCluster()
    one = elector(cluster, "one")
    async with running(one):
        await led(one)
        fault = Fault(api_errors.Unavailable("down"), verb="replace", kind=LEASES, times=5)
        cluster.faults.append(fault)
        await asyncio.sleep(13)
        assert one.leading.is_set()
        assert one.deadline() == 42.0


async def test_a_lost_answer_to_a_renewal_is_no_loss_and_no_gain() -> None:
    cluster = FakeCluster()
    one = elector(cluster, "one")
    async with running(one):
        await led(one)
        cluster.faults.append(
            Fault(api_errors.Unavailable("lost"), verb="replace", kind=LEASES, after=True)
        )
        await asyncio.sleep(2.5)
        assert one.deadline() == 30.0
        await asyncio.sleep(4)
        assert one.leading.is_set()
        assert one.deadline() == 36.0


async def test_a_lease_taken_by_another_is_a_loss() -> None:
    cluster = FakeCluster()
    one = elector(cluster, "one")
    async with running(one) as task:
        await led(one)
        body = await lease_of(cluster)
        body["spec"]["holderIdentity"] = "thief"
        await cluster.as_manager("test").replace(LEASES, body=body)
        with pytest.raises(LeadershipLost, match="held by thief"):
            await task
        assert not one.may_write(0)


async def test_a_deleted_lease_is_a_loss() -> None:
    cluster = FakeCluster()
    one = elector(cluster, "one")
    async with running(one) as task:
        await led(one)
        await cluster.as_manager("test").delete(LEASES, namespace="kube-system", name="callplane")
        with pytest.raises(LeadershipLost, match="deleted"):
            await task


async def test_a_label_on_the_lease_is_no_loss() -> None:
    cluster = FakeCluster()
    one = elector(cluster, "one")
    async with running(one):
        await led(one)
        await cluster.as_manager("test").merge_patch(
            LEASES,
            namespace="kube-system",
            name="callplane",
            patch={"metadata": {"labels": {"seen": "yes"}}},
        )
        await asyncio.sleep(5)
        assert one.leading.is_set()
        assert one.deadline() == 34.0
        assert (await lease_of(cluster))["metadata"]["labels"] == {"seen": "yes"}


async def test_a_clean_release_lets_the_standby_in_at_once() -> None:
    cluster = FakeCluster()
    one, two = elector(cluster, "one"), elector(cluster.as_manager("two"), "two")
    async with running(one) as task, running(two):
        await asyncio.sleep(5)
        await one.release()
        assert not one.may_write(0)
        await led(two)
        assert asyncio.get_running_loop().time() <= 5 + LeaseSettings().retry_seconds
        await task
        spec = (await lease_of(cluster))["spec"]
        assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("two", 1)


async def test_release_after_a_cancelled_renewal_still_frees_the_lease() -> None:
    cluster = FakeCluster()
    one = elector(cluster, "one")
    async with running(one):
        await led(one)
        # The renewal reaches the server, and its answer never reaches us.
        cluster.faults.append(
            Fault(api_errors.Unavailable("lost"), verb="replace", kind=LEASES, after=True)
        )
        await asyncio.sleep(2.1)
    await one.release()
    assert (await lease_of(cluster))["spec"]["holderIdentity"] == ""


async def test_a_standby_releases_nothing_of_the_leader() -> None:
    cluster = FakeCluster()
    one, two = elector(cluster, "one"), elector(cluster.as_manager("two"), "two")
    async with running(one):
        await led(one)
        async with running(two) as standby:
            await asyncio.sleep(3)
            await two.release()
            await standby
        assert (await lease_of(cluster))["spec"]["holderIdentity"] == "one"


async def test_a_server_that_is_down_at_release_stops_nobody() -> None:
    cluster = FakeCluster()
    one = elector(cluster, "one")
    async with running(one):
        await led(one)
        cluster.faults.append(Fault(api_errors.Unavailable("down"), times=10))
        await one.release()
        assert not one.may_write(0)


async def test_two_candidates_at_the_same_moment_make_one_leader() -> None:
    cluster = FakeCluster()
    candidates = [elector(cluster.as_manager(str(n)), str(n)) for n in range(5)]
    async with contextlib.AsyncExitStack() as stack:
        for candidate in candidates:
            await stack.enter_async_context(running(candidate))
        await asyncio.sleep(10)
        assert sum(candidate.leading.is_set() for candidate in candidates) == 1
        assert sum(candidate.may_write(0) for candidate in candidates) == 1


@pytest.mark.parametrize("values", [(30, 30, 2), (30, 20, 20), (30, 20, 0), (10, 20, 2)])
def test_settings_that_could_make_two_leaders_are_refused(values: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="retry_seconds < renew_deadline_seconds"):
        LeaseSettings(*values)
