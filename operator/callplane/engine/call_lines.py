"""What a person's or a service's pass says of its calls: the line that may call, and the number
that is ours. It is written beside what providers are told, after it.

A connection's calls come into the SBC from one peer, which the SBC's values name: `Teams`, the
trunk `Webex`, or the user of a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from callplane.apis.carriers import Carrier, Commercial
from callplane.apis.model import Resource
from callplane.apis.pbx_trunks import PbxTrunk
from callplane.apis.references import ObjectRef
from callplane.apis.service_lines import ServiceLine
from callplane.desired import references
from callplane.engine.gathering import Gathered
from callplane.engine.scope import Scope
from callplane.numbering.lifecycle import HELD
from callplane.store.call_tables import LINE, NUMBER, Entry
from callplane.store.ports import NumberRow
from callplane.values import E164, ConnectionId, HolderId, ObjectKey, Platform

if TYPE_CHECKING:
    from callplane.engine.operator_engine import Engine

INGRESSES: Final = {Platform.TEAMS: "Teams", Platform.WEBEX: "Webex"}


def say(
    scope: Scope, declaring: Resource, gathered: Gathered, holder: HolderId, number: E164 | None
) -> None:
    """Hand over the entries of an object that has this number now."""
    row = gathered.runtime.mirror.numbers.get(number) if number is not None else None
    source = row.range_name if row is not None else ""
    entries = entries_of(scope, declaring, holder, number, source=source)
    scope.engine.calls.put(owner_of(scope.key), entries)


def entries_of(
    scope: Scope, declaring: Resource, holder: HolderId, number: E164 | None, *, source: str = ""
) -> list[Entry]:
    """The entries of one object whose pass went well: none without a number, the number alone
    without an account. `source` is the range or PhoneNumber of the number.
    """
    if number is None:
        return []
    key = scope.key
    owner = owner_of(key)
    found = [Entry(NUMBER, number.text, owner, {"holder": str(holder)})]
    spec: Any = declaring.spec  # type: ignore[attr-defined]
    account = _named(spec, "account_ref", key.namespace)
    if account:
        content = {
            "ingress": ingress_of(holder),
            "numbers": [number.text],
            "account": account,
            "plan": _named(spec, "calling_plan_ref", key.namespace),
            "privilege": _named(spec, "call_privilege_ref", key.namespace),
            "holder": str(holder),
            "receivesOnly": isinstance(declaring, ServiceLine),
            "byoc": is_paid_elsewhere(scope, source),
        }
        found.append(Entry(LINE, str(holder), owner, {k: v for k, v in content.items() if v}))
    return found


def ingress_of(holder: HolderId) -> str:
    """The peer that the holder's calls come in from; a phone is known by its user, a PBX by its
    trunk.
    """
    if holder.platform is Platform.SIP:
        kind, _, name = holder.user_id.partition(":")
        return name if kind in ("phone", "trunk") else ""
    return INGRESSES.get(holder.platform, "")


def say_trunk(scope: Scope, trunk: PbxTrunk, holder: HolderId, rows: Sequence[NumberRow]) -> None:
    """Hand over the entries of a PBX: its numbers, and one line that may show any of them."""
    key = scope.key
    owner, spec = owner_of(key), trunk.spec
    numbers = sorted(row.number.text for row in rows)
    found = [Entry(NUMBER, number, owner, {"holder": str(holder)}) for number in numbers]
    account = _named(spec, "account_ref", key.namespace)
    if account and numbers:
        sources = {row.range_name for row in rows}
        content = {
            "ingress": ingress_of(holder),
            "numbers": numbers,
            "account": account,
            "privilege": _named(spec, "call_privilege_ref", key.namespace),
            "holder": str(holder),
            "outsideLine": spec.outside_line,
            "channels": spec.channels,
            # One that is ours to pay makes all of them so: nothing is left unrated.
            "byoc": all(is_paid_elsewhere(scope, source) for source in sources),
        }
        found.append(Entry(LINE, str(holder), owner, {k: v for k, v in content.items() if v}))
    scope.engine.calls.put(owner, found)


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
        kind, namespace, name = owner.split("/", 2)
        return self._engine.cache.get(ObjectKey(kind, namespace, name)) is not None

    def is_held(self, number: str, holder: str) -> bool:
        """A connection that is not at work here may still have given it to him."""
        platform, tenant, _ = holder.split("/", 2)
        runtime = self._engine.runtime_on(ConnectionId(platform, tenant))
        if runtime is None or not runtime.is_ready:
            return True
        row = runtime.mirror.numbers.get(E164(number))
        return row is not None and row.state in HELD and str(row.holder) == holder


def is_paid_elsewhere(scope: Scope, source: str) -> bool:
    """Does the customer pay the carrier of a number by himself? `source` is the range or
    PhoneNumber that the register says it is of.
    """
    namespace, _, name = source.partition("/")
    cache = scope.engine.cache
    for kind in ("NumberRange", "PhoneNumber"):
        cached = cache.get(ObjectKey(kind, namespace, name))
        spec: Any = getattr(cached and cached.resource, "spec", None)
        if spec is None or spec.carrier_ref is None:
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
