"""A person whom a spec asks to create, before anything else is done for them.

Until they exist nobody knows their id, so the write is recorded under their address. An answer that
says no proves nothing: Webex may have created them all the same, and then they are found.
"""

from __future__ import annotations

from callplane.apis.reasons import Reason
from callplane.apis.webex_users import WebexUser
from callplane.desired.declarations import PersonObject, person_key
from callplane.engine import guarding, holders, intents, writing
from callplane.engine.gathering import Gathered
from callplane.engine.scope import Scope
from callplane.errors import Waiting
from callplane.plan.change import Change, Operation
from callplane.values import HolderId


async def ensure_person(scope: Scope, user: PersonObject, gathered: Gathered) -> None:
    """Raises Waiting once the person was created; the next pass finds them."""
    if not isinstance(user, WebexUser) or user.spec.create is None:
        return
    runtime = gathered.runtime
    if runtime.mirror.holder_declared_by(scope.cached.uid) is not None:
        # Somebody who was there and is gone is never made anew: it would be another person.
        return
    key = person_key(user)
    placeholder = runtime.holder(key)
    await intents.settle(scope, gathered, placeholder)
    if await holders.find_person(gathered, key) is not None:
        return
    change = _creation(gathered, user, placeholder)
    guarding.check_incident(scope, gathered, (change,))
    await writing.apply(scope, gathered, placeholder, guarding.Allowed((change,)))


def awaits(user: PersonObject) -> Waiting | None:
    """What a plan says of somebody who is to be created."""
    if not isinstance(user, WebexUser) or user.spec.create is None:
        return None
    return Waiting(
        Reason.PROGRESSING,
        f"{person_key(user)} is created first, and gets the rest afterwards",
        after_seconds=0.0,
    )


def _creation(gathered: Gathered, user: WebexUser, placeholder: HolderId) -> Change:
    assert user.spec.create is not None
    return Change(
        connection=gathered.runtime.connection,
        operation=Operation.CREATE_PERSON,
        platform=placeholder.platform,
        subject=placeholder.user_id,
        before=None,
        after={
            "firstName": user.spec.create.first_name,
            "lastName": user.spec.create.last_name,
        },
    )
