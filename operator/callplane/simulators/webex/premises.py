"""Trunks, route groups and route lists of local gateways: names to route to, no signalling."""

from __future__ import annotations

from callplane.simulators.exchange import Response, json_response
from callplane.simulators.webex import calls, refusals
from callplane.simulators.webex.calls import Call
from callplane.simulators.webex.locations import find_calling
from callplane.simulators.webex.organisation import Organisation
from callplane.simulators.webex.rows import TrunkRow

_PAGE_SIZE = 1000
_STATIC_TRUNK = ("address", "domain", "port", "maxConcurrentCalls")


def list_trunks(call: Call) -> Response:
    """GET premisePstn/trunks."""
    organisation = call.organisation
    rows = list(organisation.trunks.values())
    size = call.whole("max", default=_PAGE_SIZE, largest=_PAGE_SIZE)
    shown, headers = calls.page(call, rows, size=size)
    documents = [_summary(organisation, row) for row in shown]
    return calls.listing(call, "trunks", documents, headers)


def create_trunk(call: Call) -> Response:
    """POST premisePstn/trunks. The password is not kept."""
    organisation = call.organisation
    name, trunk_type = call.needed("name"), call.needed("trunkType")
    call.needed("password")
    if trunk_type not in ("REGISTERING", "CERTIFICATE_BASED"):
        raise refusals.bad_request("trunkType: REGISTERING or CERTIFICATE_BASED is wanted")
    location = find_calling(organisation, call.needed("locationId"))
    if any(row.name == name for row in organisation.trunks.values()):
        raise refusals.conflict(f"A trunk named {name!r} exists already.")
    given = [each for each in _STATIC_TRUNK if call.body.get(each) is not None]
    if given and len(given) < len(_STATIC_TRUNK):
        raise refusals.bad_request(f"A static trunk needs all of {list(_STATIC_TRUNK)}.")
    body = {key: value for key, value in call.body.items() if key != "password"}
    row = TrunkRow(organisation.new_id("TRUNK"), name, location.id, trunk_type, body)
    organisation.trunks[row.id] = row
    return json_response({"id": row.id}, status=201)


def get_trunk(call: Call) -> Response:
    """GET premisePstn/trunks/{id}."""
    organisation, row = call.organisation, _trunk(call)
    summary = _summary(organisation, row)
    return json_response(
        {
            **summary,
            "organization": {"id": organisation.webex_id, "name": organisation.name},
            "otgDtgId": f"{row.name.lower()}_lgu",
            "linePort": f"{row.name.lower()}@trunk.example",
            "locationsUsingTrunk": [
                {"id": location.id, "name": location.name}
                for location in organisation.locations.rows()
                if location.route_id == row.id
            ],
            "pilotUserId": organisation.webex_id,
            "outboundProxy": {"sipAccessServiceType": "NONE"},
            "sipAuthenticationUserName": row.name.lower(),
            "status": "online",
            "errorCodes": [],
            "responseStatus": [],
            "dualIdentitySupportEnabled": row.body.get("dualIdentitySupportEnabled") is True,
            "deviceType": str(row.body.get("deviceType", "Cisco Unified Border Element")),
            "address": row.body.get("address"),
            "domain": row.body.get("domain"),
            "port": row.body.get("port"),
            "maxConcurrentCalls": row.body.get("maxConcurrentCalls", 250),
        }
    )


def delete_trunk(call: Call) -> Response:
    """DELETE premisePstn/trunks/{id}, unless somebody routes to it."""
    row = _trunk(call)
    if _is_used(call.organisation, row):
        raise refusals.conflict("The trunk is in use.")
    del call.organisation.trunks[row.id]
    return Response(204)


def list_route_groups(call: Call) -> Response:
    """GET premisePstn/routeGroups."""
    organisation = call.organisation
    documents = [
        {"id": key, "name": group["name"], "inUse": False}
        for key, group in organisation.route_groups.items()
    ]
    return json_response({"routeGroups": documents})


def create_route_group(call: Call) -> Response:
    """POST premisePstn/routeGroups."""
    organisation = call.organisation
    call.needed("name")
    for gateway in call.mappings("localGateways") or []:
        if calls.text_of(gateway, "id") not in organisation.trunks:
            raise refusals.bad_request("localGateways: there is no such trunk")
    key = organisation.new_id("ROUTE_GROUP")
    organisation.route_groups[key] = dict(call.body)
    return json_response({"id": key}, status=201)


def list_route_lists(call: Call) -> Response:
    """GET premisePstn/routeLists: there are none."""
    return json_response({"routeLists": []})


def _trunk(call: Call) -> TrunkRow:
    row = call.organisation.trunks.get(call.keys["trunk"])
    if row is None:
        raise refusals.not_found("There is no such trunk.")
    return row


def _is_used(organisation: Organisation, row: TrunkRow) -> bool:
    return any(location.route_id == row.id for location in organisation.locations.rows())


def _summary(organisation: Organisation, row: TrunkRow) -> dict[str, object]:
    location = organisation.locations.get(row.location_id)
    name = location.name if location is not None else ""
    return {
        "id": row.id,
        "name": row.name,
        "location": {"id": row.location_id, "name": name},
        "inUse": _is_used(organisation, row),
        "trunkType": row.trunk_type,
        "isRestrictedToDedicatedInstance": False,
    }
