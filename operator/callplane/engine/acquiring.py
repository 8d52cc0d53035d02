"""A number that is still being bought or ported is nobody's yet: whoever names it waits for it."""

from __future__ import annotations

from callplane.apis.phone_numbers import Acquisition, PhoneNumber
from callplane.apis.reasons import Reason
from callplane.engine.scope import Scope
from callplane.errors import Waiting
from callplane.values import ObjectKey

# The PhoneNumber wakes those who name it; this is only the longest silence.
LOOK_SECONDS = 300.0


def check(scope: Scope, phone: PhoneNumber) -> None:
    """Raises Waiting while the number that an object names is not ours yet."""
    if phone.spec.acquisition is Acquisition.OWNED or phone.spec.carrier_ref is None:
        return
    key = ObjectKey("PhoneNumber", phone.namespace, phone.name)
    cached = scope.engine.cache.get(key)
    shown = (cached.status.get("carrier") or {}) if cached is not None else {}
    if shown.get("state") != "Active":
        raise Waiting(
            Reason.DEPENDENCY_NOT_READY,
            f"{key} is not ours yet; its status says how far it has come",
            after_seconds=LOOK_SECONDS,
        )
