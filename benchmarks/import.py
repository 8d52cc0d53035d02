"""How long a whole estate takes to be taken over, and to be planned to nothing afterwards.

    python benchmarks/import.py [--users 20000] [--numbers 50000] [--smoke]

Two tenants of Teams, a Webex organisation and two carriers, as a recorded snapshot: 19 British
blocks of a thousand numbers for drama, then 555-0100 to 555-0199 of as many area codes of the US as
are needed. Every number is at one of the carriers, and most are in the inventory of one platform.
`callplane import` writes the tree, `callplane plan` plans it on the same snapshot; both are timed
with the start of their process, and each process's own peak memory is read from the kernel. Beside
them stands the bare parse of the tree by libyaml in another process. The last line is one JSON
object.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from callplane.engine import snapshot_files
from callplane.engine.observations import (
    Body,
    CarrierObservation,
    ConnectionObservation,
    Observations,
)
from callplane.numbering import plan_table
from callplane.resources.carriers import NumberOnCarrier, TrunkRoute
from callplane.resources.lines import NumberType, PolicyOnLine
from callplane.resources.platforms import (
    AccountType,
    CallingConfiguration,
    NumberOnPlatform,
    Person,
)
from callplane.resources.webex import EXTENSION, LICENCE
from callplane.store.ports import RegisterState
from callplane.values import E164, ConnectionId, ObjectKey

NAMESPACE = "platform"
NOTHING = RegisterState((), (), (), (), 1)
IMPORT_LIMIT_SECONDS = 60.0
REPLAN_LIMIT_SECONDS = 10.0
RSS_LIMIT_MB = 600.0
#: One holder in so many is a service.
SERVICE_SHARE = 100
#: Of Teams and Webex: how the people are spread over two tenants and the organisation.
SHARES = (0.4, 0.35, 0.25)
DIRECT = NumberType.DIRECT_ROUTING
# Ofcom's numbers for drama, without their last three digits.
BRITISH = (
    *("2079460", "1614960", "1134960", "1144960", "1154960", "1164960", "1174960", "1184960"),
    *("1214960", "1314960", "1414960", "1514960", "1914980", "2896496", "2920180", "1632960"),
    *("7700900", "8081570", "3069990"),
)
AMERICAN_BLOCK = 100
BARE_PARSE = """
import sys, time, pathlib, yaml
began = time.perf_counter()
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.yaml")):
    with open(path, "rb") as file:
        for document in yaml.load_all(file.read(), Loader=yaml.CSafeLoader):
            pass
print(time.perf_counter() - began)
"""


def british() -> Iterator[E164]:
    for block in BRITISH:
        yield from (E164(f"+44{block}{last:03}") for last in range(1000))


def american() -> Iterator[E164]:
    """Area by area that the plan admits."""
    for area in range(200, 1000):
        if plan_table.US.is_admissible(E164(f"+1{area}5550100")):
            yield from (E164(f"+1{area}55501{last:02}") for last in range(AMERICAN_BLOCK))


def numbers(count: int) -> tuple[list[E164], list[E164]]:
    """British and American numbers, in the proportion of the whole benchmark."""
    here = [*british()][: max(1, min(count * 38 // 100, len(BRITISH) * 1000))]
    abroad = [number for number, _ in zip(american(), range(count - len(here)), strict=False)]
    return here, abroad


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody with a number; `index` tells them apart within their platform."""

    index: int
    number: E164

    @property
    def is_service(self) -> bool:
        return self.index % SERVICE_SHARE == SERVICE_SHARE - 1


# Platforms


def tenant(name: str, held: Sequence[E164], spare: Sequence[E164]) -> ConnectionObservation:
    """People and resource accounts in Teams, with policies."""
    holders = [Holder(index, number) for index, number in enumerate(held)]
    rows = [
        NumberOnPlatform(each.number, DIRECT, user_id(name, each), held_by_user=not each.is_service)
        for each in holders
    ]
    rows += [NumberOnPlatform(number, DIRECT) for number in spare]
    return ConnectionObservation(
        key=ObjectKey("TeamsTenant", NAMESPACE, name),
        connection=ConnectionId("teams", tenant_id(name)),
        people=tuple(
            Person(user_id(name, each), f"user{each.index:05}@{name}.example.com", "GB")
            for each in holders
        ),
        numbers=tuple(rows),
        configurations=tuple(configuration(name, each) for each in holders),
        register=NOTHING,
    )


