"""What a person's or a service's pass says of its calls: the line that may call, and the number
that is ours. It is written beside what providers are told, after it.

A connection's calls come into the SBC from one peer, which the SBC's values name: `Teams`, the
trunk `Webex`, or the user of a phone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from callplane.apis.carriers import Carrier, Commercial
from callplane.apis.model import Resource
from callplane.apis.number_ranges import FOREIGN_ROUTES
from callplane.apis.pbx_trunks import PbxTrunk
from callplane.apis.references import ObjectRef
from callplane.apis.service_lines import ServiceLine
from callplane.desired import references
from callplane.engine.gathering import Gathered
from callplane.engine.scope import Scope
from callplane.numbering.lifecycle import HELD
from callplane.store.call_tables import LINE, NUMBER, PHONE, Entry
from callplane.values import E164, ConnectionId, HolderId, ObjectKey, Platform

if TYPE_CHECKING:
    from callplane.engine.operator_engine import Engine

INGRESSES: Final = {Platform.TEAMS: "Teams", Platform.WEBEX: "Webex"}


def say(
    scope: Scope, declaring: Resource, gathered: Gathered, holder: HolderId, number: E164 | None
) -> None:
    """Hand over the entries of an object that has this number now: none without a number, the
    number alone without an account. A number past our SBC is not one of ours to whoever calls it:
    the call leaves by a carrier, and is metered.
    """
    owner = owner_of(scope.key)
    entries: list[Entry] = []
    if number is not None:
        row = gathered.runtime.mirror.numbers.get(number)
        source = row.range_name if row is not None else ""
        is_foreign = _is_foreign(scope, source)
        if not is_foreign:
            entries.append(Entry(NUMBER, number.text, owner, {"holder": str(holder)}))
        entries += _line(
            scope,
            declaring,
            holder,
            {
                "ingress": _ingress(holder),
                "numbers": [number.text],
                "receivesOnly": isinstance(declaring, ServiceLine),
                "byoc": is_paid_elsewhere(scope, source),
            },
            pools=not is_foreign,
        )
    scope.engine.calls.put(owner, entries)


def say_phone(scope: Scope, username: str, realm: str, digest: str) -> None:
    """Hand over what a phone proves itself by; `say` follows for its line."""
    content = {"username": username, "realm": realm, "digest": digest}
    owner = f"{owner_of(scope.key)}#phone"
    scope.engine.calls.put(owner, [Entry(PHONE, f"{username}@{realm}", owner, content)])


def say_trunk(scope: Scope, trunk: PbxTrunk, holder: HolderId, numbers: Sequence[E164]) -> None:
    """Hand over the entries of a PBX that has these numbers now. Whoever calls by it and shows no
    number of it pays as the PBX does, and shows its first.
    """
    owner = owner_of(scope.key)
    spec = trunk.spec
    entries = [Entry(NUMBER, each.text, owner, {"holder": str(holder)}) for each in numbers]
    if numbers:
        row_sources = {_source(scope, each) for each in numbers}
        entries += _line(
            scope,
            trunk,
            holder,
            {
                "ingress": spec.trunk,
                "numbers": sorted(each.text for each in numbers),
                "outsideLine": spec.outside_line,
                "isTrunk": True,
                "channels": spec.channels,
                # One carrier that is paid by us is enough for calls to be rated.
                "byoc": all(is_paid_elsewhere(scope, source) for source in row_sources),
            },
        )
    scope.engine.calls.put(owner, entries)


def _source(scope: Scope, number: E164) -> str:
    for runtime in scope.engine.connections.values():
        row = runtime.mirror.numbers.get(number)
        if row is not None:
            return row.range_name
    return ""


def _line(
    scope: Scope,
    declaring: Resource,
    holder: HolderId,
    content: dict[str, Any],
    *,
    pools: bool = True,
) -> list[Entry]:
    """The line of one object; none without an account. One that does not pool has no plan: it
    neither brings minutes nor uses any.
    """
    spec: Any = declaring.spec  # type: ignore[attr-defined]
    namespace = scope.key.namespace
    account = _named(spec, "account_ref", namespace)
    if not account:
        return []
    whole = {
        **content,
        "account": account,
        "plan": _named(spec, "calling_plan_ref", namespace) if pools else "",
        "privilege": _named(spec, "call_privilege_ref", namespace),
        "holder": str(holder),
    }
    kept = {key: value for key, value in whole.items() if value}
    return [Entry(LINE, str(holder), owner_of(scope.key), kept)]


def _ingress(holder: HolderId) -> str:
    """The peer that the holder's calls come in by; empty for who makes none."""
    kind, _, name = holder.user_id.partition(":")
    if holder.platform is Platform.SIP:
        return name if kind == "phone" else ""
    return INGRESSES.get(holder.platform, "")


def owner_of(key: ObjectKey) -> str:
    """An object as the tables name it."""
    return f"{key.kind}/{key.namespace}/{key.name}"


class CallSurroundings:
    """What the projection asks of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def may_write(self) -> bool:
        engine = self._engine
        return engine.fence.may_write(engine.settings.write_timeout_seconds)

    def exists(self, owner: str) -> bool:
        kind, namespace, name = owner.partition("#")[0].split("/", 2)
        return self._engine.cache.get(ObjectKey(kind, namespace, name)) is not None

    def is_held(self, number: str, holder: str) -> bool:
        """A connection that is not at work here may still have given it to him."""
        platform, tenant, _ = holder.split("/", 2)
        runtime = self._engine.runtime_on(ConnectionId(platform, tenant))
        if runtime is None or not runtime.is_ready:
            return True
        row = runtime.mirror.numbers.get(E164(number))
        return row is not None and row.state in HELD and str(row.holder) == holder


def _is_foreign(scope: Scope, source: str) -> bool:
    """Do calls to and from the numbers of this range or PhoneNumber pass our SBC by?"""
    return any(spec.route in FOREIGN_ROUTES for _, spec in _specs(scope, source))


def _specs(scope: Scope, source: str) -> Iterator[tuple[str, Any]]:
    """The namespace and spec of the range or PhoneNumber that the register says a number is of."""
    namespace, _, name = source.partition("/")
    for kind in ("NumberRange", "PhoneNumber"):
        cached = scope.engine.cache.get(ObjectKey(kind, namespace, name))
        spec: Any = getattr(cached and cached.resource, "spec", None)
        if spec is not None:
            yield namespace, spec


def is_paid_elsewhere(scope: Scope, source: str) -> bool:
    """Does the customer pay the carrier of a number by himself? `source` is the range or
    PhoneNumber that the register says it is of.
    """
    cache = scope.engine.cache
    for namespace, spec in _specs(scope, source):
        if spec.carrier_ref is None:
            continue
        carrier = cache.get(references.target("Carrier", spec.carrier_ref, namespace=namespace))
        if carrier is not None and isinstance(carrier.resource, Carrier):
            return carrier.resource.spec.who_pays is Commercial.BRING_YOUR_OWN
    return False


def _named(spec: Any, attribute: str, namespace: str) -> str:
    reference = getattr(spec, attribute, None)
    if not isinstance(reference, ObjectRef):
        return ""
    return f"{reference.namespace or namespace}/{reference.name}"
