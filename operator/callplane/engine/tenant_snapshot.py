"""What is known of one tenant: people, numbers and configurations, with the two look-ups a pass
needs.
"""

from __future__ import annotations

from callplane.engine.snapshots import FamilySnapshot, ListingResult
from callplane.providers.protocol import Family, Page
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.values import E164


class TenantSnapshot:
    """People by id and name, numbers by themselves and by holder, configurations by id."""

    def __init__(self) -> None:
        self.people: FamilySnapshot[Person] = FamilySnapshot()
        self.numbers: FamilySnapshot[NumberOnPlatform] = FamilySnapshot()
        self.configurations: FamilySnapshot[CallingConfiguration] = FamilySnapshot()
        self._ids_by_name: dict[str, str] = {}
        self._numbers_by_holder: dict[str, set[E164]] = {}

    @property
    def complete(self) -> bool:
        """Every family has been listed completely at least once."""
        return all(family.complete_at is not None for family in self._families())

    @property
    def oldest_complete_at(self) -> float | None:
        """When the oldest of the last complete listings began, monotonic seconds."""
        times = [family.complete_at for family in self._families()]
        known = [at for at in times if at is not None]
        return min(known) if len(known) == len(times) else None

    def _families(
        self,
    ) -> tuple[
        FamilySnapshot[Person],
        FamilySnapshot[NumberOnPlatform],
        FamilySnapshot[CallingConfiguration],
    ]:
        return (self.people, self.numbers, self.configurations)

    def begin(self, family: Family, began_at: float) -> None:
        self._of(family).begin_listing(began_at)

    def add_page(self, page: Page) -> None:
        if page.family is Family.PEOPLE:
            people = [row for row in page.rows if isinstance(row, Person)]
            self.people.add_page(
                ((row.user_id, row) for row in people),
                observed_at=page.observed_at,
                bad_rows=page.bad_rows,
            )
        elif page.family is Family.NUMBERS:
            numbers = [row for row in page.rows if isinstance(row, NumberOnPlatform)]
            self.numbers.add_page(
                ((row.number, row) for row in numbers),
                observed_at=page.observed_at,
                bad_rows=page.bad_rows,
            )
        else:
            configurations = [
                row.completed_by(self.configurations.last_known(row.user_id))
                for row in page.rows
                if isinstance(row, CallingConfiguration)
            ]
            self.configurations.add_page(
                ((row.user_id, row) for row in configurations),
                observed_at=page.observed_at,
                bad_rows=page.bad_rows,
            )

    def end(self, family: Family, *, has_end_marker: bool) -> tuple[ListingResult, frozenset[str]]:
        """Close a listing; also returns the user ids whose line may have changed by it."""
        if family is Family.NUMBERS:
            before = {key: self._holder_of(key) for key in self._all_numbers()}
            result = self.numbers.end_listing(has_end_marker=has_end_marker)
            users = self._reindex_numbers(before, result)
            return result, users
        result = self._of(family).end_listing(has_end_marker=has_end_marker)
        if family is Family.PEOPLE:
            self._ids_by_name = {row.user_principal_name: row.user_id for row in self.people.rows()}
        return result, frozenset(key for key in result.changed if isinstance(key, str))

    def _of(
        self, family: Family
    ) -> (
        FamilySnapshot[Person]
        | FamilySnapshot[NumberOnPlatform]
        | FamilySnapshot[CallingConfiguration]
    ):
        if family is Family.PEOPLE:
            return self.people
        return self.numbers if family is Family.NUMBERS else self.configurations

    def _all_numbers(self) -> list[E164]:
        return [number for numbers in self._numbers_by_holder.values() for number in numbers]

    def _holder_of(self, number: E164) -> str | None:
        row = self.number(number)
        return row.holder_id if row is not None else None

    def _reindex_numbers(
        self, before: dict[E164, str | None], result: ListingResult
    ) -> frozenset[str]:
        index: dict[str, set[E164]] = {}
        for row in self.numbers.rows():
            if row.holder_id is not None:
                index.setdefault(row.holder_id, set()).add(row.number)
        self._numbers_by_holder = index
        users: set[str] = set()
        for number in result.changed:
            if not isinstance(number, E164):
                continue
            users.update(
                holder for holder in (before.get(number), self._holder_of(number)) if holder
            )
        return frozenset(users)

    def put_person(self, key: str, row: Person | None, *, observed_at: float) -> None:
        """`key` is what was asked for: a user id or a user principal name."""
        if row is None:
            if key in self._ids_by_name:
                self.people.put(self._ids_by_name.pop(key), None, observed_at=observed_at)
            else:
                self.people.put(key, None, observed_at=observed_at)
            return
        self.people.put(row.user_id, row, observed_at=observed_at)
        self._ids_by_name[row.user_principal_name] = row.user_id

    def put_number(
        self,
        number: E164,
        row: NumberOnPlatform | None,
        *,
        observed_at: float,
    ) -> None:
        before = self.numbers.get(number)
        if before is not None and before.row is not None and before.row.holder_id is not None:
            self._numbers_by_holder.get(before.row.holder_id, set()).discard(number)
        self.numbers.put(number, row, observed_at=observed_at)
        after = self.numbers.get(number)
        if after is not None and after.row is not None and after.row.holder_id is not None:
            self._numbers_by_holder.setdefault(after.row.holder_id, set()).add(number)

    def put_configuration(
        self,
        user_id: str,
        row: CallingConfiguration | None,
        *,
        observed_at: float,
    ) -> None:
        self.configurations.put(user_id, row, observed_at=observed_at)

    def person_by_name(self, user_principal_name: str) -> Person | None:
        user_id = self._ids_by_name.get(user_principal_name)
        return self.person(user_id) if user_id is not None else None

    def person(self, user_id: str) -> Person | None:
        entry = self.people.get(user_id)
        return entry.row if entry is not None else None

    def number(self, number: E164) -> NumberOnPlatform | None:
        entry = self.numbers.get(number)
        return entry.row if entry is not None else None

    def numbers_of(self, user_id: str) -> list[NumberOnPlatform]:
        """Rows that show the user as holder, in order of number."""
        rows = (self.number(number) for number in sorted(self._numbers_by_holder.get(user_id, ())))
        return [row for row in rows if row is not None and row.holder_id == user_id]
