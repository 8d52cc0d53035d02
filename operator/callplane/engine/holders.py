"""Who the declared person is, and whether this object is the one that declares them.

The holder is the provider's immutable id. A name is only a way to find it, and a name that now
means somebody else is never followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from callplane.apis.reasons import Reason
from callplane.desired.declarations import WORDS, PersonObject, is_person, person_key
from callplane.engine.gathering import Gathered
from callplane.engine.object_cache import CachedObject
from callplane.engine.scope import Scope
from callplane.errors import Failed, Stalled
from callplane.numbering.lifecycle import Cause, NumberState
from callplane.plan.diff import satisfied
from callplane.providers.protocol import ProviderError
from callplane.resources.lines import (
    NUMBER,
    Line,
    LineNumber,
    NumberType,
    PolicyOnLine,
    Setting,
    SettingKind,
    SettingValue,
)
from callplane.resources.platforms import Person
from callplane.store.ports import Commit, HolderRow, Move, NumberRow
from callplane.values import E164, DeclaringObject, HolderId, Platform

REASON_CHARACTERS = 256


async def resolve(scope: Scope, user: PersonObject, gathered: Gathered) -> HolderId:
    """The holder this object declares. Raises Stalled when there is none, or when it is somebody
    else's.
    """
    pinned = gathered.runtime.mirror.holder_declared_by(scope.cached.uid)
    person = await find_person(gathered, person_key(user))
    if person is not None and pinned is None and _may_be_renamed(scope, gathered, person):
        # The name may be somebody else's by now, and the last listing may not know it yet.
        person = await _read(gathered, person_key(user))
    if person is None:
        where = WORDS[Platform(gathered.runtime.connection.provider)].connection
        raise Stalled(Reason.USER_NOT_FOUND, f"the {where} has no user {person_key(user)}")
    if person.deleted:
        raise Stalled(
            Reason.USER_DELETED,
            f"{person.user_principal_name} is deleted in the directory; restore the account, or "
            "delete this object to let the number rest",
        )
    holder = gathered.runtime.holder(person.user_id)
    if pinned is not None and pinned.holder != holder:
        raise Stalled(
            Reason.IDENTITY_CHANGED,
            f"{person_key(user)} now names another person than the one this object has "
            "declared so far; delete this object and declare the new person with another one",
        )
    _check_person_consent(gathered, person)
    _check_declared_once(scope, gathered, holder, person)
    return holder


async def find_person(gathered: Gathered, key: str) -> Person | None:
    """From the snapshot, else by one targeted read."""
    snapshot = gathered.runtime.snapshot
    person = snapshot.person_by_name(key) or snapshot.person(key)
    if person is not None and not person.deleted:
        return person
    return await _read(gathered, key)


async def _read(gathered: Gathered, key: str) -> Person | None:
    try:
        return await gathered.runtime.read_person(key)
    except ProviderError as error:
        raise Failed(Reason.PROVIDER_UNAVAILABLE, str(error)) from error


def _may_be_renamed(scope: Scope, gathered: Gathered, person: Person) -> bool:
    """Has the person a past in the register, and does what tells us their name come from before
    this object?

    A leaver whose number still waits to be taken away has a row; a new person who is given the
    leaver's name must not inherit it.
    """
    runtime = gathered.runtime
    holder = runtime.holder(person.user_id)
    if holder not in runtime.mirror.holders and not runtime.mirror.rows_of(holder):
        return False
    entry = runtime.snapshot.people.get(person.user_id)
    if entry is None:
        return True
    clock = scope.engine.clock
    object_age = clock.now() - datetime.fromisoformat(scope.cached.created)
    seen_age_seconds = clock.monotonic() - entry.observed_at
    # Objects tell the second in which they were made, not the moment.
    return seen_age_seconds > object_age.total_seconds() - 1.0


def _check_person_consent(gathered: Gathered, person: Person) -> None:
    consent = gathered.consent
    if consent is None or not consent or any(entry.users is None for entry in consent):
        return
    name = person.user_principal_name
    if "@" not in name:
        # A service has no address that a filter of people could speak of.
        return
    for entry in consent:
        if entry.users is None:
            continue
        if any(name.endswith("@" + suffix.lower()) for suffix in entry.users.upn_suffixes):
            return
    raise Stalled(
        Reason.USER_NOT_ALLOWED,
        f"the {gathered.connection.kind} does not admit this person for this namespace "
        "(allowedNamespaces[].users)",
    )


def _check_declared_once(
    scope: Scope, gathered: Gathered, holder: HolderId, person: Person
) -> None:
    """One person, one object: the register's row wins, then the older object."""
    row = gathered.runtime.mirror.holders.get(holder)
    owner = row.declared_by if row is not None else None
    if owner is not None and owner.uid != scope.cached.uid:
        other = scope.engine.live(owner.uid)
        if other is not None and _still_declares(other, person):
            raise _declared_twice(scope, other)
    if owner is None:
        rival = _older_rival(scope, gathered, person)
        if rival is not None:
            raise _declared_twice(scope, rival)


def _declared_twice(scope: Scope, other: CachedObject) -> Stalled:
    return Stalled(
        Reason.DECLARED_TWICE,
        f"{scope.key} and {other.key} declare the same person; {other.key} has them",
    )


def _still_declares(other: CachedObject, person: Person) -> bool:
    resource: Any = other.resource
    if not is_person(resource):
        return False
    return person_key(resource) in (person.user_principal_name, person.user_id)


