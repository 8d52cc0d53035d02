"""Simwood's accounts: trunks, and reports that are fetched once. Numbers travel without plus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from callplane.simulators.carriers.portal import Portal
from callplane.simulators.carriers.rows import NumberRow, decimal_text
from callplane.simulators.carriers.world import Account, CarrierWorld

GNP_STATES = ("rcvd", "submitted_lcp", "accepted", "complete")
"""A geographic port that goes well. The documented set of states is open."""
MNP_STATES = ("rcvd", "submitted", "complete")


class SimwoodWorld(CarrierWorld):
    """Numbers are bought at once; what an account owns is listed by asynchronous reports."""

    name = "simwood"
    owned_state = "allocated"

    def prepare_account(self, account: Account) -> None:
        """Every account has its default IP trunk, which has no balance."""
        account.shelf("trunks")[f"{account.id}-L001"] = new_trunk("ip")

    def timestamp(self, seconds_from_now: float = 0.0) -> str:
        """`YYYY-MM-DD hh:mm:ss` in GMT."""
        return self.moment(seconds_from_now).strftime("%Y-%m-%d %H:%M:%S")

    def report(self, account: Account, request: Mapping[str, object], seconds: float) -> str:
        """Ask for a report. The same question before it was fetched gives the same hash."""
        now = self.now()
        text = json.dumps(request, sort_keys=True)
        reports = account.shelf("reports")
        for name, report in reports.items():
            if report["question"] == text and now < _number(report["expires"]):
                return name
        digest = hashlib.md5(
            f"{account.id}/{text}/{self.new_number()}".encode(), usedforsecurity=False
        ).hexdigest()
        ready = now + seconds
        reports[digest] = {
            "question": text,
            "ready": ready,
            "expires": ready + self.settings.report_keeps_seconds,
            "is_lost": False,
        }
        return digest


class SimwoodPortal(Portal):
    """The portal, where an edit of a number may forget its `meta`."""

    def collect_reports(self) -> int:
        """Another process fetches every waiting report. Returns how many there were."""
        reports = self._account.shelf("reports")
        count = len(reports)
        reports.clear()
        return count

    def edit_number(self, number: str, endpoint: str) -> None:
        """Route a number by hand: the portal writes the configuration anew, without `meta`."""
        routing = {"default": [[{"type": "sip", "endpoint": endpoint}]]}
        config = {"routing": routing}
        self._world.set_attributes(self._owned(number), {"config": config}, by="portal")

    def record_call(self, number: str, cli: str = "447700900123", seconds: int = 30) -> None:
        """An inbound call to a number, for `lastcall`."""
        call = {
            "calldate": self._world.timestamp(),
            "cli": cli,
            "disposition": "ANSWERED",
            "billsec": seconds,
            "duration": seconds + 4,
        }
        self._world.set_attributes(self._owned(number), {"lastcall": call}, by="portal")


def new_trunk(kind: str, password: str = "") -> dict[str, Any]:
    """A trunk as it is when it has just been made."""
    return {
        "type": kind,
        "enabled": True,
        "enable_in": True,
        "enabled_out": True,
        "cli_format": "e164",
        "emergency_enabled": False,
        "_password": password,
        "_acl": [],
        "_destinations": None,
        "_balance": None,
        "_config": None,
    }


def wire_number(e164: str) -> str:
    """`442079460123`, as Simwood writes numbers in paths and reports."""
    return e164.removeprefix("+")


def search_row(row: NumberRow) -> dict[str, object]:
    """A number on sale. `number` has neither country code nor leading zero."""
    digits = wire_number(row.e164)
    country = "44" if digits.startswith("44") else digits[:1]
    premium = decimal_text(row.setup_minor) if row.is_gold else "0.00"
    return {
        "country_code": country,
        "number": digits.removeprefix(country),
        "recommended_gold_premium": premium,
        "wholesale_gold_premium": premium,
        "block": f"{digits[:-3]}000",
        "bill_class": "DDI" if row.kind == "local" else row.kind.upper(),
        "SMS": "1" if row.kind == "mobile" else "0",
    }


def _number(value: object) -> float:
    assert isinstance(value, float)
    return value
