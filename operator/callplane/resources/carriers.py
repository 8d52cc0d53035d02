"""What an account with a carrier holds and does: numbers, offers, orders, ports, money.

Desired and observed state share these types, so that a difference is inequality of two values. A
field that a read does not show is `NOT_SHOWN`: unknown, which is neither empty nor different.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Final

from callplane.values import E164

MICROS: Final = 1_000_000


class NotShown(Enum):
    """The one value of a field that was not read. Compare with `is NOT_SHOWN`."""

    NOT_SHOWN = "notShown"


NOT_SHOWN: Final = NotShown.NOT_SHOWN


@dataclass(frozen=True, slots=True)
class Price:
    """An amount in millionths of the currency's main unit; `currency` is an ISO 4217 code."""

    amount_micros: int
    currency: str

    @classmethod
    def from_decimal(cls, text: str, currency: str) -> Price:
        """Read `1.50` as carriers write money. Raises ValueError; nothing is rounded away."""
        try:
            micros = Decimal(text) * MICROS
        except InvalidOperation:
            raise ValueError(f"{text!r} is not an amount of money") from None
        if not micros.is_finite() or micros != micros.to_integral_value():
            raise ValueError(f"{text!r} is finer than a millionth or no number")
        return cls(int(micros), currency.upper())

    def __str__(self) -> str:
        amount = Decimal(self.amount_micros) / MICROS
        text = f"{amount:f}"
        return (
            f"{amount:.2f} {self.currency}" if amount * 100 % 1 == 0 else f"{text} {self.currency}"
        )


class NumberKind(Enum):
    """What sort of number; a carrier maps its own words, and what it does not know is OTHER."""

    LOCAL = "local"
    NATIONAL = "national"
    MOBILE = "mobile"
    TOLL_FREE = "tollFree"
    OTHER = "other"


class CarrierNumberState(Enum):
    """Where a number of ours is in the carrier's books.

    PENDING: ours or about to be, not usable yet. BLOCKED: ours, and switched off by the carrier.
    LEAVING: on its way to another carrier or to its end. UNKNOWN: a word we do not know, treated as
    not ready.
    """

    ACTIVE = "active"
    PENDING = "pending"
    BLOCKED = "blocked"
    LEAVING = "leaving"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TrunkRoute:
    """Where inbound calls of a number go.

    `trunk` is the carrier's own id or name of the trunk (may be empty where endpoints say it all),
    `endpoints` SIP addresses in the order in which they are tried, for carriers that route a number
    by address. `foreign` describes, in the carrier's words, a route that we would never set: it is
    equal to no desired route.
    """

    trunk: str = ""
    endpoints: tuple[str, ...] = ()
    foreign: str = ""


@dataclass(frozen=True, slots=True)
class EmergencyAddress:
    """Where help is sent when the number calls for it."""

    street: str
    town: str
    postcode: str
    country: str = "GB"
    organisation: str = ""
    building: str = ""
    locality: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class NumberOnCarrier:
    """One number that the account owns, or is about to.

    `state_text` is the carrier's own word for the state. `marker` is the short text that says that
    this number is managed here ("" where the number carries none). `monthly_fee` is what the
    carrier takes for the number each month.
    """

    number: E164
    state: CarrierNumberState = CarrierNumberState.ACTIVE
    state_text: str = ""
    route: TrunkRoute | NotShown | None = None
    emergency_address: EmergencyAddress | NotShown | None = None
    deletion_locked: bool | NotShown = False
    marker: str | NotShown = ""
    monthly_fee: Price | NotShown = NOT_SHOWN


@dataclass(frozen=True, slots=True)
class Balance:
    """What the account can spend now, credit included."""

    spendable: Price


@dataclass(frozen=True, slots=True)
class NumberSearch:
    """What to look for. `prefix` are leading digits with the country code, without plus; `count` is
    the most that is wanted.
    """

    country: str = "GB"
    prefix: str = ""
    kind: NumberKind = NumberKind.LOCAL
    count: int = 10


@dataclass(frozen=True, slots=True)
class NumberOffer:
    """One number on sale. `offer` is the carrier's own handle for buying just this one; it may
    expire. Prices are None where the search does not tell them.
    """

    number: E164
    setup: Price | None = None
    monthly: Price | None = None
    offer: str = ""


class Obstacle(Enum):
    """Why a carrier says no, where its answer leaves no doubt."""

    NUMBER_TAKEN = "numberTaken"
    BALANCE_TOO_LOW = "balanceTooLow"
    ACCOUNT_LIMIT = "accountLimit"
    PAPERWORK = "paperwork"
    NOT_PORTABLE = "notPortable"
    PORT_DETAILS_WRONG = "portDetailsWrong"
    ADDRESS_REFUSED = "addressRefused"
    ADDRESS_ATTACHED = "addressAttached"
    DELETION_LOCKED = "deletionLocked"
    NOT_OURS = "notOurs"
    TRUNK_UNKNOWN = "trunkUnknown"
    OTHER = "other"


class OrderState(Enum):
    """The way of an order.

    DRAFTED: written down here, not sent. SUBMITTED: sent, its outcome not known yet. PENDING: the
    carrier has it and works on it, waits for paperwork, or says a word we do not know. ACCEPTED:
    the number is ours. REJECTED: it will not be, and nothing is owed.
    """

    DRAFTED = "drafted"
    SUBMITTED = "submitted"
    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order for one number. `reference` is ours: unique for ever, at most 40 characters out of
    letters, digits and `-`.
    """

    reference: str
    number: E164
    offer: str = ""
    route: TrunkRoute | None = None


@dataclass(frozen=True, slots=True)
class NumberOrder:
    """What is known of an order. `order_id` is the carrier's, `detail` its own (scrubbed) words,
    `code` its own code, `obstacle` set when it is rejected or when paperwork holds it up.
    """

    reference: str
    number: E164
    state: OrderState
    order_id: str = ""
    detail: str = ""
    code: str = ""
    obstacle: Obstacle | None = None


class PortState(Enum):
    """The way of a number from another carrier to this one.

    PENDING: asked for, no date yet. DATED: the losing carrier agreed to a day. CORRECTABLE: refused
    for a detail that can be corrected and sent again. DONE, REJECTED and CANCELLED are ends.
    """

    DRAFTED = "drafted"
    SUBMITTED = "submitted"
    PENDING = "pending"
    DATED = "dated"
    CORRECTABLE = "correctable"
    DONE = "done"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class PortRequest:
    """A request to bring one number in. `reference` is ours, as in `OrderRequest`.

    `losing_carrier` is the code of the carrier that has the number (CUPID in the UK), `account` and
    `postcode` are as that carrier has them, `authorisation_code` is the PAC of a mobile number,
    `resubmits` the carrier's id of a refused port that this one corrects.
    """

    reference: str
    number: E164
    losing_carrier: str = ""
    losing_carrier_name: str = ""
    account: str = ""
    postcode: str = ""
    contact_email: str = ""
    authorisation_code: str = ""
    wanted_on: datetime.date | None = None
    resubmits: str = ""


@dataclass(frozen=True, slots=True)
class PortIn:
    """What is known of a port; fields as in `NumberOrder`. `due_on` is the agreed or wanted day."""

    reference: str
    number: E164
    state: PortState
    port_id: str = ""
    due_on: datetime.date | None = None
    detail: str = ""
    code: str = ""
    obstacle: Obstacle | None = None
