"""What is particular to a SipPhone in the pass of a person: its credentials, the line wanted, the
line shown.
"""

from __future__ import annotations

import re
from typing import Any

from callplane.apis.reasons import Reason
from callplane.apis.sip_phones import SipPhone
from callplane.cluster.secret_reading import SecretFound, SecretMissing
from callplane.desired.sip_lines import desired_line
from callplane.engine import call_lines, gathering
from callplane.engine.claims import WantedNumber
from callplane.engine.gathering import Gathered
from callplane.engine.scope import Scope
from callplane.engine.teams_users import ROUTES
from callplane.errors import Stalled, Waiting
from callplane.resources.lines import Line
from callplane.sbc.digests import digest_of
from callplane.values import HolderId

SECRET_LOOK_SECONDS = 15.0
PASSWORD_LEAST = 8
_DIGEST = re.compile(r"[0-9a-f]{32}")


async def digest(scope: Scope, phone: SipPhone, *, domain: str) -> str:
    """MD5 of username:domain:password: as secret as the password, so it goes to the SBC and nowhere
    else. Raises Waiting while the Secret is missing, Stalled for a content that is none.
    """
    credentials = phone.spec.credentials
    reference = credentials.password_ref or credentials.digest_ref
    assert reference is not None, "credentials have one of the two"
    where = f"Secret {phone.namespace}/{reference.name}, key {reference.key}"
    reading = await scope.engine.secrets.read(
        namespace=phone.namespace, name=reference.name, key=reference.key
    )
    if not isinstance(reading, SecretFound):
        missing = "does not exist" if isinstance(reading, SecretMissing) else "has no such key"
        raise Waiting(
            Reason.SECRET_NOT_FOUND, f"{where}: {missing}", after_seconds=SECRET_LOOK_SECONDS
        )
    try:
        text = reading.value.reveal_text()
    except ValueError as error:
        raise Stalled(Reason.INVALID_SPEC, f"{where}: {error}") from None
    if credentials.password_ref is None:
        if not _DIGEST.fullmatch(text):
            raise Stalled(
                Reason.INVALID_SPEC,
                f"{where}: a digest is 32 hexadecimal digits in small letters",
            )
        return text
    if len(text) < PASSWORD_LEAST:
        raise Stalled(
            Reason.INVALID_SPEC, f"{where}: a password has at least {PASSWORD_LEAST} characters"
        )
    return digest_of(phone.spec.username, domain, text)


async def desired(scope: Scope, phone: SipPhone, holder: HolderId, number: WantedNumber) -> Line:
    """The line that the spec asks for. An emergency location that is named must be there."""
    await gathering.named_location(scope, phone.spec.emergency_location_ref, number.location)
    return desired_line(holder, number=number.desired)


async def check_credentials(scope: Scope, phone: SipPhone, gathered: Gathered) -> None:
    """A phone that nobody can prove to be is given no number."""
    await digest(scope, phone, domain=gathered.runtime.connection.external_id)


async def tell_call_control(scope: Scope, phone: SipPhone, gathered: Gathered) -> None:
    """The SBC learns from call control what the phone proves itself by."""
    realm = gathered.runtime.connection.external_id
    found = await digest(scope, phone, domain=realm)
    call_lines.say_phone(scope, phone.spec.username, realm, found)


def show(scope: Scope, observed: Line) -> None:
    """What the status says the phone has."""
    status: dict[str, Any] = scope.status
    number = observed.number
    status["holderId"] = observed.holder.user_id
    status["phoneNumber"] = (
        {"e164": number.number.text, "type": ROUTES[number.number_type]} if number else None
    )
    status["drift"] = []
