"""Twilio's accounts: sids, and bundles of documents that people approve."""

from __future__ import annotations

from typing import Any, Final

from callplane.simulators.carriers.portal import Portal
from callplane.simulators.carriers.rows import NumberRow
from callplane.simulators.carriers.world import CarrierWorld

DEFAULT_SID: Final = "AC" + "0" * 31 + "1"


class TwilioWorld(CarrierWorld):
    """Numbers are bought at once, with an approved bundle where one is needed."""

    name = "twilio"
    owned_state = "in-use"
    default_account = DEFAULT_SID

    def new_id(self, e164: str) -> str:
        """A phone number's sid."""
        return self.new_sid("PN")

    def new_sid(self, prefix: str) -> str:
        """Two letters and 32 hexadecimal digits."""
        return prefix + self.new_guid(prefix).replace("-", "")

    def default_attributes(self, row: NumberRow) -> dict[str, object]:
        """A friendly name made of the number."""
        return {"friendly_name": row.e164}

    def date(self) -> str:
        """RFC 2822, as the oldest API writes dates."""
        return self.moment().strftime("%a, %d %b %Y %H:%M:%S +0000")


class TwilioPortal(Portal):
    """The console, and the people who review bundles."""

    def approve_bundle(self, bundle: str) -> None:
        """Accept a bundle's documents."""
        self._bundle(bundle)["status"] = "twilio-approved"

    def reject_bundle(self, bundle: str) -> None:
        """Turn a bundle's documents down."""
        self._bundle(bundle)["status"] = "twilio-rejected"

    def _bundle(self, sid: str) -> dict[str, Any]:
        bundle = self._account.shelf("bundles").get(sid)
        if bundle is None:
            raise ValueError(f"no bundle {sid!r} in account {self._account.id}")
        return bundle
