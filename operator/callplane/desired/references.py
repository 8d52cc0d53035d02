"""Which objects an object names, and whether the named one consents.

A missing target and a target that does not consent give the same answer, so that nobody can learn
of objects in namespaces they cannot see.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from callplane.apis.model import Resource
from callplane.apis.references import ConnectionRef, NamespaceConsent, ObjectRef
from callplane.values import ObjectKey


def target(kind: str, reference: ObjectRef, *, namespace: str) -> ObjectKey:
    """The object a reference names; its namespace defaults to the referring object's."""
    return ObjectKey(kind, reference.namespace or namespace, reference.name)


def targets(resource: Resource) -> tuple[ObjectKey, ...]:
    """Every object that `resource` names, present or not, in a stable order."""
    spec: Any = getattr(resource, "spec", None)
    model: Any = type(spec)
    declared = _field_names(model)
    found: list[ObjectKey] = []
    for attribute, kind in _REFERENCES:
        if attribute in declared:
            _take(found, getattr(spec, attribute), kind, resource.namespace)
    for place in ("teams", "webex", "sip"):
        if place in declared:
            service = getattr(spec, place)
            for attribute, kind in _TARGET_REFERENCES:
                _take(found, getattr(service, attribute, None), kind, resource.namespace)
    if "connection_ref" in declared and isinstance(spec.connection_ref, ConnectionRef):
        connection = spec.connection_ref
        found.append(ObjectKey(connection.kind.value, resource.namespace, connection.name))
    if "phone_number" in declared and spec.phone_number is not None:
        for attribute, kind in _NUMBER_REFERENCES:
            reference = getattr(spec.phone_number, attribute, None)
            _take(found, reference, kind, resource.namespace)
    if "number_range_refs" in declared:
        for reference in spec.number_range_refs:
            _take(found, reference, "NumberRange", resource.namespace)
    return tuple(found)


def _take(found: list[ObjectKey], reference: object, kind: str, namespace: str) -> None:
    if isinstance(reference, ObjectRef):
        found.append(target(kind, reference, namespace=namespace))


@functools.cache
def _field_names(model: type) -> frozenset[str]:
    """Asking an object for a field that it has not costs as much as ten that it has."""
    return frozenset(getattr(model, "model_fields", ()))


_REFERENCES = (
    ("tenant_ref", "TeamsTenant"),
    ("organization_ref", "WebexOrganization"),
    ("sbc_ref", "SessionBorderController"),
    ("emergency_location_ref", "EmergencyLocation"),
    ("carrier_ref", "Carrier"),
    ("account_ref", "CallingAccount"),
    ("calling_plan_ref", "CallingPlan"),
    ("call_privilege_ref", "CallPrivilege"),
    ("rate_card_ref", "RateCard"),
    ("destination_set_ref", "DestinationSet"),
)
#: Where a service says what it stands on.
_TARGET_REFERENCES = (
    ("tenant_ref", "TeamsTenant"),
    ("organization_ref", "WebexOrganization"),
    ("sbc_ref", "SessionBorderController"),
)
_NUMBER_REFERENCES = (
    ("range_ref", "NumberRange"),
    ("phone_number_ref", "PhoneNumber"),
)


def consenting_entries(
    owner: Resource, namespace: str, labels: Mapping[str, str]
) -> tuple[NamespaceConsent, ...]:
    """The entries of `allowedNamespaces` that let `namespace` in."""
    spec: Any = getattr(owner, "spec", None)
    entries: Iterable[NamespaceConsent] = getattr(spec, "allowed_namespaces", ())
    return tuple(entry for entry in entries if _admits(entry, namespace, labels))


def consents(owner: Resource, namespace: str, labels: Mapping[str, str]) -> bool:
    """May objects of `namespace` name `owner`? Its own namespace always may."""
    return owner.namespace == namespace or bool(consenting_entries(owner, namespace, labels))


def _admits(entry: NamespaceConsent, namespace: str, labels: Mapping[str, str]) -> bool:
    if entry.name is not None:
        return entry.name == namespace
    if entry.selector is None:
        return False
    return all(labels.get(key) == value for key, value in entry.selector.match_labels.items())
