"""A carrier's world: what it sells, who owns what, what was paid, and what will fall due.

No transport and no vendor's words here. Each carrier's own world derives from `CarrierWorld`.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from callplane.clock import Clock, SystemClock
from callplane.simulators.agenda import Agenda, Deed
from callplane.simulators.call_log import CallLog
from callplane.simulators.carriers import misfortunes
from callplane.simulators.carriers.rows import (
    SOMEBODY_ELSE,
    AccessKey,
    Charge,
    NumberRow,
    Order,
    Port,
    derive_guid,
)
from callplane.simulators.carriers.seeding import (
    DEFAULT_ACCOUNT,
    AccountSeed,
    RangeSeed,
    WorldSeed,
)
from callplane.simulators.carriers.settings import CarrierSettings
from callplane.simulators.faults import FaultScript, rule_from
from callplane.simulators.recording import ChangeLog, Recorder
from callplane.simulators.shelves import Shelf

PORTAL = "portal"
"""Author of changes made behind our back."""
_LONG_AGO = float("-inf")
_E164 = re.compile(r"\+[1-9]\d{6,14}")


@dataclass(slots=True)
class Account:
    """A customer of the carrier. Things only one carrier has lie in `extras`, by its own names."""

    id: str
    balance_minor: int
    currency: str
    number_limit: int
    kind: str
    keys: list[AccessKey]
    charges: list[Charge] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    ports: dict[str, Port] = field(default_factory=dict)
    extras: dict[str, dict[str, dict[str, object]]] = field(default_factory=dict)
    calls: CallLog = field(default_factory=CallLog)

    def shelf(self, name: str) -> dict[str, dict[str, object]]:
        """Things of one sort by id, in the order they were made."""
        return self.extras.setdefault(name, {})


class NotForSale(Exception):
    """Somebody else has the number, or nobody sells it."""


class NotEnoughMoney(Exception):
    """The balance does not cover the price."""


class TooManyNumbers(Exception):
    """The account owns as many numbers as it may."""


class CarrierWorld:
    """Everything behind the HTTP surface; same seed and requests at the same times, same world."""

    name = "carrier"
    owned_state = "active"
    """The carrier's word for a number that works."""
    default_account = DEFAULT_ACCOUNT
    """An account id in the carrier's own form, for descriptions that name none."""

    def __init__(self, *, clock: Clock | None = None, seed: WorldSeed | None = None) -> None:
        description = (
            seed if seed is not None else WorldSeed(accounts=(AccountSeed(self.default_account),))
        )
        self.clock = clock if clock is not None else SystemClock()
        self.seed = description.seed
        self.settings = CarrierSettings()
        self.settings.change(description.settings)
        self.accounts: dict[str, Account] = {}
        self.stock: Shelf[NumberRow] = Shelf(is_sorted=True)
        self.agenda = Agenda()
        self.changes = ChangeLog()
        self.faults = FaultScript(self.seed)
        self.recorder = Recorder()
        self._issued = 0
        self._due: float | None = None
        self._owned: dict[str, set[str]] = {}
        """Numbers by account: what a listing of 50,000 numbers walks in place of all the stock."""
        self._by_id: dict[str, str] = {}
        self._listed: dict[str, list[NumberRow]] = {}
        """Rows of an account in order, until one of them changes: each page asks for them."""
        for account in description.accounts:
            self.add_account(account)
        for numbers in description.ranges:
            self.add_range(numbers)
        for index, rule in enumerate(description.faults):
            self.faults.add(rule_from(rule, f"faults[{index}]"))
        if description.misfortune > 0:
            for bad in misfortunes.bad_days(description.misfortune):
                self.faults.add(bad)

    # Time and ids.

    def advance(self) -> float:
        """Let everything happen that is due. Returns the time now."""
        self.agenda.advance(self.clock.monotonic())
        return self.clock.monotonic()

    def now(self) -> float:
        """Seconds of the world's monotonic clock; while a promise is kept, when it was due."""
        return self.clock.monotonic() if self._due is None else self._due

    def later(self, due: float, deed: Deed) -> None:
        """Promise a deed for the time `due`; to the deed it is that time, whenever it is run."""

        def keep(at: float) -> None:
            self._due = at
            try:
                deed(at)
            finally:
                self._due = None

        self.agenda.add(due, keep)

    def moment(self, seconds_from_now: float = 0.0) -> datetime.datetime:
        """Wall time, UTC."""
        late = self.clock.monotonic() - self.now()
        return self.clock.now() + datetime.timedelta(seconds=seconds_from_now - late)

    def timestamp(self, seconds_from_now: float = 0.0) -> str:
        """Wall time in ISO 8601 with a Z; carriers with another habit have their own."""
        return self.moment(seconds_from_now).strftime("%Y-%m-%dT%H:%M:%SZ")

    def new_guid(self, what: str) -> str:
        """A GUID nobody has yet; the same in every run that does the same in the same order."""
        self._issued += 1
        return derive_guid(self.seed, what, self._issued)

    def new_number(self) -> int:
        """A whole number nobody has yet."""
        self._issued += 1
        return self._issued

    # Seeds.

    def add_account(self, seed: AccountSeed) -> Account:
        """Add a customer. ValueError when there is one of that id."""
        if seed.id in self.accounts:
            raise ValueError(f"account {seed.id} exists already")
        keys = [AccessKey(key.name, key.secret, key.may_write) for key in seed.keys]
        account = Account(
            seed.id, seed.balance_minor, seed.currency, seed.number_limit, seed.kind, keys
        )
        self.accounts[seed.id] = account
        self._owned[seed.id] = set()
        self.prepare_account(account)
        return account

    def prepare_account(self, account: Account) -> None:
        """Give a new account what every account of this carrier has."""

    def account(self, key: str | None = None) -> Account:
        """The account with this id; without one, the only account. ValueError otherwise."""
        if key is None:
            if len(self.accounts) != 1:
                raise ValueError(f"there are {len(self.accounts)} accounts: name one")
            return next(iter(self.accounts.values()))
        if key not in self.accounts:
            raise ValueError(f"no account {key!r}")
        return self.accounts[key]

    def add_range(self, numbers: RangeSeed) -> None:
        """Put numbers into the stock, owned already when the description says so."""
        if not _E164.fullmatch(numbers.first):
            raise ValueError(f"range {numbers.first!r}: a number with plus is wanted")
        if numbers.owner is not None and numbers.owner != SOMEBODY_ELSE:
            self.account(numbers.owner)
        start = int(numbers.first[1:])
        setup = numbers.gold_minor if numbers.is_gold else numbers.setup_minor
        for value in range(start, start + numbers.count):
            row = NumberRow(
                e164=f"+{value}",
                kind=numbers.kind,
                country=numbers.country,
                place=numbers.place,
                is_gold=numbers.is_gold,
                setup_minor=setup,
                monthly_minor=numbers.monthly_minor,
                is_on_sale=numbers.on_sale,
            )
            if numbers.owner is not None:
                row = self._owned_row(row, numbers.owner, {})
            self._put(row, _LONG_AGO)
            if numbers.owner is not None:
                self._bill_monthly(row.e164, row.id, self.now())

    # Numbers.

    def owned(self, account: Account, cutoff: float | None = None) -> list[NumberRow]:
        """The numbers of an account in order, as they are or as seen at `cutoff`."""
        if cutoff is None:
            if account.id not in self._listed:
                rows = (self.stock.get(e164) for e164 in sorted(self._owned[account.id]))
                self._listed[account.id] = [row for row in rows if row is not None]
            return list(self._listed[account.id])
        return [row for row in self.stock.rows(cutoff) if row.owner == account.id]

    def owned_by_id(self, account: Account, key: str) -> NumberRow | None:
        """The number whose ownership has this id, None when the account has none such."""
        row = self.stock.get(self._by_id.get(key, ""))
        return row if row is not None and (row.owner, row.id) == (account.id, key) else None

    def on_sale(self, account: Account | None = None) -> list[NumberRow]:
        """What can be bought now; what the account has reserved itself included."""
        now = self.now()
        held = self.held_numbers(account)
        return [
            row
            for row in self.stock.rows()
            if row.owner is None
            and row.is_on_sale
            and row.rests_until <= now
            and row.e164 not in held
        ]

    def held_numbers(self, account: Account | None) -> set[str]:
        """Numbers that another account, or an open order, holds without owning them."""
        held: set[str] = set()
        now = self.now()
        for each in self.accounts.values():
            for order in each.orders.values():
                if order.status == "pending":
                    held.update(n.e164 for n in order.numbers if n.status == "pending")
            for reservation in each.shelf("reservations").values():
                expires = reservation["expires"]
                assert isinstance(expires, float)
                if expires > now and (account is None or each.id != account.id):
                    held.add(str(reservation["e164"]))
        return held

    def acquire(
        self,
        e164: str,
        account: Account,
        *,
        by: str,
        attributes: Mapping[str, object] | None = None,
        for_order: bool = False,
    ) -> NumberRow:
        """Sell a number: owner, price, monthly fee. Raises NotForSale and its siblings."""
        row = self.stock.get(e164)
        taken = not for_order and e164 in self.held_numbers(account)
        now = self.now()
        if row is None or row.owner is not None or not row.is_on_sale or taken:
            raise NotForSale(e164)
        if row.rests_until > now:
            raise NotForSale(e164)
        if len(self._owned[account.id]) >= account.number_limit:
            raise TooManyNumbers(e164)
        if row.setup_minor + row.monthly_minor > account.balance_minor:
            raise NotEnoughMoney(e164)
        self.charge(account, "setup", e164, row.setup_minor)
        return self.hand_over(row, account, by=by, attributes=attributes)

    def hand_over(
        self,
        row: NumberRow,
        account: Account,
        *,
        by: str,
        attributes: Mapping[str, object] | None = None,
    ) -> NumberRow:
        """Make an account the owner, and start the monthly fee."""
        now = self.now()
        held = self._owned_row(row, account.id, attributes or {})
        self.put(held, by=by)
        self.charge(account, "month", held.e164, held.monthly_minor)
        self._bill_monthly(held.e164, held.id, now)
        return held

    def release(self, e164: str, *, by: str) -> NumberRow:
        """Take a number from its owner, configuration and all. Returns the row as it was."""
        row = self.stock.get(e164)
        if row is None or row.owner is None:
            raise ValueError(f"nobody owns {e164}")
        rests_until = self.now() + self.settings.numbers_rest_seconds
        self.put(
            dataclasses.replace(
                row, owner=None, id="", state="", since="", attributes={}, rests_until=rests_until
            ),
            by=by,
        )
        return row

    def put(self, row: NumberRow, *, by: str) -> None:
        """Change a number and say so in the log."""
        before = self.stock.get(row.e164)
        now = self.now()
        owners = (before.owner if before is not None else None, row.owner)
        if owners[0] != owners[1]:
            self.changes.add(now, row.e164, aspect="owner", values=owners, by=by)
        was = before.attributes if before is not None else {}
        for name in sorted({*was, *row.attributes}):
            values = (_text(was.get(name)), _text(row.attributes.get(name)))
            if values[0] != values[1]:
                self.changes.add(now, row.e164, aspect=name, values=values, by=by)
        self._put(row, now)

    def set_attributes(
        self, row: NumberRow, changes: Mapping[str, object], *, by: str
    ) -> NumberRow:
        """Change what the customer set on a number; None takes away. Returns the new row."""
        changed = dataclasses.replace(row, attributes=row.with_attributes(changes))
        self.put(changed, by=by)
        return changed

    def seen(self, e164: str) -> NumberRow | None:
        """A number as a single read sees it."""
        lag = self.settings.read_lag_seconds
        if lag <= 0:
            return self.stock.get(e164)
        return self.stock.seen(e164, self.now() - lag)

    def listing_cutoff(self) -> float | None:
        """Up to when listings know; None: up to now."""
        lag = self.settings.listing_lag_seconds
        return self.now() - lag if lag > 0 else None

    # Money.

    def charge(self, account: Account, what: str, subject: str, minor: int) -> None:
        """Take money; the balance may fall below zero."""
        account.balance_minor -= minor
        account.charges.append(Charge(self.now(), what, subject, minor))

    def _bill_monthly(self, e164: str, ownership: str, start: float) -> None:
        due = start + self.settings.month_seconds

        def bill(_: float) -> None:
            row = self.stock.get(e164)
            if row is None or row.id != ownership or row.owner not in self.accounts:
                return
            self.charge(self.accounts[row.owner], "month", e164, row.monthly_minor)
            self._bill_monthly(e164, ownership, self.now())

        self.later(due, bill)

    def _owned_row(self, row: NumberRow, owner: str, attributes: Mapping[str, object]) -> NumberRow:
        return dataclasses.replace(
            row,
            owner=owner,
            id=self.new_id(row.e164),
            state=self.owned_state,
            since=self.timestamp(),
            attributes={**self.default_attributes(row), **attributes},
        )

    def new_id(self, e164: str) -> str:
        """The id of an ownership, in the carrier's own form."""
        return self.new_guid(e164)

    def default_attributes(self, row: NumberRow) -> dict[str, object]:
        """What is set on a number from the moment it is owned."""
        return {}

    def _put(self, row: NumberRow, at: float) -> None:
        before = self.stock.get(row.e164)
        if before is not None and before.owner in self._owned:
            self._owned[before.owner].discard(row.e164)
            self._listed.pop(before.owner, None)
        if row.owner in self._owned:
            self._owned[row.owner].add(row.e164)
            self._listed.pop(row.owner, None)
        if row.id:
            self._by_id[row.id] = row.e164
        self.stock.put(row.e164, row, at)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
