"""Telnyx's porting orders: drafted, completed, confirmed, and then in the hands of two carriers."""

from __future__ import annotations

from typing import Any

from callplane.simulators.carriers import porting
from callplane.simulators.carriers.routing import Call
from callplane.simulators.carriers.rows import Port, derive_guid
from callplane.simulators.exchange import Response
from callplane.simulators.telnyx import refusals
from callplane.simulators.telnyx.wire import data, paged, text_list, wanted

STATES = ("in-process", "submitted", "foc-date-confirmed", "ported")
LOSING_CARRIERS = (("Northern Example Telecom", "001"), ("Southern Example Voice", "002"))
"""Made-up carriers to port from."""

_ENDED = ("ported", "cancelled")


def check(call: Call) -> Response:
    """POST portability_checks."""
    rows = []
    for e164 in text_list(call.body, "phone_numbers"):
        reason = _why_not(e164)
        rows.append(
            {
                "record_type": "portability_check_result",
                "phone_number": e164,
                "portable": reason is None,
                "fast_portable": False,
                "not_portable_reason": reason or "",
            }
        )
    return data(rows, status=201)


def create(call: Call) -> Response:
    """POST porting_orders: a draft. The answer is a list."""
    numbers = text_list(call.body, "phone_numbers")
    for e164 in numbers:
        if reason := _why_not(e164):
            raise refusals.unprocessable(f"{e164}: {reason}", "/phone_numbers")
    world = call.world
    port = Port(
        id=world.new_guid("port"),
        account=call.account.id,
        numbers=tuple(numbers),
        kind="porting_order",
        status="draft",
        created_at=world.timestamp(),
        details={"customer_reference": call.body.get("customer_reference")},
    )
    call.account.ports[port.id] = port
    return data([document(port)], status=201)


def find(call: Call) -> Response:
    """GET porting_orders."""
    ports = list(call.account.ports.values())
    reference, status = wanted(call, "customer_reference"), wanted(call, "status")
    if reference is not None:
        ports = [port for port in ports if port.details.get("customer_reference") == reference]
    if status is not None:
        ports = [port for port in ports if port.status == status]
    return paged(call, ports, document)


def get(call: Call) -> Response:
    """GET porting_orders/{id}."""
    return data(document(_port(call)))


def update(call: Call) -> Response:
    """PATCH porting_orders/{id}: details of a draft, or the correction of an exception."""
    port = _port(call)
    if port.status not in ("draft", "exception"):
        raise refusals.unprocessable(f"The porting order is {port.status}.")
    port.details.update(call.body)
    settings = call.body.get("activation_settings")
    if isinstance(settings, dict) and isinstance(settings.get("foc_datetime_requested"), str):
        port.date = settings["foc_datetime_requested"]
    return data(document(port))


def confirm(call: Call) -> Response:
    """POST porting_orders/{id}/actions/confirm: from draft or exception on its way."""
    port = _port(call)
    if port.status not in ("draft", "exception"):
        raise refusals.unprocessable(f"The porting order is {port.status}.")
    if missing := _missing(port):
        raise refusals.unprocessable(f"{missing} is required", f"/{missing}")
    porting.enter(call.world, port, states=STATES)
    return data(document(port))


def cancel(call: Call) -> Response:
    """POST porting_orders/{id}/actions/cancel."""
    port = _port(call)
    if port.status in _ENDED or port.status == "draft":
        raise refusals.unprocessable(f"The porting order is {port.status}.")
    porting.halt(call.world, port, status="cancelled", text="")
    return data(document(port))


def delete(call: Call) -> Response:
    """DELETE porting_orders/{id}: drafts only."""
    port = _port(call)
    if port.status != "draft":
        raise refusals.unprocessable("Only drafts can be deleted.")
    del call.account.ports[port.id]
    return Response(204)


def list_carriers(call: Call) -> Response:
    """GET porting/uk_carriers."""
    return data(
        [
            {
                "id": derive_guid(name),
                "record_type": "porting_uk_carrier",
                "name": name,
                "cupid": cupid,
                "alternative_cupids": [],
                "created_at": call.world.timestamp(),
                "updated_at": call.world.timestamp(),
            }
            for name, cupid in LOSING_CARRIERS
        ]
    )


def document(port: Port) -> dict[str, Any]:
    """A porting order. What the losing carrier said stands in `status.details`."""
    said = [event for event in port.events if event["text"]]
    details = [
        {"code": str(event["text"]).partition(":")[0], "description": event["text"]}
        for event in said[-1:]
    ]
    return {
        "id": port.id,
        "record_type": "porting_order",
        "status": {
            "value": port.status,
            "details": details if port.status == "exception" else [],
        },
        "customer_reference": port.details.get("customer_reference"),
        "phone_numbers": [
            {
                "record_type": "porting_phone_number",
                "porting_order_id": port.id,
                "porting_order_status": port.status,
                "phone_number": e164,
                "phone_number_type": "local",
                "portability_status": "confirmed",
            }
            for e164 in port.numbers
        ],
        "porting_phone_numbers_count": len(port.numbers),
        "phone_number_type": "local",
        "activation_settings": {
            "foc_datetime_requested": port.date or None,
            "foc_datetime_actual": port.date or None if port.status in STATES[2:] else None,
            "fast_port_eligible": False,
            "activation_status": None,
        },
        "requirements_met": not _missing(port),
        "created_at": port.created_at,
        "updated_at": port.created_at,
    }


def _port(call: Call) -> Port:
    port = call.account.ports.get(call.names["id"])
    if port is None:
        raise refusals.not_found(call.names["id"])
    return port


def _missing(port: Port) -> str | None:
    """What a confirmation still lacks: who the end user is at the losing carrier, and where."""
    return None if isinstance(port.details.get("end_user"), dict) else "end_user"


def _why_not(e164: str) -> str | None:
    if not e164.startswith("+44"):
        return "Not a number of a country this world ports from"
    if e164.startswith(("+4470", "+449")) and not e164.startswith("+447700900"):
        return "PHONE_NUMBER_NOT_PORTABLE"
    return None
