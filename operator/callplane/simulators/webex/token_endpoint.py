"""`POST /v1/access_token`: how a service app comes by access tokens."""

from __future__ import annotations

from urllib.parse import parse_qsl

from callplane.simulators.exchange import Request, Response, json_response
from callplane.simulators.recording import Entry, Outcome
from callplane.simulators.webex import refusals
from callplane.simulators.webex.refusals import Refusal
from callplane.simulators.webex.world import WebexWorld

PATH = "/v1/access_token"
_FORM = "application/x-www-form-urlencoded"


def answer(world: WebexWorld, request: Request) -> Response:
    """Answer a request to the token endpoint."""
    sequence = world.recorder.next_sequence()
    tracking_id = f"ROUTER_{sequence:08X}-0000-4000-8000-000000000000"
    form = dict(parse_qsl(request.body.decode("utf-8", errors="replace")))
    client_id = form.get("client_id", "")
    tenant = world.tokens.organisation_id(client_id) or ""
    try:
        if request.method != "POST":
            raise Refusal(405, (f"{request.method} is not allowed here.",))
        if not request.header("content-type").startswith(_FORM):
            raise Refusal(415, (f"{_FORM} is wanted.",))
        for rule in world.faults.strikes("token", is_write=None, tenant=tenant, subject=client_id):
            raise refusals.Refusal(rule.status, (rule.message,))
        document = world.tokens.refresh(form, lambda key: world.organisation(key).settings)
        response = json_response(document)
    except Refusal as refusal:
        response = json_response(
            refusal.document(tracking_id), status=refusal.status, headers=refusal.headers
        )
    response.headers.append((b"trackingid", tracking_id.encode("ascii")))
    now = world.clock.now().timestamp()
    world.recorder.add(
        Entry(
            sequence=sequence,
            at=now,
            answered_at=now,
            tenant=tenant,
            who=client_id,
            kind="token",
            method=request.method,
            path=request.path,
            status=response.status,
            outcome=Outcome.REFUSED if response.status >= 400 else Outcome.ANSWERED,
            is_write=False,
            committed=False,
            subject=client_id,
            request_id=tracking_id,
        )
    )
    return response
