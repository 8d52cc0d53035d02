"""Simwood's ports: geographic (gnp) and mobile (mnp), with what cannot be ported by API at all."""

from __future__ import annotations

import re
from typing import Any

from callplane.simulators.carriers import porting
from callplane.simulators.carriers.porting import PortRequest
from callplane.simulators.carriers.routing import Call
from callplane.simulators.carriers.rows import Port
from callplane.simulators.exchange import Response, json_response
from callplane.simulators.simwood import refusals
from callplane.simulators.simwood.inventory import ok
from callplane.simulators.simwood.world import GNP_STATES, MNP_STATES

LOSING_CARRIERS = (("Northern Example Telecom", "001"), ("Southern Example Voice", "002"))
"""Made-up carriers to port from."""
SAMPLE_PORT_MINOR = 1_000
"""What a port costs here: a sample."""

_MANDATORY = (
    "mbn", "lcp", "lcp_cupid", "contact_email", "account_number", "billing_postcode", "type",
    "lines", "channels",
)  # fmt: skip
_OPTIONAL = ("port_date", "orig_ref", "customer", "numbers")
_TYPES = ("single", "multi", "sub_single", "sub_multi")
_NATIONAL = re.compile(r"0[1-9]\d{8,9}")
_PAC = re.compile(r"[A-Z]{3}\d{6}")


def open_gnp(call: Call) -> Response:
    """POST gnp: numbers are in national form."""
    body = call.body
    for name in body:
        if name not in (*_MANDATORY, *_OPTIONAL):
            raise refusals.failed(f"Invalid parameter {name}")
    missing = [name for name in _MANDATORY if body.get(name) in (None, "")]
    if missing:
        raise refusals.failed(f"{missing[0]} is required")
    if body["type"] not in _TYPES:
        raise refusals.failed(f"type must be one of {', '.join(_TYPES)}")
    if str(body["lcp_cupid"]).zfill(3) not in {cupid for _, cupid in LOSING_CARRIERS}:
        raise refusals.failed("lcp_cupid is not a known losing communications provider")
    if "orig_ref" in body:
        before = call.account.ports.get(str(body["orig_ref"]))
        if before is None or before.is_open:
            raise refusals.failed("orig_ref is not a closed port of this account")
    numbers = body.get("numbers", [])
    if not isinstance(numbers, list) or not all(isinstance(each, dict) for each in numbers):
        raise refusals.failed("numbers must be an array of numbers")
    also = [each for each in numbers if each.get("action") == "port"]
    wanted = [_ported(body["mbn"]), *(_ported(each.get("number")) for each in also)]
    port = porting.open_port(
        call.world,
        call.account,
        PortRequest(list(dict.fromkeys(wanted)), "gnp", GNP_STATES, body),
    )
    port.date = str(body.get("port_date", ""))
    call.world.charge(call.account, "port", wanted[0], SAMPLE_PORT_MINOR)
    url = f"{call.request.origin()}/v3/porting/{call.account.id}/gnp/{port.id}"
    return json_response({"success": True, "ref": port.id, "url": url})


def list_gnp(call: Call) -> Response:
    """GET gnp: open or recent."""
    return ok([_row(port) for port in call.account.ports.values() if port.kind == "gnp"])


def get_gnp(call: Call) -> Response:
    """GET gnp/{ref}, with events."""
    port = call.account.ports.get(call.names["ref"])
    if port is None or port.kind != "gnp":
        raise refusals.unknown("Port", call.names["ref"])
    return ok(_row(port) | {"events": [_event(event) for event in port.events]})


def open_mnp(call: Call) -> Response:
    """POST mnp: a mobile number with its authorisation code."""
    pac = str(call.body.get("pac", ""))
    if not _PAC.fullmatch(pac):
        raise refusals.failed("pac is not a valid PAC")
    msisdn = str(call.body.get("msisdn", ""))
    if not re.fullmatch(r"447\d{9}", msisdn):
        raise refusals.failed("msisdn is not a UK mobile number")
    if not call.body.get("contact_email"):
        raise refusals.failed("contact_email is required")
    port = porting.open_port(
        call.world, call.account, PortRequest((f"+{msisdn}",), "mnp", MNP_STATES, call.body)
    )
    call.world.charge(call.account, "port", f"+{msisdn}", SAMPLE_PORT_MINOR)
    return json_response({"success": True, "ref": port.id})


def get_mnp(call: Call) -> Response:
    """GET mnp/{pac}."""
    for port in call.account.ports.values():
        if port.kind == "mnp" and port.details.get("pac") == call.names["pac"]:
            return ok(_row(port) | {"events": [_event(event) for event in port.events]})
    raise refusals.unknown("PAC", call.names["pac"])


def list_carriers(call: Call) -> Response:
    """GET lcps: who can be ported from."""
    return json_response(
        {"success": True, "cps": [{"cpName": n, "cupid": c} for n, c in LOSING_CARRIERS]}
    )


def _ported(number: Any) -> str:
    """A national number with plus and country code. Raises Refusal for what cannot be ported."""
    if not isinstance(number, str) or not _NATIONAL.fullmatch(number):
        raise refusals.failed("Number must be in national format, such as 01632960100")
    if number.startswith(("070", "09")):
        raise refusals.failed(f"{number} cannot be ported")
    if number.startswith(("03", "084", "087")):
        raise refusals.failed(f"{number} cannot be ported by API; raise a ticket")
    return f"+44{number[1:]}"


def _row(port: Port) -> dict[str, object]:
    return {
        "ref": port.id,
        "mbn": port.details.get("mbn"),
        "status_code": port.status,
        "status": port.events[-1]["text"] or port.status,
        "created": port.created_at,
        "port_date": port.date or None,
        "orig_ref": port.details.get("orig_ref"),
    }


def _event(event: dict[str, object]) -> dict[str, object]:
    return {"date": event["at"], "status_code": event["status"], "comment": event["text"]}
