"""DIDWW's owned numbers, the trunks they ring on and the emergency service they have."""

from __future__ import annotations

from typing import Any

from callplane.simulators.carriers import listings
from callplane.simulators.carriers.routing import Call
from callplane.simulators.carriers.rows import NumberRow
from callplane.simulators.didww.wire import (
    answer,
    attributes_of,
    not_found,
    paged,
    refused,
    related,
    resource,
)
from callplane.simulators.didww.world import DidwwWorld, group_id
from callplane.simulators.exchange import Response
from callplane.simulators.faults import Effect

_CHANGEABLE = frozenset(
    {"description", "capacity_limit", "dedicated_channels_count", "billing_cycles_count"}
)
_TRUNK_KINDS = {
    "voice_in_trunk": "voice_in_trunks",
    "voice_in_trunk_group": "voice_in_trunk_groups",
}


def list_dids(call: Call) -> Response:
    """GET dids."""
    query = call.request.query
    rows = [
        row
        for row in listings.owned(call.world, call.account)
        if query.get("filter[number]", row.e164[1:]) == row.e164[1:]
        and query.get("filter[number_contains]", "") in row.e164
        and query.get("filter[order.id]", _order_of(call, row)) == _order_of(call, row)
    ]
    return paged(call, rows, lambda row: shown(call, row))


def get_did(call: Call) -> Response:
    """GET dids/{id}, terminated ones included."""
    gone = call.account.shelf("terminated").get(call.names["id"])
    if gone is not None:
        row = gone["row"]
        assert isinstance(row, NumberRow)
        return answer(shown(call, row, is_terminated=True))
    seen = call.world.seen(_mine(call).e164)
    if seen is None or seen.owner != call.account.id:
        raise not_found()
    return answer(shown(call, seen))


def update_did(call: Call) -> Response:
    """PATCH dids/{id}: fields, a trunk or a group of trunks, the end of it."""
    row, attributes = _mine(call), attributes_of(call.body)
    world = call.world
    assert isinstance(world, DidwwWorld)
    if attributes.get("terminated") is True:
        document = shown(call, row, is_terminated=True)
        world.terminate(row, by=call.who)
        return answer(document)
    changes: dict[str, object] = {
        name: value for name, value in attributes.items() if name in _CHANGEABLE
    }
    for name, shelf in _TRUNK_KINDS.items():
        link = related(call.body, name)
        if isinstance(link, dict):
            if link.get("id") not in call.account.shelf(shelf):
                raise refused(f"{name} - is invalid", f"/data/relationships/{name}")
            changes |= dict.fromkeys(_TRUNK_KINDS) | {name: link["id"]}
        elif link is False:
            changes[name] = None
    if partly := call.strike(Effect.APPLIED_IN_PART):
        changes = dict(list(changes.items())[: -partly.count])
    row = world.set_attributes(row, changes, by=call.who)
    cycles = changes.get("billing_cycles_count")
    if type(cycles) is int:
        world.lapse_after(row, cycles, by=call.who)
    return answer(shown(call, row))


def shown(call: Call, row: NumberRow, *, is_terminated: bool = False) -> dict[str, object]:
    """An owned number."""
    attributes = row.attributes
    emergency = _emergency_of(call, row)
    order = _order_of(call, row)
    trunks = {
        name: (kind, str(attributes[name])) if name in attributes else None
        for name, kind in _TRUNK_KINDS.items()
    }
    return resource(
        "dids",
        row.id,
        {
            "number": row.e164[1:],
            "blocked": row.state == "blocked",
            "awaiting_registration": bool(attributes.get("awaiting_registration")),
            "terminated": is_terminated,
            "description": attributes.get("description"),
            "capacity_limit": attributes.get("capacity_limit"),
            "billing_cycles_count": attributes.get("billing_cycles_count"),
            "dedicated_channels_count": attributes.get("dedicated_channels_count", 0),
            "channels_included_count": 2,
            "emergency_enabled": emergency is not None,
            "created_at": row.since,
            "expires_at": None,
        },
        {
            "did_group": ("did_groups", group_id(row)),
            "order": ("orders", order) if order else None,
            "emergency_calling_service": (
                ("emergency_calling_services", emergency) if emergency else None
            ),
            **trunks,
        },
    )


def list_verifications(call: Call) -> Response:
    """GET address_verifications, by status: what became of the papers of numbers."""
    status = call.request.query.get("filter[status]")
    rows = [
        (key, each)
        for key, each in call.account.shelf("address_verifications").items()
        if status in (None, each["status"])
    ]
    return paged(call, rows, lambda pair: _verification(*pair))


