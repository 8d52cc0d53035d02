"""How long `callplane plan` takes over a whole tenant, beside a bare parse of the same files.

    python benchmarks/plan.py [--users 10000] [--runs 3] [--no-cluster]

Writes a tree of one tenant, its ranges and one manifest a person, and a snapshot in which one
person in a hundred differs from it. The plan is timed with the start of its process; the reference
is `yaml.load_all` with libyaml's CSafeLoader over the same files in another process, whose start
does not count. Each number is the median of the runs, which alternate. Beside it, `kubectl diff` of
1,000 of the people against a real API server of its own. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

from callplane.engine import snapshot_files
from callplane.engine.observations import ConnectionObservation, Observations
from callplane.numbering.lifecycle import NumberState
from callplane.resources.lines import NumberType, PolicyOnLine
from callplane.resources.platforms import CallingConfiguration, NumberOnPlatform, Person
from callplane.store.ports import HolderRow, NumberRow, RegisterState
from callplane.testing.control_plane import ThrowAwayCluster
from callplane.values import E164, ConnectionId, DeclaringObject, HolderId, ObjectKey, Platform

TENANT_ID = "00000000-0000-4000-8000-00000000aaaa"
CONNECTION = ConnectionId("teams", TENANT_ID)
INSTALLATION = "benchmark"
TEAMS = 20
DIFF_OBJECTS = 1000
CHANGED_SHARE = 100
LIMIT = 6.0
# Blocks of a thousand numbers that belong to nobody (Ofcom's numbers for drama), without their
# last three digits.
CITIES = ("113", "114", "115", "116", "117", "118", "121", "131", "141", "151", "161")
BLOCKS = ("2079460", *(f"{city}4960" for city in CITIES))
BARE_PARSE = """
import sys, time, pathlib, yaml
began = time.perf_counter()
count = 0
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.yaml")):
    with open(path, "rb") as file:
        for document in yaml.load_all(file.read(), Loader=yaml.CSafeLoader):
            count += 1
