"""NumberRange: is it valid beside all the others, and how many of its numbers are left."""

from __future__ import annotations

from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import PhoneNumber
from callplane.apis.reasons import Reason
from callplane.cluster import finalizers
from callplane.desired import references
from callplane.engine import carrier_numbers, gathering, redirects, reservations, stock_forecast
from callplane.engine.finalizing import ensure_finalizer
from callplane.engine.keyed_queue import Priority
from callplane.engine.object_cache import CachedObject
from callplane.engine.scope import Gone, Scope
from callplane.errors import Stalled, Waiting
from callplane.numbering.lifecycle import HELD, NumberState
from callplane.rules import overlaps, validation
from callplane.rules.findings import Finding
from callplane.status.conditions import Succeeded
from callplane.store.ports import NumberRow
from callplane.values import E164, ObjectKey

IN_USE_LOOK_SECONDS = 60.0


async def run(scope: Scope) -> Succeeded:
    """Validate against the country's plan and the other ranges, then count from the register."""
    rows = await _rows(scope)
    if scope.cached.is_deleting:
        await _leave(scope, rows)
        raise Gone
    found = scope.resource
    assert isinstance(found, NumberRange)
    _check_rules(scope, found)
    await ensure_finalizer(scope)
    _check_not_shrunk(scope, found)
    _count(scope, found, rows)
    await stock_forecast.look(scope, found, free=scope.status["free"], total=scope.status["total"])
    # Who waits for a number of this range is told by the moves of numbers; this catches the rest.
    name = f"{scope.key.namespace}/{scope.key.name}"
    scope.engine.waiters.range_has_free(name, scope.status["free"])
    now = scope.engine.clock.now()
    ends_at = reservations.next_end(reservations.of(found), now)
    if ends_at is not None:
        seconds = (ends_at - now).total_seconds()
        scope.engine.queue.add_later(scope.key, Priority.DRIFT, seconds)
    said = await carrier_numbers.look_after_range(scope, found, rows)
    await gathering.check_call_terms(scope, found.spec)
    scope.status["redirected"] = 0
    scope.status["redirected"] = len(await redirects.look(scope, found))
    differences = said.differences if said is not None else ()
    return Succeeded(
        f"{scope.status['free']} of {scope.status['total']} numbers are free",
        differences=differences,
    )


async def _rows(scope: Scope) -> list[NumberRow]:
    """The register's rows of this range by number, and rows that name the range outside of it."""
    found = scope.cached.resource
    rows: list[NumberRow] = []
    if isinstance(found, NumberRange):
        spans = found.spec.spans
        seen = await scope.engine.register.numbers_in(spans[0].first, spans[-1].last)
        # A range of several spans may have numbers of others in between.
        if len(spans) > 1:
            rows = [row for row in seen if any(row.number in span for span in spans)]
        else:
            rows = list(seen)
    return rows


def _check_rules(scope: Scope, found: NumberRange) -> None:
    """The rules that `callplane validate` runs; of two that overlap, the later one is refused."""
    others = [
        cached.resource
        for kind in ("NumberRange", "PhoneNumber")
        for cached in scope.engine.cache.of_kind(kind)
        if cached.key != scope.key and cached.resource is not None and not cached.is_deleting
    ]
    findings = validation.validate_one(found)
    for finding in overlaps.check([found, *others]):
        if (finding.kind, finding.namespace, finding.name) == (
            scope.key.kind,
            scope.key.namespace,
            scope.key.name,
        ):
            findings.append(finding)
    refuse(findings)


def refuse(findings: list[Finding]) -> None:
    """Raises Stalled InvalidSpec with every error among the findings."""
    errors = [
        f"{finding.field_path}: {finding.message}" for finding in findings if finding.is_error
    ]
    if errors:
        raise Stalled(Reason.INVALID_SPEC, "; ".join(errors))


def _check_not_shrunk(scope: Scope, found: NumberRange) -> None:
    """A range may grow; live claims outside of it mean that it was shrunk below them."""
    name = f"{scope.key.namespace}/{scope.key.name}"
    spans = found.spec.spans
    outside = [
        row.number.masked
        for runtime in scope.engine.connections.values()
        for row in runtime.mirror.numbers.values()
        if row.range_name == name
        and row.state in HELD
        and not any(row.number in span for span in spans)
        and not _is_single(scope, row.number)
    ]
    if outside:
        shown = ", ".join(sorted(outside)[:10])
        raise Stalled(
            Reason.SHRUNK_BELOW_CLAIMS,
            f"{len(outside)} numbers in use lie outside the range: {shown}",
        )


def _is_single(scope: Scope, number: E164) -> bool:
    """Is the number that of a PhoneNumber with the range's name? The register says both the same
    way.
    """
    single = scope.engine.cache.get(ObjectKey("PhoneNumber", scope.key.namespace, scope.key.name))
    resource = single.resource if single is not None else None
    return isinstance(resource, PhoneNumber) and resource.spec.e164 == number.text


def _count(scope: Scope, found: NumberRange, rows: list[NumberRow]) -> None:
    total = sum(len(span) for span in found.spec.spans)
    claimed = sum(1 for row in rows if row.state in HELD)
    resting = sum(1 for row in rows if row.state is NumberState.QUARANTINED)
    taken = {row.number for row in rows}
    kept_back = reservations.in_force(reservations.of(found), scope.engine.clock.now())
    reserved = sum(1 for number in kept_back if number not in taken)
    free = max(total - len(rows) - reserved, 0)
    scope.status.update(
        total=total, claimed=claimed, quarantined=resting, reserved=reserved, free=free
    )
    scope.status["nextFree"] = next(
        (
            number.text
            for span in found.spec.spans
            for number in span
            if number not in taken and number not in kept_back
        ),
        None,
    )


async def _leave(scope: Scope, rows: list[NumberRow]) -> None:
    """The range waits for claims that an object of this cluster declares.

    Numbers at rest keep their dates and block nothing; a claim that was let go waits for its holder
    to be declared again, with or without the range. Where another range holds the number and the
    object does not name this one, that one has taken its place.
    """
    if not finalizers.has_finalizer(scope.cached.body, finalizers.PROVIDER_CLEANUP):
        return
    live = [
        row
        for row in rows
        if row.state in HELD
        and row.declared_by is not None
        and _relies_on(scope, row.number, scope.engine.cache.by_uid(row.declared_by.uid))
    ]
    if live:
        shown = ", ".join(row.number.masked for row in live[:10])
        raise Waiting(
            Reason.IN_USE,
            f"{len(live)} numbers are in use: {shown}",
            after_seconds=IN_USE_LOOK_SECONDS,
        )
    await finalizers.remove(
        scope.engine.objects, scope.engine.kind(scope.key.kind), body=scope.cached.body
    )


def _relies_on(scope: Scope, number: E164, declaring: CachedObject | None) -> bool:
    if declaring is None:
        return False
    if declaring.resource is None or scope.key in references.targets(declaring.resource):
        return True
    holding = scope.engine.cache.holding(number)
    return all(each.key == scope.key or each.is_deleting for each in holding)
