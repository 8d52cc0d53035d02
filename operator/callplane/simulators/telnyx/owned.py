"""Telnyx's owned numbers: list, change, lock, release, and jobs that do so to many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callplane.simulators.carriers import listings
from callplane.simulators.carriers.refusals import Refusal
from callplane.simulators.carriers.routing import Call
from callplane.simulators.carriers.rows import NumberRow
from callplane.simulators.exchange import Response
from callplane.simulators.faults import Effect
from callplane.simulators.telnyx import refusals
from callplane.simulators.telnyx.wire import data, paged, text_list, wanted

_CHANGEABLE = frozenset(
    {
        "connection_id",
        "tags",
        "customer_reference",
        "billing_group_id",
        "external_pin",
        "address_id",
        "hd_voice_enabled",
    }
)
_JOB_NUMBERS_MAX = 1000
_FORWARDING = {"call_forwarding_enabled": False, "forwards_to": "", "forwarding_type": "always"}


def list_numbers(call: Call) -> Response:
    """GET phone_numbers."""
    rows = [row for row in listings.owned(call.world, call.account) if _fits(call, row)]
    return paged(call, rows, lambda row: shown(call, row))


def list_slim(call: Call) -> Response:
    """GET phone_numbers/slim: fewer fields."""
    rows = [row for row in listings.owned(call.world, call.account) if _fits(call, row)]
    left_out = ("connection_name", "deletion_lock_enabled", "tags")

    def slim(row: NumberRow) -> object:
        document = {n: v for n, v in shown(call, row).items() if n not in left_out}
        return {n: v for n, v in document.items() if v is not None}

    return paged(call, rows, slim)


def get_number(call: Call) -> Response:
    """GET phone_numbers/{id}."""
    row = mine(call, call.names["id"])
    seen = call.world.seen(row.e164)
    if seen is None or seen.owner != call.account.id:
        raise refusals.not_found(call.names["id"])
    return data(shown(call, seen))


def update(call: Call) -> Response:
    """PATCH phone_numbers/{id}; the deletion lock cannot be set here and is left alone."""
    row = mine(call, call.names["id"])
    changes = {name: value for name, value in call.body.items() if name in _CHANGEABLE}
    if partly := call.strike(Effect.APPLIED_IN_PART):
        changes = dict(list(changes.items())[: -partly.count])
    return data(shown(call, _change(call, row, changes)))


def release(call: Call) -> Response:
    """DELETE phone_numbers/{id}: answers the record as it was."""
    row = mine(call, call.names["id"])
    document = shown(call, row) | {"status": "deleted"}
    _release(call, row)
    for name in ("country_iso_alpha2", "inbound_call_screening", "source_type", "emergency_status"):
        document.pop(name)
    return data({name: value for name, value in document.items() if value is not None})


def get_voice(call: Call) -> Response:
    """GET phone_numbers/{id}/voice."""
    return data(_voice(mine(call, call.names["id"])))


def update_voice(call: Call) -> Response:
    """PATCH phone_numbers/{id}/voice."""
    row = mine(call, call.names["id"])
    before = row.attributes.get("voice")
    voice = {**(before if isinstance(before, dict) else {}), **call.body}
    return data(_voice(call.world.set_attributes(row, {"voice": voice}, by=call.who)))


def enable_emergency(call: Call) -> Response:
    """POST phone_numbers/{id}/actions/enable_emergency."""
    row = mine(call, call.names["id"])
    address = call.body.get("emergency_address_id")
    enabled = call.body.get("emergency_enabled") is True
    if enabled and address not in call.account.shelf("addresses"):
        raise refusals.unprocessable("emergency_address_id is unknown", "/emergency_address_id")
    changes = {"emergency_address_id": address if enabled else None}
    return data(_voice(call.world.set_attributes(row, changes, by=call.who)))


# Jobs.


def delete_many(call: Call) -> Response:
    """POST phone_numbers/jobs/delete_phone_numbers."""
    return _job(call, "delete_phone_numbers", lambda row: _release(call, row))


def update_many(call: Call) -> Response:
    """POST phone_numbers/jobs/update_phone_numbers: the only way to the deletion lock."""
    names = (*_CHANGEABLE, "deletion_lock_enabled", "voice")
    changes = {name: value for name, value in call.body.items() if name in names}

    def change(row: NumberRow) -> None:
        _change(call, row, changes)

    return _job(call, "update_phone_numbers", change)


def get_job(call: Call) -> Response:
    """GET phone_numbers/jobs/{id}."""
    job = call.account.shelf("jobs").get(call.names["id"])
    if job is None:
        raise refusals.not_found(call.names["id"])
    return data(job)


def list_jobs(call: Call) -> Response:
    """GET phone_numbers/jobs."""
    return paged(call, list(call.account.shelf("jobs").values()), lambda job: job)


def _job(call: Call, kind: str, deed: Callable[[NumberRow], None]) -> Response:
    keys = text_list(call.body, "phone_numbers")
    if len(keys) > _JOB_NUMBERS_MAX:
        raise refusals.unprocessable(f"At most {_JOB_NUMBERS_MAX} numbers", "/phone_numbers")
    if len({key.startswith("+") for key in keys}) > 1:
        raise refusals.unprocessable("Ids and numbers cannot be mixed", "/phone_numbers")
    numbers = [_name(_found(call, key)) for key in keys]
    world = call.world
    job: dict[str, Any] = {
        "id": world.new_guid("job"),
        "record_type": "phone_numbers_job",
        "type": kind,
        "status": "pending",
        "phone_numbers": numbers,
        "pending_operations": list(numbers),
        "successful_operations": [],
        "failed_operations": [],
        "created_at": world.timestamp(),
        "updated_at": world.timestamp(),
    }
    call.account.shelf("jobs")[job["id"]] = job
    failing = call.strike(Effect.ORDER_PARTIAL)

    def work(_: float) -> None:
        for index, name in enumerate(numbers):
            try:
                if failing is not None and index == len(numbers) - 1:
                    raise refusals.unprocessable(failing.message)
                deed(_found(call, name["id"]))
                job["successful_operations"].append(name)
            except Refusal as refusal:
                job["failed_operations"].append({**name, "errors": [_error(refusal)]})
        job["pending_operations"] = []
        job["status"] = "completed"

    accepted = {**job, "pending_operations": list(numbers)}
    accepted["successful_operations"], accepted["failed_operations"] = [], []
    slow = call.strike(Effect.ORDER_SLOW)
    seconds = slow.seconds if slow is not None else world.settings.order_seconds
    world.later(world.now() + seconds, work)
    return data(accepted, status=202)


def _error(refusal: Refusal) -> dict[str, object]:
    return {"code": refusal.code, "title": "Bad Request", "detail": refusal.message}


def _name(row: NumberRow) -> dict[str, str]:
    return {"id": row.id, "phone_number": row.e164}


def _found(call: Call, key: str) -> NumberRow:
    try:
        return mine(call, key)
    except Refusal:
        raise refusals.unprocessable(f"{key} is not a number of this account") from None


# Words.


def mine(call: Call, key: str) -> NumberRow:
    """An owned number by id or by itself. Raises Refusal."""
    if key.startswith("+"):
        named = call.world.stock.get(key)
        if named is not None and named.owner == call.account.id:
            return named
    row = call.world.owned_by_id(call.account, key)
    if row is None:
        raise refusals.not_found(key)
    return row


def shown(call: Call, row: NumberRow) -> dict[str, Any]:
    """An owned number as the listing shows it."""
    attributes = row.attributes
    connection = attributes.get("connection_id")
    name = None
    for shelf in ("fqdn_connections", "ip_connections"):
        found = call.account.shelf(shelf).get(str(connection))
        name = found["connection_name"] if found is not None else name
    address = attributes.get("emergency_address_id")
    return {
        "id": row.id,
        "record_type": "phone_number",
        "phone_number": row.e164,
        "phone_number_type": row.kind,
        "country_iso_alpha2": row.country,
        "status": row.state,
        "tags": attributes.get("tags", []),
        "customer_reference": attributes.get("customer_reference"),
        "connection_id": connection,
        "connection_name": name,
        "billing_group_id": attributes.get("billing_group_id"),
        "external_pin": attributes.get("external_pin"),
        "deletion_lock_enabled": attributes.get("deletion_lock_enabled", False),
        "emergency_enabled": address is not None,
        "emergency_address_id": address,
        "emergency_status": "active" if address is not None else "disabled",
        "call_forwarding_enabled": False,
        "call_recording_enabled": False,
        "caller_id_name_enabled": False,
        "cnam_listing_enabled": False,
        "hd_voice_enabled": attributes.get("hd_voice_enabled", False),
        "inbound_call_screening": "disabled",
        "t38_fax_gateway_enabled": False,
        "messaging_profile_id": None,
        "messaging_profile_name": None,
        "source_type": "port_request" if attributes["source"] == "ported" else "number_order",
        "activated_at": row.since,
        "purchased_at": row.since,
        "created_at": row.since,
        "updated_at": row.since,
    }


def _voice(row: NumberRow) -> dict[str, object]:
    voice = row.attributes.get("voice")
    address = row.attributes.get("emergency_address_id")
    emergency: dict[str, object] = {
        "emergency_enabled": address is not None,
        "emergency_status": "active" if address is not None else "disabled",
    }
    if address is not None:
        emergency["emergency_address_id"] = address
    return {
        "id": row.id,
        "record_type": "voice_settings",
        "phone_number": row.e164,
        "connection_id": str(row.attributes.get("connection_id") or ""),
        "customer_reference": str(row.attributes.get("customer_reference") or ""),
        "tech_prefix_enabled": False,
        "translated_number": "",
        "call_forwarding": dict(_FORWARDING),
        "emergency": emergency,
        "usage_payment_method": "pay-per-minute",
        "inbound_call_screening": "disabled",
        **(voice if isinstance(voice, dict) else {}),
    }


def _change(call: Call, row: NumberRow, changes: dict[str, object]) -> NumberRow:
    connection = changes.get("connection_id")
    shelves = ("fqdn_connections", "ip_connections")
    if connection and not any(connection in call.account.shelf(shelf) for shelf in shelves):
        raise refusals.unprocessable("connection_id is unknown", "/connection_id")
    return call.world.set_attributes(row, changes, by=call.who)


def _release(call: Call, row: NumberRow) -> None:
    if row.attributes.get("deletion_lock_enabled"):
        raise refusals.unprocessable("The number has a deletion lock and cannot be deleted.")
    call.world.release(row.e164, by=call.who)


def _fits(call: Call, row: NumberRow) -> bool:
    tag, reference = wanted(call, "tag"), wanted(call, "customer_reference")
    number, connection = wanted(call, "phone_number"), wanted(call, "connection_id")
    tags = row.attributes.get("tags")
    tags = tags if isinstance(tags, list) else []
    return (
        (tag is None or tag in tags)
        and (reference is None or reference == row.attributes.get("customer_reference"))
        and (number is None or number.lstrip("+") in row.e164)
        and (connection is None or connection == row.attributes.get("connection_id"))
        and (wanted(call, "status") or row.state) == row.state
        and (wanted(call, "country_iso_alpha2") or row.country) == row.country
        and (wanted(call, "source") or row.attributes["source"]) == row.attributes["source"]
        and (wanted(call, "without_tags") != "true" or not tags)
    )
