"""A calling platform in memory: what is true, what readers see of it, and the orders under way.

It has the semantics that matter of the real thing: orders take time, readers lag behind writers,
unassigning frees a number from whoever holds it, and voice is switched on and off with the number.
Several providers may share one world, as several operators share one tenant; whoever holds the
world plays its administrator.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable

from callplane.plan.change import Change
from callplane.providers.inmemory.faults import Call, Fault, FaultScript
from callplane.providers.orders import (
    AssignNumber,
    Order,
    SetLocation,
    SetPolicy,
    UnassignNumber,
    order_of,
)
from callplane.providers.protocol import OperationState, OperationStatus, RefusalClass, Refused
from callplane.resources.lines import NumberType, PolicyOnLine, PolicyOrigin
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    LicenceState,
    NumberOnPlatform,
    Person,
)
from callplane.values import E164


@dataclasses.dataclass(slots=True)
class Tables:
    """Rows by their key, in the order in which they came."""

    people: dict[str, Person] = dataclasses.field(default_factory=dict)
    numbers: dict[E164, NumberOnPlatform] = dataclasses.field(default_factory=dict)
    configurations: dict[str, CallingConfiguration] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class _RunningOrder:
    order: Order
    outcome: OperationState
    detail: str
    applied: bool = False


class World:
    """All state of one simulated tenant. Times are monotonic seconds handed in by the provider."""

    def __init__(
        self,
        *,
        order_seconds: float = 0.0,
        read_lag_seconds: float = 0.0,
        adds_numbers: bool = False,
    ) -> None:
        """`order_seconds`: how long a number order takes. `read_lag_seconds`: how far readers
        lag. `adds_numbers`: a number comes into the inventory with its assignment and leaves with
        it, as in Webex, where licences and extensions are settings of a person.
        """
        self.adds_numbers = adds_numbers
        self.order_seconds = order_seconds
        self.read_lag_seconds = read_lag_seconds
        self.faults = FaultScript()
        self.journal: list[Call] = []
        self.true = Tables()
        self.seen = Tables()
        self.group_policies: dict[tuple[str, str], str] = {}
        self.known_policies: set[tuple[str, str]] | None = None
        self._orders: dict[str, _RunningOrder] = {}
        self._open: list[tuple[float, int, _RunningOrder]] = []
        self._publications: deque[tuple[float, Callable[[], None]]] = deque()

    # --- the administrator's hand: at once, and seen at once, with all that was still to be seen
    # ---

    def put_people(self, people: Iterable[Person]) -> None:
        self._publish_due(math.inf)
        for person in people:
            self.true.people[person.user_id] = self.seen.people[person.user_id] = person

    def put_numbers(self, numbers: Iterable[NumberOnPlatform]) -> None:
        self._publish_due(math.inf)
        for row in numbers:
            self.true.numbers[row.number] = self.seen.numbers[row.number] = row

    def put_configurations(self, configurations: Iterable[CallingConfiguration]) -> None:
        self._publish_due(math.inf)
        for row in configurations:
            self.true.configurations[row.user_id] = self.seen.configurations[row.user_id] = row

    def remove_person(self, user_id: str) -> None:
        """The person and the configuration go for good; a number held stays held, as it does in
        Teams.
        """
        for tables in (self.true, self.seen):
            tables.people.pop(user_id, None)
            tables.configurations.pop(user_id, None)

    def remove_number(self, number: E164) -> None:
        for tables in (self.true, self.seen):
            tables.numbers.pop(number, None)

    def administrator_assigns(self, number: E164, user_id: str | None) -> None:
        """Somebody moves a number in the portal: no rule is checked and nothing is journalled."""
        self._unassign(number, now=0.0, lag=0.0)
        if user_id is not None:
            self._assign(number, user_id, None, now=0.0, lag=0.0)
        self._publish_due(math.inf)

    def administrator_groups(self, user_id: str, policy_type: str, name: str) -> None:
        """The person inherits a policy from a group; a direct one stays above it."""
        self.group_policies[(user_id, policy_type)] = name
        row = self.true.configurations[user_id]
        policies = dict(row.policies)
        policies.setdefault(policy_type, PolicyOnLine(name, PolicyOrigin.GROUP))
        self.put_configurations([dataclasses.replace(row, policies=tuple(policies.items()))])

    def administrator_deletes(self, user_id: str) -> None:
        """Softly: the person can be restored; the configuration and the number stay."""
        self.put_people([dataclasses.replace(self.true.people[user_id], deleted=True)])

    # --- what the provider calls ---

    def settle(self, now: float) -> None:
        """Let time pass: carry out the orders that are due, show readers what they may see."""
        while self._open and self._open[0][0] <= now:
            due_at, _, order = heapq.heappop(self._open)
            order.applied = True
            if order.outcome is not OperationState.FAILED:
                self._apply(order.order, now=due_at)
        self._publish_due(now)

    def check(self, change: Change) -> Order:
        """The order the change asks for. Raises Refused when the platform would say no at once."""
        order = order_of(change)
        match order:
            case AssignNumber():
                self._check_assign(order)
            case UnassignNumber():
                row = self._number(order.number)
                if row.number_type is not order.number_type:
                    raise Refused(RefusalClass.NOT_FOUND, f"{order.number.masked} is not found")
            case SetLocation():
                self._number(order.number)
            case SetPolicy():
                self._check_policy(order)
        return order

    def create_person(self, address: str) -> None:
        """A person of that address, with an id of their own. Raises Refused when there is one."""
        if any(each.user_principal_name == address for each in self.true.people.values()):
            raise Refused(RefusalClass.CONFLICT, "there is a person of that address")
        person = Person(f"created-{len(self.true.people) + 1}", address)
        self.put_people([person])
        self.put_configurations([CallingConfiguration(person.user_id)])

    def carry_out(self, order: Order, *, now: float) -> None:
        """At once, as synchronous calls do."""
        self._apply(order, now=now)
        self._publish_due(now)

    def start(self, order: Order, *, now: float, fault: Fault | None) -> str:
        """Take an order that runs; the name of its operation."""
        name = f"operation-{len(self._orders) + 1}"
        outcome = OperationState.SUCCEEDED
        if fault is not None and fault.order is not None:
            outcome = fault.order
        detail = fault.detail if fault is not None else ""
        running = _RunningOrder(order, outcome, detail)
        self._orders[name] = running
        heapq.heappush(self._open, (now + self.order_seconds, len(self._orders), running))
        self.settle(now)
        return name

    def operation_status(self, name: str) -> OperationStatus:
        order = self._orders.get(name)
        if order is None or order.outcome is OperationState.LOST:
            return OperationStatus(OperationState.LOST)
        if not order.applied:
            return OperationStatus(OperationState.RUNNING)
        return OperationStatus(order.outcome, order.detail)

    # --- rules ---

    def _number(self, number: E164) -> NumberOnPlatform:
        row = self.true.numbers.get(number)
        if row is None:
            raise Refused(RefusalClass.NOT_FOUND, f"{number.masked} is not found in the inventory")
        return row

    def _check_assign(self, order: AssignNumber) -> None:
        if self.adds_numbers and order.number not in self.true.numbers:
            row = NumberOnPlatform(order.number, order.number_type, location_id=order.location_id)
        else:
            row = self._number(order.number)
        if row.number_type is not order.number_type:
            raise Refused(RefusalClass.NOT_FOUND, f"{order.number.masked} is not found")
        person = self.true.people.get(order.user_id)
        if person is None or person.deleted:
            raise Refused(RefusalClass.NOT_FOUND, f"user {order.user_id} is not found")
        if person.licence is not LicenceState.ENABLED:
            raise Refused(RefusalClass.PRECONDITION, "the user lacks appropriate licences")
        configuration = self.true.configurations.get(order.user_id)
        if configuration is None or not configuration.phone_system_ready:
            raise Refused(RefusalClass.NOT_READY, f"user {order.user_id} is not found in Teams")
        if configuration.account_type is not AccountType.USER and not order.for_service:
            raise Refused(RefusalClass.PRECONDITION, "the account is not a user")
        if row.on_premises or not row.assignable_to_users:
            raise Refused(RefusalClass.PRECONDITION, "the number cannot be assigned to users")
        if row.holder_id not in (None, order.user_id):
            raise Refused(RefusalClass.CONFLICT, "has already been assigned to another user")
        if any(number != order.number for number in configuration.numbers):
            raise Refused(RefusalClass.CONFLICT, "the user already has a telephone number")

    def _check_policy(self, order: SetPolicy) -> None:
        if order.user_id not in self.true.configurations:
            raise Refused(RefusalClass.NOT_READY, f"user {order.user_id} is not found in Teams")
        if order.name is None or self.known_policies is None:
            return
        if (order.policy_type, order.name) not in self.known_policies:
            raise Refused(
                RefusalClass.PRECONDITION,
                f"no policy {order.name!r} of type {order.policy_type} in this tenant",
                reason="PolicyNotFound",
            )

    # --- effects ---

    def _apply(self, order: Order, *, now: float) -> None:
        lag = self.read_lag_seconds
        match order:
            case AssignNumber():
                self._assign(order.number, order.user_id, order.location_id, now=now, lag=lag)
                self._set_companions(order, now=now, lag=lag)
            case UnassignNumber():
                self._unassign(order.number, now=now, lag=lag)
            case SetLocation():
                row = self.true.numbers.get(order.number)
                if row is not None:
                    row = dataclasses.replace(row, location_id=order.location_id)
                    self._write_number(row, now + lag)
            case SetPolicy():
                self._set_policy(order, now=now, lag=lag)
                self._set_companions(order, now=now, lag=lag)

    def _assign(
        self, number: E164, user_id: str, location_id: str | None, *, now: float, lag: float
    ) -> None:
        row = self.true.numbers.get(number)
        if row is None and self.adds_numbers:
            row = NumberOnPlatform(number, NumberType.WEBEX)
        if row is None:
            return
        row = dataclasses.replace(
            row,
            holder_id=user_id,
            held_by_user=True,
            location_id=location_id or row.location_id,
        )
        self._write_number(row, now + lag)
        configuration = self.true.configurations.get(user_id)
        if configuration is not None:
            numbers = (*(n for n in configuration.numbers if n != number), number)
            configuration = dataclasses.replace(
                configuration, numbers=numbers, enterprise_voice=True
            )
            self._write_configuration(configuration, now + lag)

    def _unassign(self, number: E164, *, now: float, lag: float) -> None:
        row = self.true.numbers.get(number)
        if row is None or row.holder_id is None:
            return
        holder_id = row.holder_id
        if self.adds_numbers:
            self._remove_number(number, now + lag)
        else:
            free = dataclasses.replace(row, holder_id=None, held_by_user=True)
            self._write_number(free, now + lag)
        configuration = self.true.configurations.get(holder_id)
        if configuration is not None:
            numbers = tuple(n for n in configuration.numbers if n != number)
            configuration = dataclasses.replace(
                configuration, numbers=numbers, enterprise_voice=bool(numbers)
            )
            self._write_configuration(configuration, now + lag)

    def _set_companions(self, order: AssignNumber | SetPolicy, *, now: float, lag: float) -> None:
        """What came in one order with a number or a licence."""
        names = {"CallingLicence": order.licence, "Extension": order.extension}
        for policy_type, name in names.items():
            if name is not None:
                self._set_policy(SetPolicy(order.user_id, policy_type, name), now=now, lag=lag)

    def _set_policy(self, order: SetPolicy, *, now: float, lag: float) -> None:
        configuration = self.true.configurations.get(order.user_id)
        if configuration is None:
            return
        policies = dict(configuration.policies)
        policies.pop(order.policy_type, None)
        inherited = self.group_policies.get((order.user_id, order.policy_type))
        if order.name is not None:
            policies[order.policy_type] = PolicyOnLine(order.name)
        elif inherited is not None:
            policies[order.policy_type] = PolicyOnLine(inherited, PolicyOrigin.GROUP)
        configuration = dataclasses.replace(
            configuration, policies=tuple(sorted(policies.items(), key=lambda item: item[0]))
        )
        self._write_configuration(configuration, now + lag)

    def _write_number(self, row: NumberOnPlatform, visible_at: float) -> None:
        self.true.numbers[row.number] = row

        def publish() -> None:
            self.seen.numbers[row.number] = row

        self._publications.append((visible_at, publish))

    def _remove_number(self, number: E164, visible_at: float) -> None:
        self.true.numbers.pop(number, None)
        self._publications.append((visible_at, lambda: self._unsee(number)))

    def _unsee(self, number: E164) -> None:
        self.seen.numbers.pop(number, None)

    def _write_configuration(self, row: CallingConfiguration, visible_at: float) -> None:
        self.true.configurations[row.user_id] = row

        def publish() -> None:
            self.seen.configurations[row.user_id] = row

        self._publications.append((visible_at, publish))

    def _publish_due(self, now: float) -> None:
        # In the order of writing, so that readers never see an older row after a newer one.
        while self._publications and self._publications[0][0] <= now:
            self._publications.popleft()[1]()