print(time.perf_counter() - began, count)
"""


@dataclass(frozen=True, slots=True)
class Somebody:
    """One person of the tenant; `index` decides everything about them."""

    index: int

    @property
    def name(self) -> str:
        return f"user-{self.index:05}"

    @property
    def team(self) -> str:
        return f"team-{self.index % TEAMS:02}"

    @property
    def user_id(self) -> str:
        return f"00000000-0000-4000-8000-{self.index:012x}"

    @property
    def block(self) -> int:
        return self.index // 1000

    @property
    def number(self) -> E164:
        return E164(f"+44{BLOCKS[self.block]}{self.index % 1000:03}")

    @property
    def holder(self) -> HolderId:
        return HolderId(Platform.TEAMS, TENANT_ID, self.user_id)

    @property
    def is_changed(self) -> bool:
        return self.index % CHANGED_SHARE == 0

    @property
    def is_new(self) -> bool:
        """One changed person in ten has joined: no number yet."""
        return self.is_changed and self.index // CHANGED_SHARE % 10 == 0


def tree(folder: Path, people: list[Somebody]) -> int:
    """Write the manifests, a file a person; returns how many there are."""
    platform = folder / "platform"
    platform.mkdir(parents=True)
    tenant = {
        "tenantId": TENANT_ID,
        "credentials": {
            "clientSecret": {
                "clientId": "00000000-0000-4000-8000-00000000bbbb",
                "secretRef": {"name": "graph", "key": "secret"},
            }
        },
        "allowedNamespaces": [{"selector": {}}],
    }
    write(platform / "tenant.yaml", "TeamsTenant", "main", "platform", tenant)
    blocks = sorted({person.block for person in people})
    for block in blocks:
        spec = {
            "first": f"+44{BLOCKS[block]}000",
            "last": f"+44{BLOCKS[block]}999",
            "route": "DirectRouting",
            "allowedNamespaces": [{"selector": {}}],
        }
        write(platform / f"range-{block}.yaml", "NumberRange", range_name(block), "platform", spec)
    for person in people:
        spec = {
            "tenantRef": {"name": "main", "namespace": "platform"},
            "userPrincipalName": f"{person.name}@example.com",
            "phoneNumber": {
                "rangeRef": {"name": range_name(person.block), "namespace": "platform"}
            },
            "policies": [{"type": "TeamsCallingPolicy", "name": "Standard"}],
        }
        (folder / person.team).mkdir(exist_ok=True)
        file = folder / person.team / f"{person.name}.yaml"
        write(file, "TeamsUser", person.name, person.team, spec)
    return 1 + len(blocks) + len(people)


def range_name(block: int) -> str:
    return f"block-{block:02}"


def write(file: Path, kind: str, name: str, namespace: str, spec: dict[str, object]) -> None:
    body = {
        "apiVersion": "callplane.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    file.write_text(yaml.dump(body, Dumper=yaml.CSafeDumper, sort_keys=False))


def observations(people: list[Somebody]) -> Observations:
    """Everybody as declared, but for those who are changed."""
    moment = datetime.now(UTC)
    held = [person for person in people if not person.is_new]
    state = RegisterState(
        numbers=tuple(claim(person, moment) for person in held),
        holders=tuple(holder_row(person) for person in held),
        open_intents=(),
        gate_rows=(),
        sequence=1,
    )
    connection = ConnectionObservation(
        key=ObjectKey("TeamsTenant", "platform", "main"),
        connection=CONNECTION,
        people=tuple(
            Person(person.user_id, f"{person.name}@example.com", usage_location="GB")
            for person in people
        ),
        numbers=tuple(
            NumberOnPlatform(
                person.number,
                NumberType.DIRECT_ROUTING,
                None if person.is_new else person.user_id,
            )
            for person in people
        ),
        configurations=tuple(configuration(person) for person in people),
        register=state,
    )
    return Observations(moment, "benchmark", (connection,), installation=INSTALLATION)


def configuration(person: Somebody) -> CallingConfiguration:
    policy = PolicyOnLine("Basic" if person.is_changed and not person.is_new else "Standard")
    return CallingConfiguration(person.user_id, policies=(("TeamsCallingPolicy", policy),))


def claim(person: Somebody, moment: datetime) -> NumberRow:
    return NumberRow(
        number=person.number,
        connection=CONNECTION,
        state=NumberState.ASSIGNED,
        holder=person.holder,
        declared_by=declaring(person),
        range_name=f"platform/{range_name(person.block)}",
        number_type="directRouting",
        transfer_to=None,
        quarantined_until=None,
        reason="",
        updated_at=moment,
        version=1,
    )


def holder_row(person: Somebody) -> HolderRow:
    number = {"number": person.number.text, "type": "directRouting"}
    return HolderRow(
        person.holder,
        CONNECTION,
        declaring(person),
        f"{person.name}@example.com",
        {"number": number, "policy/TeamsCallingPolicy": {"name": "Standard"}},
        {},
    )


def declaring(person: Somebody) -> DeclaringObject:
    return DeclaringObject(
        INSTALLATION, "TeamsUser", person.team, person.name, f"uid-{person.index}"
    )


def parse_seconds(folder: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-c", BARE_PARSE, str(folder)], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[0])


def plan_seconds(folder: Path, snapshot: Path) -> tuple[float, dict[str, object]]:
    """Seconds of one plan with its process, and the plan."""
    command = [sys.executable, "-m", "callplane.cli.app", "plan", str(folder)]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--snapshot", str(snapshot), "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode not in (2, 3):
        raise SystemExit(f"plan ended with {done.returncode}: {done.stderr}")
    return seconds, json.loads(done.stdout)


def check(planned: dict[str, object], people: list[Somebody]) -> None:
    """The plan names exactly the people who differ, and what differs of them."""
    expected = {
        (person.team, person.name): "AssignNumber" if person.is_new else "SetPolicy"
        for person in people
        if person.is_changed
    }
    objects = planned["objects"]
    assert isinstance(objects, list)
    found = {
        (each["namespace"], each["name"]): "+".join(c["operation"] for c in each["changes"])
        for each in objects
    }
    if found != expected:
        wrong = Counter(found.values()) - Counter(expected.values())
        raise SystemExit(f"the plan is not what was to be planned: {wrong or found}")


def kubectl_diff_seconds(folder: Path) -> float:
    """`kubectl diff` of a thousand people who are in the cluster as they are in the files."""
    files = sorted(folder.glob("team-*/*.yaml"))[:DIFF_OBJECTS]
    text = "---\n".join(file.read_text() for file in files)
    print(f"kubectl diff of {len(files)} people against a real API server", flush=True)
    with ThrowAwayCluster() as cluster:
        for team in sorted({file.parent.name for file in files}):
            cluster.kubectl("create", "namespace", team)
        cluster.kubectl("apply", "--server-side", "-f", "-", stdin=text)
        began = time.perf_counter()
        cluster.kubectl("diff", "--server-side", "-f", "-", stdin=text)
        return time.perf_counter() - began


def rounds(folder: Path, snapshot: Path, *, runs: int) -> Iterator[tuple[float, float]]:
    for nth in range(runs):
        parsing = parse_seconds(folder)
        planning, _ = plan_seconds(folder, snapshot)
        print(f"run {nth + 1}: bare parse {parsing:.2f} s, plan {planning:.2f} s", flush=True)
        yield parsing, planning


def main() -> None:
    """Write tree and snapshot, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-cluster", action="store_true", help="leave kubectl diff out")
    options = parser.parse_args()
    people = [Somebody(index) for index in range(options.users)]
    with tempfile.TemporaryDirectory() as name:
        folder, snapshot = Path(name) / "tree", Path(name) / "snapshot.gz"
        manifests = tree(folder, people)
        snapshot_files.save(snapshot, observations(people))
        print(f"{manifests} manifests, snapshot of {snapshot.stat().st_size / 1e6:.1f} MB")
        _, planned = plan_seconds(folder, snapshot)
        check(planned, people)
        measured = list(rounds(folder, snapshot, runs=options.runs))
        diff = None if options.no_cluster else kubectl_diff_seconds(folder)
    parsing = statistics.median(parsing for parsing, _ in measured)
    planning = statistics.median(planning for _, planning in measured)
    ratio = planning / parsing
    print(f"plan takes {ratio:.1f} times the bare parse; the limit is {LIMIT:g}")
    result = {
        "manifests": manifests,
        "plan_seconds": round(planning, 3),
        "parse_seconds": round(parsing, 3),
        "ratio": round(ratio, 2),
        "kubectl_diff_seconds": None if diff is None else round(diff, 2),
        "cores": os.cpu_count(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