def _older_rival(scope: Scope, gathered: Gathered, person: Person) -> CachedObject | None:
    mine = (scope.cached.created, scope.key)
    key = gathered.runtime.key
    for name in (person.user_principal_name, person.user_id):
        for other in scope.engine.cache.declaring(key, name):
            if other.is_deleting or other.uid == scope.cached.uid:
                continue
            if (other.created, other.key) < mine:
                return other
    return None


def claim_of_holder(
    scope: Scope, gathered: Gathered, holder: HolderId
) -> tuple[tuple[HolderRow, ...], tuple[Move, ...]]:
    """What has to be committed so that this object declares the holder; empty when it does already.

    Taking over from an object that is gone is free: names, namespaces and clusters may change, the
    holder keeps everything, and nothing is written to the provider.
    """
    mirror = gathered.runtime.mirror
    mine = scope.declaring
    known = mirror.holders.get(holder)
    moves = tuple(
        same_state(row, cause=Cause.TAKE_OVER, declared_by=mine)
        for row in mirror.rows_of(holder)
        if row.holder == holder
        and row.declared_by != mine
        and row.state in (NumberState.CLAIMED, NumberState.ASSIGNED, NumberState.TRANSFERRING)
    )
    if known is not None and known.declared_by == mine:
        return (), moves
    person = gathered.runtime.snapshot.person(holder.user_id)
    row = HolderRow(
        holder=holder,
        connection=gathered.runtime.connection,
        declared_by=mine,
        user_name=person.user_principal_name if person is not None else "",
        applied=known.applied if known is not None else {},
        undone=known.undone if known is not None else {},
    )
    return (row,), moves


def same_state(
    row: NumberRow, *, cause: Cause, declared_by: DeclaringObject | None, reason: str = ""
) -> Move:
    """A move that changes only who declares the holder. `reason` goes into the history; a claim
    keeps its own, which says how far it got.
    """
    return Move(
        number=row.number,
        expected=row.state,
        to=row.state,
        cause=cause,
        expected_holder=row.holder,
        holder=row.holder,
        declared_by=declared_by,
        range_name=row.range_name,
        number_type=row.number_type,
        transfer_to=row.transfer_to,
        quarantined_until=row.quarantined_until,
        reason=row.reason if row.state is NumberState.CLAIMED else reason[:REASON_CHARACTERS],
    )


def last_applied(gathered: Gathered, holder: HolderId) -> Mapping[Setting, SettingValue]:
    """What we last applied, per setting; tells a portal change from an edit."""
    row = gathered.runtime.mirror.holders.get(holder)
    if row is None:
        return {}
    return {parse_setting(name): parse_value(value) for name, value in row.applied.items()}


def parse_setting(text: str) -> Setting:
    kind, _, detail = text.partition("/")
    return Setting(kind, detail)


def parse_value(value: Any) -> SettingValue:
    """JSON of the register back into a value; policies are stored as {"name": …}."""
    if isinstance(value, Mapping):
        if "number" in value:
            return LineNumber(E164(value["number"]), NumberType(value["type"]))
        return PolicyOnLine(value["name"])
    return value if isinstance(value, str) else None


def to_json(value: SettingValue) -> Any:
    if isinstance(value, LineNumber):
        return value.to_json()
    if isinstance(value, PolicyOnLine):
        return {"name": value.name}
    return value


async def adopt(
    scope: Scope, gathered: Gathered, holder: HolderId, desired: Line, observed: Line
) -> None:
    """Record what already is as declared: numbers become ours, values are remembered.

    It writes only to the register. Numbers that are not as declared and have no row stay foreign.
    """
    mirror = gathered.runtime.mirror
    rows, moves = claim_of_holder(scope, gathered, holder)
    base = rows[0] if rows else mirror.holders[holder]
    met = {
        str(setting): to_json(wanted)
        for setting, wanted in desired.settings.items()
        if satisfied(wanted, observed.get(setting))
        and (setting.kind is not SettingKind.LOCATION or observed.number is not None)
    }
    kept = {
        name: value
        for name, value in base.applied.items()
        if parse_setting(name) in desired.settings
    }
    applied = {**kept, **met}
    if applied != dict(base.applied):
        rows = (replace(base, applied=applied),)
    number = observed.number
    if number is not None and desired.get(NUMBER) == number:
        moves += confirmation(scope, gathered, holder, number)
    if rows or moves:
        await mirror.commit(Commit(moves=moves, holders=rows), now=scope.engine.clock.now())


def confirmation(
    scope: Scope, gathered: Gathered, holder: HolderId, number: LineNumber
) -> tuple[Move, ...]:
    """The observed number is the declared one: confirm the claim, or adopt the number."""
    row = gathered.runtime.mirror.numbers.get(number.number)
    if row is None:
        state, cause, range_name = NumberState.FREE, Cause.ADOPT, ""
    elif row.holder != holder:
        return ()
    elif row.state is NumberState.CLAIMED:
        state, cause, range_name = row.state, Cause.CONFIRM, row.range_name
    elif row.state is NumberState.QUARANTINED:
        state, cause, range_name = row.state, Cause.ADOPT, row.range_name
    else:
        return ()
    return (
        Move(
            number=number.number,
            expected=state,
            to=NumberState.ASSIGNED,
            cause=cause,
            holder=holder,
            declared_by=scope.declaring,
            range_name=range_name or gathered.runtime.range_name_of(number.number),
            number_type=number.number_type.value,
        ),
    )