def _verification(key: str, row: dict[str, object]) -> dict[str, object]:
    links = row["_dids"]
    assert isinstance(links, list)
    fields = {name: value for name, value in row.items() if not name.startswith("_")}
    shown_row = resource("address_verifications", key, fields)
    dids = {"data": [{"type": "dids", "id": each} for each in links]}
    return shown_row | {"relationships": {"dids": dids}}


# Trunks and emergency services.


def list_trunks(call: Call) -> Response:
    """GET voice_in_trunks."""
    rows = list(call.account.shelf("voice_in_trunks").items())
    return paged(call, rows, lambda pair: resource("voice_in_trunks", *pair))


def create_trunk(call: Call) -> Response:
    """POST voice_in_trunks."""
    attributes = attributes_of(call.body)
    for name in ("name", "configuration"):
        if not attributes.get(name):
            raise refused(f"{name} - can't be blank", f"/data/attributes/{name}")
    key = call.world.new_guid("trunk")
    trunk = {"priority": 1, "weight": 65535, "cli_format": "e164", **attributes}
    call.account.shelf("voice_in_trunks")[key] = trunk
    return answer(resource("voice_in_trunks", key, trunk), status=201)


def get_trunk(call: Call) -> Response:
    """GET voice_in_trunks/{id}."""
    return answer(resource("voice_in_trunks", call.names["id"], _trunk(call)))


def update_trunk(call: Call) -> Response:
    """PATCH voice_in_trunks/{id}."""
    trunk = _trunk(call)
    trunk.update(attributes_of(call.body))
    return answer(resource("voice_in_trunks", call.names["id"], trunk))


def delete_trunk(call: Call) -> Response:
    """DELETE voice_in_trunks/{id}; not while a number rings on it."""
    _trunk(call)
    for row in call.world.owned(call.account):
        if row.attributes.get("voice_in_trunk") == call.names["id"]:
            raise refused("voice_in_trunk - is in use")
    del call.account.shelf("voice_in_trunks")[call.names["id"]]
    return Response(204)


def create_emergency(call: Call) -> Response:
    """POST emergency_calling_services: for some numbers, at an address; active after a while."""
    attributes, links = attributes_of(call.body), related(call.body, "dids")
    if not isinstance(links, list) or not links:
        raise refused("dids - can't be blank", "/data/relationships/dids")
    keys = [str(link.get("id")) for link in links]
    for key in keys:
        if call.world.owned_by_id(call.account, key) is None:
            raise refused("dids - is invalid", "/data/relationships/dids")
    if not isinstance(related(call.body, "address"), dict):
        raise refused("address - can't be blank", "/data/relationships/address")
    world = call.world
    service: dict[str, object] = {
        "name": attributes.get("name"),
        "status": "new",
        "created_at": world.timestamp(),
        "_dids": keys,
    }
    key = world.new_guid("emergency")
    call.account.shelf("emergency_calling_services")[key] = service

    def activate(_: float) -> None:
        if service["status"] == "new":
            service["status"] = "active"

    world.later(world.now() + world.settings.order_seconds, activate)
    return answer(_emergency(key, service), status=201)


def get_emergency(call: Call) -> Response:
    """GET emergency_calling_services/{id}."""
    service = call.account.shelf("emergency_calling_services").get(call.names["id"])
    if service is None:
        raise not_found()
    return answer(_emergency(call.names["id"], service))


def list_emergency(call: Call) -> Response:
    """GET emergency_calling_services."""
    rows = list(call.account.shelf("emergency_calling_services").items())
    return paged(call, rows, lambda pair: _emergency(*pair))


def cancel_emergency(call: Call) -> Response:
    """DELETE emergency_calling_services/{id}."""
    services = call.account.shelf("emergency_calling_services")
    if services.pop(call.names["id"], None) is None:
        raise not_found()
    return Response(204)


def _emergency(key: str, service: dict[str, object]) -> dict[str, object]:
    shown_fields = {name: value for name, value in service.items() if not name.startswith("_")}
    return resource("emergency_calling_services", key, shown_fields)


def _emergency_of(call: Call, row: NumberRow) -> str | None:
    for key, service in call.account.shelf("emergency_calling_services").items():
        keys = service["_dids"]
        if isinstance(keys, list) and row.id in keys and service["status"] == "active":
            return key
    return None


def _order_of(call: Call, row: NumberRow) -> str:
    for order in call.account.orders.values():
        if any(n.e164 == row.e164 and n.status == "success" for n in order.numbers):
            return order.id
    return ""


def _mine(call: Call) -> NumberRow:
    row = call.world.owned_by_id(call.account, call.names["id"])
    if row is None:
        raise not_found()
    return row


def _trunk(call: Call) -> dict[str, Any]:
    trunk = call.account.shelf("voice_in_trunks").get(call.names["id"])
    if trunk is None:
        raise not_found()
    return trunk
