"""Telnyx's simple things, each with a list and the four ways to one: connections, hosts, addresses.

Defaults are the vendor's, its inbound number formats included, which are not E.164 with plus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from callplane.simulators.carriers.routing import Call, Route
from callplane.simulators.exchange import Response, json_response
from callplane.simulators.faults import Effect
from callplane.simulators.telnyx import refusals
from callplane.simulators.telnyx.wire import data, paged


@dataclass(frozen=True, slots=True)
class Thing:
    """One sort of thing. `one` and `many` are its names in request kinds."""

    shelf: str
    one: str
    many: str
    record_type: str
    required: tuple[str, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    created_status: int = 200
    is_wrapped: bool = True
    """False: an answer is the thing itself, not `{"data": …}`."""

    def routes(self) -> Sequence[Route]:
        """Its five requests."""
        path = f"/v2/{self.shelf}"
        single = path + "/{id}"
        return (
            Route(f"list{self.many}", "GET", path, self.find, is_listing=True),
            Route(f"create{self.one}", "POST", path, self.create, is_write=True),
            Route(f"get{self.one}", "GET", single, self.get, subject="id"),
            Route(f"update{self.one}", "PATCH", single, self.update, is_write=True, subject="id"),
            Route(f"delete{self.one}", "DELETE", single, self.delete, is_write=True, subject="id"),
        )

    def find(self, call: Call) -> Response:
        """All of them, in the order they were made."""
        rows = list(call.account.shelf(self.shelf).values())
        if not self.is_wrapped:
            return json_response(rows)
        return paged(call, rows, lambda row: row)

    def create(self, call: Call) -> Response:
        """A new one."""
        for name in self.required:
            if call.body.get(name) in (None, ""):
                raise refusals.unprocessable(f"{name} is required", f"/{name}")
        self._check(call)
        world = call.world
        thing = _merged(self.defaults, self._applied(call))
        thing["id"] = str(1_521_916_448_077_776_000 + world.new_number())
        thing["record_type"] = self.record_type
        thing["created_at"] = thing["updated_at"] = world.timestamp()
        if self.shelf == "fqdns":
            # The vendor derives the type from the port: a record without one looks up SRV.
            thing["dns_record_type"] = "a" if thing.get("port") else "srv"
        call.account.shelf(self.shelf)[thing["id"]] = thing
        return self._answer(thing, self.created_status)

    def get(self, call: Call) -> Response:
        """One by id."""
        return self._answer(self._one(call), 200)

    def update(self, call: Call) -> Response:
        """Named fields change; the rest stays."""
        thing = self._one(call)
        self._check(call)
        changed = _merged(thing, self._applied(call))
        changed["updated_at"] = call.world.timestamp()
        call.account.shelf(self.shelf)[call.names["id"]] = changed
        return self._answer(changed, 200)

    def delete(self, call: Call) -> Response:
        """Gone; numbers that point at it keep pointing at nothing only if nobody uses it."""
        thing = self._one(call)
        used = [
            row.e164
            for row in call.world.owned(call.account)
            if call.names["id"]
            in (row.attributes.get("connection_id"), row.attributes.get("emergency_address_id"))
        ]
        if used:
            raise refusals.unprocessable(f"In use by {len(used)} numbers.")
        del call.account.shelf(self.shelf)[call.names["id"]]
        return self._answer(thing, 200)

    def _one(self, call: Call) -> dict[str, Any]:
        thing = call.account.shelf(self.shelf).get(call.names["id"])
        if thing is None:
            raise refusals.not_found(call.names["id"])
        return thing

    def _applied(self, call: Call) -> dict[str, Any]:
        fields = {name: value for name, value in call.body.items() if name != "id"}
        partly = call.strike(Effect.APPLIED_IN_PART)
        return fields if partly is None else dict(list(fields.items())[: -partly.count])

    def _check(self, call: Call) -> None:
        for name, allowed in _ENUMS.items():
            if name in call.body and call.body[name] not in allowed:
                raise refusals.unprocessable(f"{name} is invalid", f"/{name}")
        inbound = call.body.get("inbound")
        for name, allowed in _INBOUND_ENUMS.items():
            if isinstance(inbound, dict) and name in inbound and inbound[name] not in allowed:
                raise refusals.unprocessable(f"{name} is invalid", f"/inbound/{name}")
        connection = call.body.get("connection_id")
        shelves = ("fqdn_connections", "ip_connections")
        if connection and not any(connection in call.account.shelf(name) for name in shelves):
            raise refusals.unprocessable("connection_id is unknown", "/connection_id")

    def _answer(self, thing: dict[str, Any], status: int) -> Response:
        return data(thing, status=status) if self.is_wrapped else json_response(thing)


_ENUMS: Mapping[str, tuple[object, ...]] = {
    "transport_protocol": ("UDP", "TCP", "TLS"),
    "encrypted_media": ("SRTP", None),
}
_INBOUND_ENUMS: Mapping[str, tuple[object, ...]] = {
    "ani_number_format": ("+E.164", "E.164", "+E.164-national", "E.164-national"),
    "dnis_number_format": ("+e164", "e164", "national", "sip_username"),
    "sip_region": ("US", "Europe", "Australia"),
}
_CONNECTION: Mapping[str, Any] = {
    "active": True,
    "transport_protocol": "UDP",
    "encrypted_media": None,
    "anchorsite_override": "Latency",
    "tags": [],
    "inbound": {
        "ani_number_format": "E.164-national",
        "dnis_number_format": "e164",
        "sip_region": "US",
        "codecs": ["G722", "G711U", "G711A"],
    },
    "outbound": {},
}
THINGS = (
    Thing(
        "fqdn_connections", "FqdnConnection", "FqdnConnections", "fqdn_connection",
        ("connection_name",), {**_CONNECTION, "microsoft_teams_sbc": False}, 201,
    ),
    Thing(
        "ip_connections", "IpConnection", "IpConnections", "ip_connection", (),
        {**_CONNECTION, "connection_name": ""}, 201,
    ),
    Thing("fqdns", "Fqdn", "Fqdns", "fqdn", ("connection_id", "fqdn", "dns_record_type"), {}, 201),
    Thing("ips", "Ip", "Ips", "ip", ("ip_address",), {"port": 5060}, 201),
    Thing(
        "outbound_voice_profiles", "VoiceProfile", "VoiceProfiles", "outbound_voice_profile",
        ("name",),
        {"enabled": True, "daily_spend_limit_enabled": False, "concurrent_call_limit": None},
    ),
    Thing(
        "addresses", "Address", "Addresses", "address",
        ("first_name", "last_name", "business_name", "country_code", "locality", "street_address"),
    ),
    Thing(
        "requirement_groups", "RequirementGroup", "RequirementGroups", "requirement_group",
        ("country_code", "phone_number_type", "action"),
        {"status": "unapproved", "regulatory_requirements": []}, is_wrapped=False,
    ),
)  # fmt: skip


def submit_group(call: Call) -> Response:
    """POST requirement_groups/{id}/submit_for_approval."""
    group = call.account.shelf("requirement_groups").get(call.names["id"])
    if group is None:
        raise refusals.not_found(call.names["id"])
    group["status"] = "pending-approval"
    return json_response(group)


def _merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`changes` over `before`; mappings inside are merged too."""
    merged = dict(before)
    for name, value in changes.items():
        inner = merged.get(name)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        merged[name] = {**inner, **value} if both else value  # type: ignore[dict-item]
    return merged