def configuration(name: str, each: Holder) -> CallingConfiguration:
    kind = AccountType.RESOURCE_ACCOUNT if each.is_service else AccountType.USER
    policies = (
        ("OnlineVoiceRoutingPolicy", PolicyOnLine("National")),
        ("TeamsCallingPolicy", PolicyOnLine(("Standard", "Sales")[each.index % 2])),
    )
    policies = () if each.is_service else policies
    return CallingConfiguration(user_id(name, each), account_type=kind, policies=policies)


def organisation(held: Sequence[E164], spare: Sequence[E164]) -> ConnectionObservation:
    """Calling users and queues in Webex, at a location a thousand."""
    holders = [Holder(index, number) for index, number in enumerate(held)]
    people = [each for each in holders if not each.is_service]
    services = [each for each in holders if each.is_service]
    rows = [
        NumberOnPlatform(
            each.number,
            NumberType.WEBEX,
            user_id("webex", each),
            held_by_user=not each.is_service,
            location_id=f"Office {each.index // 1000}",
        )
        for each in holders
    ]
    rows += [NumberOnPlatform(number, NumberType.WEBEX, location_id="Stock") for number in spare]
    return ConnectionObservation(
        key=ObjectKey("WebexOrganization", NAMESPACE, "webex"),
        connection=ConnectionId("webex", tenant_id("webex")),
        people=tuple(
            Person(user_id("webex", each), f"user{each.index:05}@webex.example.com")
            for each in people
        ),
        numbers=tuple(rows),
        configurations=tuple(
            CallingConfiguration(
                user_id("webex", each),
                policies=(
                    (LICENCE.detail, PolicyOnLine("Professional")),
                    (EXTENSION.detail, PolicyOnLine(f"{each.index % 10000:04}")),
                ),
            )
            for each in people
        ),
        register=NOTHING,
        services=tuple(
            Person(user_id("webex", each), f"CallQueue/Queue {each.index}") for each in services
        ),
    )


def carrier(name: str, kind: str, owned: Sequence[E164]) -> CarrierObservation:
    return CarrierObservation(
        key=ObjectKey("Carrier", NAMESPACE, name),
        connection=ConnectionId(kind.lower(), f"account-{name}"),
        numbers=tuple(
            NumberOnCarrier(number, route=TrunkRoute("1001"), deletion_locked=True)
            for number in owned
        ),
        balance=None,
        register=NOTHING,
    )


def tenant_id(name: str) -> str:
    return f"00000000-0000-4000-8000-{sum(name.encode()):012x}"


def user_id(name: str, each: Holder) -> str:
    return f"{sum(name.encode()):08x}-0000-4000-8000-{each.index:012x}"


# The cluster's objects: the connections and nothing else


def connections() -> tuple[Body, ...]:
    secret = {"name": "secret", "key": "value"}
    client = {"clientId": tenant_id("app"), "secretRef": secret}
    app = {"clientId": "app", "clientSecretRef": secret, "refreshTokenRef": secret}
    found = [
        body("TeamsTenant", name, tenantId=tenant_id(name), credentials={"clientSecret": client})
        for name in ("north", "south")
    ]
    organisation_id = tenant_id("webex")
    credentials = {"serviceApp": app}
    found.append(body("WebexOrganization", "webex", orgId=organisation_id, credentials=credentials))
    for name, kind in (("british", "Telnyx"), ("american", "Telnyx")):
        spec = {
            "type": kind,
            "account": f"account-{name}",
            "credentials": {"secretRef": secret},
            "trunk": {"name": "1001"},
        }
        found.append(body("Carrier", name, **spec))
    return tuple(found)


def body(kind: str, name: str, **spec: Any) -> Body:
    metadata = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{kind}-{name}"}
    return {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }


