"""The demo's chapter about calls and money: a pool runs dry, 999 does not ask, git lets it go on.

Calls are real SIP through a real Kamailio where it is installed. Without it call control is asked
over HTTP, as an SBC of somebody else's would, and the page says so.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from callplane.sandbox import components, locations, ports, processes
from callplane.sandbox.components import CALL_CONTROL, Surroundings
from callplane.sandbox.demo_stage import TREE, DemoFailed, Stage
from callplane.sandbox.processes import ProcessRecord
from callplane.sandbox.state import SandboxState

PEOPLE = ("bert", "cleo", "dora", "egon")
DIALLED, UNPRICED = "02079460123", "0012025550123"
TALK_SECONDS = 1.2
MONEY = """\
apiVersion: callplane.dev/v1alpha1
kind: DestinationSet
metadata: {name: uk, namespace: support}
spec:
  sample: true
  rows: [{prefix: "442", treatment: Bundled, name: London}]
---
apiVersion: callplane.dev/v1alpha1
kind: RateCard
metadata: {name: card, namespace: support}
spec:
  currency: GBP
  sample: true
  timeZone: Europe/London
  rows:
    - prefix: "44"
      name: United Kingdom
      perMinute: "0.015"
      increment: {first: 60, next: 60}
      effectiveFrom: "2026-01-01T00:00:00Z"
---
apiVersion: callplane.dev/v1alpha1
kind: CallingPlan
metadata: {name: one-minute, namespace: support}
spec:
  minutes: 1
  increment: {first: 60, next: 60}
  destinationSetRef: {name: uk}
  price: "0.01"
