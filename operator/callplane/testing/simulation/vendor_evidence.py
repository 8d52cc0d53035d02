"""What is true at Webex and at the carriers, as plain JSON for the auditor.

Nothing is judged here. Times are seconds since the start of the simulation.
"""

from __future__ import annotations

from typing import Any

from callplane.simulators.webex import seeding as webex_seeding
from callplane.testing.simulation.vendors import AtCarrier, Vendors

Entry = dict[str, Any]


def snapshot(vendors: Vendors) -> Entry:
    """Who has what now."""
    organisation = vendors.webex.organisation()
    organisation.advance()
    return {
        "webexNumbers": {
            row.number: row.owner.id if row.owner is not None else None
            for row in organisation.numbers.rows()
        },
        "webexPeople": {row.email: row.id for row in organisation.people.rows()},
        "webexDamage": list(organisation.damage),
        "carriers": {name: _carrier(each) for name, each in vendors.carriers.items()},
    }


def _carrier(carrier: AtCarrier) -> Entry:
    carrier.world.advance()
    account = carrier.account
    return {
        "owned": {row.e164: dict(row.attributes) for row in carrier.world.owned(account)},
        "balance": account.balance_minor,
        "pendingOrders": sum(order.status == "pending" for order in account.orders.values()),
        "openPorts": sum(port.is_open for port in account.ports.values()),
    }


def so_far(vendors: Vendors) -> Entry:
    """Everything that ever changed there, and all money that was taken."""
    return {
        "webexChanges": [
            {
                "at": change.at,
                "subject": change.subject,
                "aspect": change.aspect,
                "before": change.before,
                "after": change.after,
                "ours": change.by == webex_seeding.DEFAULT_CLIENT_ID,
            }
            for change in vendors.webex.organisation().changes.changes
        ],
        "carrierHistory": {name: _history(each) for name, each in vendors.carriers.items()},
    }


def _history(carrier: AtCarrier) -> Entry:
    account = carrier.account
    return {
        "account": account.id,
        "host": carrier.facts.host,
        "changes": [
            {
                "at": change.at,
                "subject": change.subject,
                "aspect": change.aspect,
                "before": change.before,
                "after": change.after,
                "by": change.by,
            }
            for change in carrier.world.changes.changes
        ],
        "charges": [
            {"at": charge.at, "what": charge.what, "subject": charge.subject, "minor": charge.minor}
            for charge in account.charges
        ],
        "prices": {
            row.e164: {"setup": row.setup_minor, "month": row.monthly_minor}
            for row in carrier.world.stock.rows()
        },
    }
