"""What a plan says of numbers at a carrier, from the manifests alone: carriers are not observed by
a plan, so whether a number is there already is the controller's to see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from callplane.apis.carriers import Carrier, CarrierType
from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import Acquisition, PhoneNumber, ReleasePolicy
from callplane.apis.reasons import Reason
from callplane.desired import references
from callplane.engine.scope import Scope
from callplane.plan.document import Level, Note
from callplane.values import E164


def notes(scope: Scope, resource: object) -> tuple[Note, ...]:
    """What a person who reviews the object should know of it."""
    return tuple(_notes(scope, resource)) if isinstance(resource, PhoneNumber) else ()


def remarks(resources: Iterable[object]) -> list[str]:
    """Said once for a plan with numbers at carriers."""
    at_carriers = sum(
        isinstance(each, NumberRange | PhoneNumber) and each.spec.carrier_ref is not None
        for each in resources
    )
    if not at_carriers:
        return []
    said = (
        f"{at_carriers} objects name a carrier; carriers are not observed by a plan, so what would "
        "be set there is not shown"
    )
    return [said]


def _notes(scope: Scope, phone: PhoneNumber) -> Iterator[Note]:
    reference = phone.spec.carrier_ref
    if reference is None:
        return
    number = E164(phone.spec.e164).masked
    key = references.target("Carrier", reference, namespace=phone.namespace)
    cached = scope.engine.cache.get(key)
    carrier = cached.resource if cached is not None else None
    words = {
        Acquisition.ORDER: f"{number} is bought from {key}, unless the account has it already",
        Acquisition.PORT_IN: f"{number} is ported in to {key}, unless it is there already",
    }
    said = words.get(phone.spec.acquisition)
    if said is not None:
        yield _buying(said, carrier)
    if phone.spec.release_policy is not ReleasePolicy.RELEASE:
        return
    if phone.spec.release_acknowledgement is None:
        text = f"{number} is not given back: releaseAcknowledgement is missing"
        yield Note(Level.BLOCKED, Reason.RELEASE_REFUSED, text)
    else:
        text = f"{number} is given back to {key} for ever, after its rest and with an approval"
        yield Note(Level.WAITS, Reason.RELEASE_WAITING, text)


def _buying(said: str, carrier: object) -> Note:
    if not isinstance(carrier, Carrier):
        return Note(Level.WAITS, Reason.DEPENDENCY_NOT_READY, said)
    if carrier.spec.type is CarrierType.BRING_YOUR_OWN:
        return Note(Level.BLOCKED, Reason.UNSUPPORTED, f"{said}: that carrier cannot be asked")
    if not carrier.spec.purchasing.enabled:
        return Note(Level.BLOCKED, Reason.PURCHASING_DISABLED, f"{said}: it does not buy")
    return Note(Level.WAITS, Reason.ORDER_PENDING, said)