"""
ACCOUNT = """\
apiVersion: callplane.dev/v1alpha1
kind: CallingAccount
metadata: {name: support, namespace: support}
spec:
  currency: GBP
  timeZone: A/Zone
  overspend: Block
  rateCardRef: {name: card}
  ceiling: "10"
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller was told: a status of SIP and its words."""

    status: int
    said: str


class Telephones(Protocol):
    """Whatever calls are placed with."""

    #: What the page says of them.
    about: str
    spool: str

    def call(self, caller: str, dialled: str) -> Answer: ...

    def hang_up(self) -> None: ...

    def is_connected(self) -> bool: ...


def calls(stage: Stage) -> None:
    """Three people empty a pool, a fourth is refused, 999 goes through, and overspend lets him."""
    page = stage.page
    numbers = [number for person in PEOPLE if (number := stage.number_of(person))]
    assert len(numbers) == len(PEOPLE)
    with _telephones() as phones:
        page.prose(
            f"""Four people of support share a pool of four minutes, one each, counted in whole
            minutes. {phones.about}"""
        )
        stage.commit("support/calls.yaml", MONEY)
        desk = _Desk(stage, phones, zone=_zone(stage.clock.now()))
        stage.commit("support/account.yaml", desk.account())
        for person in PEOPLE:
            path = f"support/{person}.yaml"
            refs = "  accountRef: {name: support}\n  callingPlanRef: {name: one-minute}\n"
            stage.commit(path, stage.text(path).rstrip("\n") + "\n" + refs)
        stage.run(f"kubectl apply -R -f {TREE}/support", rows=3)
        desk.start()
        stage.until(
            lambda: all(desk.knows(number) for number in numbers), "call control knows the lines"
        )
        *three, fourth = numbers
        _drain(desk, three, fourth)
        emergency = _without_call_control(desk, fourth)
        again = _with_overspend(desk, fourth)
    account, month = "support/support", _month(stage.clock.now(), desk.zone)
    stage.run(f"callplane statement {account} {month} --manifests {TREE}")
    stage.expect(
        (emergency, again) == (200, 200),
        "nobody talks longer than somebody pays for, and 999 depends on nothing",
        otherwise=f"999 was answered {emergency}, the call with overspend {again}",
    )


def _drain(desk: _Desk, three: list[str], fourth: str) -> None:
    page = desk.stage.page
    desk.expect(three[0], 200)
    desk.hang_up()
    page.prose("That was the first minute. Now three at once, who hold the other three:")
    for number in three:
        desk.expect(number, 200)
    refused = desk.expect(fourth, 403)
    if "Pool" not in refused.said:
        raise DemoFailed(f"the fourth was refused for another reason: {refused.said}")
    desk.hang_up()
    desk.stage.run("callplane pools support/support", rows=6)


def _without_call_control(desk: _Desk, number: str) -> int:
    page = desk.stage.page
    if isinstance(desk.phones, _Http):
        page.prose("999 is granted without a look at line, pool or database:")
        return desk.expect(number, 200, dialled="999").status
    desk.stop()
    page.prose("Call control is stopped. 999 does not ask it; what could cost money waits:")
    status = desk.expect(number, 200, dialled="999").status
    desk.expect(number, 503, dialled=UNPRICED)
    desk.hang_up()
    desk.start()
    return status


def _with_overspend(desk: _Desk, number: str) -> int:
    stage = desk.stage
    stage.page.prose("Finance agrees that support may go on beyond its minutes, up to 10 GBP:")
    stage.commit("support/account.yaml", desk.account("Allow"))
    stage.run(f"kubectl apply -f {TREE}/support/account.yaml")
    answer = stage.until(lambda: desk.until_allowed(number), "the call is allowed")
    assert answer is not None
    desk.show(number, DIALLED, answer)
    desk.hang_up()
    return answer.status


@dataclass
class _Desk:
    """Call control of the demo, and the telephones at its SBC."""

    stage: Stage
    phones: Telephones
    zone: str
    record: ProcessRecord | None = None
    url: str = ""

    def account(self, overspend: str = "Block") -> str:
        """The manifest of who pays."""
        return ACCOUNT.replace("A/Zone", self.zone).replace("Block", overspend)

    def start(self) -> None:
        """Start the process and wait until it has its tables and, of an SBC, the connection."""
        sandbox = self.stage.sandbox
        state = SandboxState.load(sandbox.folder)
        assert state is not None
        known = Surroundings(
            folder=sandbox.folder,
            kubeconfig=sandbox.kubeconfig,
            database_url=sandbox.database_url,
            identity=lambda name, groups: sandbox.kubeconfig,
        )
        component = components.call_control()
        if isinstance(self.phones, _Sip):
            sbc = f"{ports.LOOPBACK}:{self.phones.port}"
            component = components.call_control(sbcs=sbc, spools=self.phones.spool)
        known = components.start(component, state, known)
        self.record = state.processes[-1]
        self.url = known.url(CALL_CONTROL, "http")
        if isinstance(self.phones, _Http):
            self.phones.url = self.url
        self.stage.until(self.phones.is_connected, "the SBC has its call control")

    def stop(self) -> None:
        assert self.record is not None
        processes.stop(self.record)
        self.stage.until(lambda: not self.phones.is_connected(), "the SBC sees that it is alone")

    def knows(self, number: str) -> bool:
        """Does call control know this line? Asked by a call that nobody may make."""
        answer = _Http(self.url).call(number, UNPRICED)
        return "UnknownLine" not in answer.said

    def expect(self, number: str, status: int, *, dialled: str = DIALLED) -> Answer:
        """Call, show what came of it, and end the demo where it is not that."""
        answer = self.phones.call(number, dialled)
        self.show(number, dialled, answer)
        if answer.status != status:
            raise DemoFailed(f"{number} to {dialled}: {answer.said} where {status} was expected")
        return answer

    def until_allowed(self, number: str) -> Answer | None:
        answer = self.phones.call(number, DIALLED)
        return answer if answer.status == 200 else None

    def show(self, number: str, dialled: str, answer: Answer) -> None:
        self.stage.page.note(f"{number} calls {dialled}: {answer.said}")

    def hang_up(self) -> None:
        """Talk a moment, hang up, and wait until the books have every record."""
        began = self.stage.clock.monotonic()
        self.stage.until(
            lambda: self.stage.clock.monotonic() - began > TALK_SECONDS, "a moment of talk"
        )
        self.phones.hang_up()
        held = "select coalesce(sum(live_calls), 0) from books.account_periods"
        if self.record is not None and processes.alive(self.record):
            self.stage.until(
                lambda: self.stage.sql(held).strip() == "0", "the calls are in the books"
            )


@dataclass
class _Http:
    """An SBC that asks over HTTP, as far as call control can tell."""

    url: str = ""
    about: str = (
        "There is no Kamailio here (`make sbc-deps` fetches it), so that call control is asked "
        "over HTTP what an SBC would ask."
    )
    spool: str = ""
    _asked: int = 0
    _up: list[tuple[str, str, str]] = field(default_factory=list)

    def call(self, caller: str, dialled: str) -> Answer:
        self._asked += 1
        attempt = f"demo-{id(self)}-{self._asked}"
        verdict = self._post(
            "/v1/authorise",
            {
                "ev": "authorise",
                "i": 1,
                "l": 1,
                "attempt_id": attempt,
                "boot_id": "demo",
                "ingress": "Teams",
                "caller": caller,
                "dialled": dialled,
            },
        )
        if not verdict["allow"]:
            return Answer(403, f"403 {verdict['reason']}")
        self._up.append((attempt, caller, dialled))
        return Answer(200, "200 OK")

    def hang_up(self) -> None:
        end = datetime.now(ZoneInfo("UTC"))  # noqa: TID251 - a record has the time of its SBC
        begin = end - timedelta(seconds=TALK_SECONDS)
        for attempt, caller, dialled in self._up:
            record = {
                "attempt": attempt,
                "class": "emergency" if dialled == "999" else "outbound",
                "account": "",
                "caller": caller,
                "dialled": dialled,
                "ingress": "Teams",
                "reservation": attempt,
                "start_time": f"{begin.timestamp():.3f}",
                "end_time": f"{end.timestamp():.3f}",
                "duration": f"{TALK_SECONDS:.3f}",
            }
            self._post("/v1/events", {"ev": "cdr", "cdr": record})
        self._up.clear()

    def is_connected(self) -> bool:
        return True

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            self.url + path,
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=15) as answer:
            text = answer.read()
        return json.loads(text) if text else {}


class _Sip:
    """The network of `callplane.testing.demo_switch`, a program beside this one."""

    about = "They call by SIP, through a real Kamailio that asks call control about each call."

    def __init__(self, program: subprocess.Popen[str], port: int, spool: str) -> None:
        self._program = program
        self.port = port
        self.spool = spool

    def call(self, caller: str, dialled: str) -> Answer:
        return Answer(**self._order(do="call", caller=caller, dialled=dialled))

    def hang_up(self) -> None:
        self._order(do="hang up")

    def is_connected(self) -> bool:
        return bool(self._order(do="look")["connected"])

    def _order(self, **order: str) -> dict[str, Any]:
        assert self._program.stdin is not None
        self._program.stdin.write(json.dumps(order) + "\n")
        self._program.stdin.flush()
        return _line(self._program)


@contextlib.contextmanager
def _telephones() -> Iterator[Telephones]:
    """Real ones where there is a Kamailio, for the length of a block."""
    (port,) = ports.free(1)
    program = subprocess.Popen(
        components.python_module("callplane.testing.demo_switch", str(port)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=processes.child_environment({"PYTHONPATH": locations.python_path()}),
    )
    try:
        ready = _line(program)
        yield _Sip(program, port, ready["spool"]) if ready["ready"] else _Http()
    finally:
        # It ends everything of its own when nobody speaks with it any more.
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.close()
        program.wait(timeout=60)
        program.stdout.close()


def _line(program: subprocess.Popen[str]) -> dict[str, Any]:
    assert program.stdout is not None
    line = program.stdout.readline()
    if not line:
        raise DemoFailed(f"the telephones went away with {program.wait()}")
    found: dict[str, Any] = json.loads(line)
    return found


def _zone(now: datetime) -> str:
    """Where the account's months are: in London, and in London's last hour of a month in Berlin,
    where the next has begun. A pool that is full again in the middle would spoil the story.

    >>> at = datetime(2026, 11, 30, 22, 59, tzinfo=ZoneInfo("UTC"))
    >>> _zone(at), _zone(at + timedelta(minutes=1)), _zone(at + timedelta(minutes=61))
    ('Europe/London', 'Europe/Berlin', 'Europe/London')
    """
    zones = ("Europe/London", "Europe/Berlin")
    return zones[_month(now, zones[0]) != _month(now, zones[1])]


def _month(now: datetime, zone: str) -> str:
    return now.astimezone(ZoneInfo(zone)).strftime("%Y-%m")
