"""Server-side apply of a tree, and the wait until the operator has done what it asks for.

Called by `apply`. It speaks to the Kubernetes API alone; whatever is written to a provider, the
operator writes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from callplane.apis import registry
from callplane.cli import output
from callplane.cli.manifests import Manifest
from callplane.cli.rollouts import Rollout, Standing, judge
from callplane.cluster.api_errors import ClusterError, Conflict, Forbidden, Invalid, NotFound
from callplane.cluster.ports import Body, ObjectStore
from callplane.cluster.resource_kinds import callplane_kind
from callplane.errors import CallplaneError
from callplane.values import ObjectKey

AT_ONE_TIME = 16
POLL_SECONDS = 1.0
SHOWN = 10
# The operator writes these; whoever applied one would only quarrel with it.
WRITTEN_BY_OPERATOR = frozenset({"ChangePlan"})
_SERVERS_OWN = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")

Report = Callable[[str], None]


class ApplyRefused(CallplaneError):
    """The API server refused objects; each has been printed."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How to wait: `monotonic` and `sleep` come from outside so that tests need no time."""

    timeout_seconds: float
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    report: Report


@dataclass(slots=True)
class Outcome:
    """Where every applied object stands in the end; `timed_out` while some were in progress."""

    rollouts: dict[ObjectKey, Rollout] = field(default_factory=dict)
    timed_out: bool = False

    def having(self, standing: Standing) -> list[tuple[ObjectKey, Rollout]]:
        return sorted(
            (key, rollout) for key, rollout in self.rollouts.items() if rollout.standing is standing
        )

    def summary(self) -> str:
        counts = Counter(rollout.standing for rollout in self.rollouts.values())
        parts = [
            f"{counts[standing]:,} {standing.value}" for standing in Standing if counts[standing]
        ]
        return f"{output.count(len(self.rollouts), 'object')}: {', '.join(parts)}"


async def apply(
    objects: ObjectStore, manifests: Sequence[Manifest], *, force: bool, report: Report
) -> list[ObjectKey]:
    """Apply everything, connections and ranges before the people who need them. Raises ApplyRefused
    when any was refused, after all have been tried.
    """
    wanted = [each for each in manifests if each.key.kind not in WRITTEN_BY_OPERATOR]
    gate = asyncio.Semaphore(AT_ONE_TIME)
    refused: list[tuple[ObjectKey, str]] = []

    async def one(manifest: Manifest) -> None:
        kind = callplane_kind(registry.kind_named(manifest.key.kind).plural)
        async with gate:
            try:
                await objects.apply(kind, body=_body(manifest), force=force)
            except ClusterError as error:
                refused.append((manifest.key, _explained(error)))

    for kind in registry.KINDS:
        await asyncio.gather(*(one(each) for each in wanted if each.key.kind == kind.name))
    for key, reason in sorted(refused)[:SHOWN]:
        report(f"{key}: {reason}")
    if refused:
        raise ApplyRefused(
            f"{output.count(len(refused), 'object')} of {len(wanted):,} refused; the others are "
            "applied"
        )
    report(f"applied {output.count(len(wanted), 'object')}")
    return [each.key for each in wanted]


def _body(manifest: Manifest) -> Body:
    metadata = {
        name: value for name, value in manifest.body["metadata"].items() if name not in _SERVERS_OWN
    }
    content = {name: value for name, value in manifest.body.items() if name != "status"}
    return {**content, "metadata": metadata}


def _explained(error: ClusterError) -> str:
    match error:
        case Conflict():
            return f"{error}; take the fields over with --force-conflicts"
        case NotFound():
            return f"{error}; namespaces and the kinds of callplane.dev have to be there first"
        case Invalid() | Forbidden():
            return str(error)
        case _:
            return f"{error}; apply again, nothing is done twice"


async def wait(objects: ObjectStore, keys: Sequence[ObjectKey], waiting: Patience) -> Outcome:
    """Until nothing is in progress, twice in a row: a failure may be one that the next pass cures.
    Progress is reported when it changes.
    """
    deadline = waiting.monotonic() + waiting.timeout_seconds
    outcome, shown, settled_before = Outcome(), "", False
    while True:
        outcome.rollouts = await _look(objects, keys)
        if (now_shown := outcome.summary()) != shown:
            waiting.report(now_shown)
            shown = now_shown
        is_settled = not outcome.having(Standing.IN_PROGRESS)
        everything_is_ready = len(outcome.having(Standing.CURRENT)) == len(outcome.rollouts)
        if everything_is_ready or (is_settled and settled_before):
            return outcome
        settled_before = is_settled
        if waiting.monotonic() >= deadline:
            outcome.timed_out = True
            return outcome
        await waiting.sleep(POLL_SECONDS)


async def _look(objects: ObjectStore, keys: Iterable[ObjectKey]) -> dict[ObjectKey, Rollout]:
    """One listing a kind and namespace, however many objects there are."""
    wanted: dict[tuple[str, str], list[ObjectKey]] = {}
    for key in keys:
        wanted.setdefault((key.kind, key.namespace), []).append(key)
    rollouts: dict[ObjectKey, Rollout] = {}
    for (kind_name, namespace), of_both in sorted(wanted.items()):
        kind = callplane_kind(registry.kind_named(kind_name).plural)
        listing = await objects.list_all(kind, namespace=namespace)
        bodies: Mapping[str, Body] = {item["metadata"]["name"]: item for item in listing.items}
        for key in of_both:
            body = bodies.get(key.name)
            rollouts[key] = (
                judge(body)
                if body is not None
                else Rollout(Standing.FAILED, message="is gone from the cluster")
            )
    return rollouts
