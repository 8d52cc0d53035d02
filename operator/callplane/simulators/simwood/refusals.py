"""How Simwood says no: a list of human sentences, no codes.

The sentences about configurations are the documented ones; the statuses are not documented.
"""

from __future__ import annotations

from callplane.simulators.carriers.refusals import Refusal
from callplane.simulators.carriers.rows import AccessKey
from callplane.simulators.carriers.surface import basic_credentials, key_with_name
from callplane.simulators.carriers.world import Account, CarrierWorld
from callplane.simulators.exchange import Request, Response, json_response


def failed(message: str, *, status: int = 400) -> Refusal:
    """The service understood and will not."""
    return Refusal(status, "", message)


def no_number(number: str) -> Refusal:
    """The number is not allocated to the account."""
    return failed(f"Number {number} is not allocated to this account", status=404)


def unknown(what: str, name: str) -> Refusal:
    """There is no such thing."""
    return failed(f"{what} {name} not found", status=404)


def response(world: CarrierWorld, refusal: Refusal) -> Response:
    """In Simwood's shape; with the setting, failures of the service come under 200."""
    status = refusal.status
    if world.settings.refuses_with_200 and status in (400, 402, 404, 409):
        status = 200
    document = {"success": False, "errors": [refusal.message]}
    return json_response(document, status=status, headers=refusal.headers)


def who_asks(world: CarrierWorld, request: Request) -> tuple[Account, AccessKey]:
    """The account of HTTP Basic credentials. Raises Refusal."""
    credentials = basic_credentials(request)
    if credentials is not None:
        for account in world.accounts.values():
            key = key_with_name(account, *credentials)
            if key is not None:
                return account, key
    raise unauthorized()


def unauthorized() -> Refusal:
    """Wrong user or password."""
    refusal = failed("Authentication required", status=401)
    refusal.headers = {"WWW-Authenticate": 'Basic realm="API"'}
    return refusal