def observations(users: int, count: int) -> Observations:
    here, abroad = numbers(count)
    # Everybody's number comes from both countries alike, and what is left is spare.
    mixed = [number for pair in zip(here, abroad, strict=False) for number in pair]
    mixed += (here if len(here) > len(abroad) else abroad)[min(len(here), len(abroad)) :]
    held, spare = mixed[:users], mixed[users:]
    # Half of what is spare is in the inventory of a platform; the rest is at the carrier alone.
    stocked = spare[: len(spare) // 2]
    first, second = int(users * SHARES[0]), int(users * (SHARES[0] + SHARES[1]))
    third = len(stocked) // 3
    return Observations(
        taken_at=datetime.now(UTC),
        taken_by="benchmark",
        connections=(
            tenant("north", held[:first], stocked[:third]),
            tenant("south", held[first:second], stocked[third : 2 * third]),
            organisation(held[second:], stocked[2 * third :]),
        ),
        installation="benchmark",
        objects=connections(),
        namespace_labels={NAMESPACE: {}},
        carriers=(carrier("british", "Telnyx", here), carrier("american", "Telnyx", abroad)),
    )


# Measuring


@dataclass(frozen=True, slots=True)
class Run:
    seconds: float
    rss_mb: float
    code: int
    out: str
    err: str


def run(*arguments: str) -> Run:
    """`callplane` in a process of its own, its start included; the memory is that process's."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        command = [sys.executable, "-m", "callplane.cli.app", *arguments]
        process = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        rss_mb = usage.ru_maxrss / 1024
        return Run(seconds, rss_mb, process.returncode, out.read(), err.read())


def bare_parse_seconds(folder: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-c", BARE_PARSE, str(folder)], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def measure(users: int, count: int, folder: Path) -> dict[str, Any]:
    snapshot, tree = folder / "estate.snapshot", folder / "estate"
    estate = observations(users, count)
    snapshot_files.save(snapshot, estate)
    owned = sum(len(each.numbers) for each in estate.carriers)
    print(f"{users:,} holders, {owned:,} numbers, {snapshot.stat().st_size / 1e6:.1f} MB snapshot")
    taken = run("import", "--from-snapshot", str(snapshot), "--into", str(tree))
    print(taken.err.strip())
    if taken.code != 0:
        raise SystemExit(f"the import left something out or failed: {taken.out[:2000]}")
    planned = run("plan", str(tree), "--snapshot", str(snapshot), "--format", "json")
    if planned.code not in (0, 2, 3):
        raise SystemExit(f"the plan failed: {planned.err[:2000]}")
    summary = json.loads(planned.out)["summary"]
    files = sum(1 for _ in tree.rglob("*.yaml"))
    parse_seconds = bare_parse_seconds(tree)
    print(f"{files:,} files; bare parse {parse_seconds:.2f} s")
    print(f"plan: {re.sub(r'[{}]', '', json.dumps(summary))}")
    changes = sum(summary["changes"].values()) + summary["blocked"] + summary["waiting"]
    return {
        "numbers": owned,
        "users": users,
        "import_seconds": round(taken.seconds, 2),
        "replan_seconds": round(planned.seconds, 2),
        "changes": changes,
        "rss_mb": round(max(taken.rss_mb, planned.rss_mb)),
        "import_rss_mb": round(taken.rss_mb),
        "replan_rss_mb": round(planned.rss_mb),
        "files": files,
        "bare_parse_seconds": round(parse_seconds, 2),
        "replan_ratio_to_bare_parse": round(planned.seconds / parse_seconds, 2),
        "cores": os.cpu_count(),
        "load_average_before": LOAD_BEFORE,
    }


LOAD_BEFORE = round(os.getloadavg()[0], 2)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--numbers", type=int, default=50_000)
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    users, count = (200, 500) if given.smoke else (given.users, given.numbers)
    limits = (
        f"limits: import {IMPORT_LIMIT_SECONDS:g} s, replan {REPLAN_LIMIT_SECONDS:g} s, "
        f"{RSS_LIMIT_MB:g} MB"
    )
    print(limits)
    with tempfile.TemporaryDirectory(prefix="callplane-import-") as folder:
        print(json.dumps(measure(users, count, Path(folder))))


if __name__ == "__main__":
    main()
