"""What an SBC says of itself, as metrics: calls that are up, records that wait, peers that answer.

Kamailio has nothing that Prometheus reads, and should have no more ports than calls need. So call
control beside it asks over the local socket, on a thread, a few times a minute. Nothing hangs on
the answers: an SBC that does not give them is shown as silent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from callplane.callcontrol import draining
from callplane.callcontrol.draining import Rpc
from callplane.callcontrol.kamailio_rpc import RpcError

PAUSE_SECONDS: Final = 10.0
#: Statistics of Kamailio that are shown, by what they count.
COUNTED: Final = {"INVITE": "core.rcv_requests_invite", "REGISTER": "core.rcv_requests_register"}
#: Flags of a destination begin with A as long as calls are sent there.
_USED = "A"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SbcLook:
    """One look at an SBC. `peers` are True while calls are sent to at least one of their places."""

    calls: int
    records: int
    is_draining: bool
    peers: Mapping[str, bool]
    requests: Mapping[str, int]
    memory_used: float


def look(rpc: Rpc) -> SbcLook:
    """Ask everything. Raises RpcError, or ValueError for an answer that is none."""
    try:
        busy = draining.look(rpc)
        memory = rpc.ask("core.shmmem")
        counted = rpc.ask("stats.fetch", *COUNTED.values())
        return SbcLook(
            calls=busy.calls,
            records=busy.records,
            is_draining=draining.is_draining(rpc),
            peers=_peers(rpc.ask("dispatcher.list")),
            requests={method: int(counted[name]) for method, name in COUNTED.items()},
            memory_used=int(memory["used"]) / int(memory["total"]),
        )
    except (AttributeError, KeyError, TypeError, ZeroDivisionError) as error:
        raise ValueError(f"an answer without {error}") from error


def _peers(listing: Any) -> dict[str, bool]:
    """By name; several places of one peer, in several sets, are one."""
    found: dict[str, bool] = {}
    for record in listing["RECORDS"]:
        for target in record["SET"]["TARGETS"]:
            place = target["DEST"]
            name = _attribute(str(place.get("ATTRS", {}).get("BODY", "")), "peer")
            if name:
                used = str(place["FLAGS"]).startswith(_USED)
                found[name] = found.get(name, False) or used
    return found


def _attribute(text: str, name: str) -> str:
    """A value of `name=value;name=value`.

    >>> _attribute("weight=50;peer=alpha", "peer")
    'alpha'
    """
    pairs = dict(pair.partition("=")[::2] for pair in text.split(";"))
    return pairs.get(name, "")


@dataclass(eq=False)
class SbcWatcher(Collector):
    """Looks at SBCs until cancelled; what it saw last is what a scrape gets."""

    sbcs: Mapping[str, Rpc]
    pause_seconds: float = PAUSE_SECONDS
    _seen: dict[str, SbcLook | None] = field(default_factory=dict)

    async def run(self) -> None:
        while True:
            for name, rpc in self.sbcs.items():
                self._seen[name] = await asyncio.to_thread(self._look, name, rpc)
            await asyncio.sleep(self.pause_seconds)

    def _look(self, name: str, rpc: Rpc) -> SbcLook | None:
        try:
            return look(rpc)
        except (RpcError, ValueError) as error:
            if self._seen.get(name) is not None or name not in self._seen:
                log.warning("an SBC says nothing of itself: %s", error)
            return None

    def collect(self) -> Iterator[Metric]:
        seen = dict(self._seen)
        found = {name: each for name, each in seen.items() if each is not None}
        up = GaugeMetricFamily("callplane_sbc_up", "Does an SBC answer?", labels=["sbc"])
        for name, each in seen.items():
            up.add_metric([name], float(each is not None))
        yield up
        yield self._gauge("calls", "Calls that are up or being set up.", found, "calls")
        yield self._gauge(
            "records_waiting", "Records that call control has not taken.", found, "records"
        )
        yield self._gauge("draining", "Are new calls refused, to stop it?", found, "is_draining")
        yield self._gauge(
            "memory_used_ratio", "Used part of the shared memory.", found, "memory_used"
        )
        peers = GaugeMetricFamily(
            "callplane_sbc_peer_up",
            "Are calls sent to a peer? Its probes failed where not.",
            labels=["sbc", "peer"],
        )
        requests = CounterMetricFamily(
            "callplane_sbc_requests", "SIP requests by method.", labels=["sbc", "method"]
        )
        for name, each in found.items():
            for peer, is_up in sorted(each.peers.items()):
                peers.add_metric([name, peer], float(is_up))
            for method, count in each.requests.items():
                requests.add_metric([name, method], count)
        yield peers
        yield requests

    def _gauge(
        self, name: str, text: str, found: Mapping[str, SbcLook], attribute: str
    ) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"callplane_sbc_{name}", text, labels=["sbc"])
        for sbc, each in found.items():
            family.add_metric([sbc], float(getattr(each, attribute)))
        return family
