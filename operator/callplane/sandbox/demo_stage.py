"""What the demo plays on: a sandbox of its own, a copy of the example tree, a simulated tenant.

Chapters call it to do what a user would do, to see what a user would see, and to check it.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import yaml

from callplane.clock import Clock
from callplane.sandbox import components, guardian, lifecycle, locations, locks, postgres
from callplane.sandbox.components import GRAPH, SIMWOOD
from callplane.sandbox.demo_page import Page
from callplane.sandbox.failures import SandboxError
from callplane.sandbox.lifecycle import Sandbox, UpOptions
from callplane.sandbox.simulator_control import SimulatorControl
from callplane.sandbox.state import SandboxState

NAME = "demo"
TREE = "tenants"
TENANT_ID = "1f0c2f4e-52b1-4d0c-9a38-3f6d1f0b8a11"
DOMAIN = "example.com"
# An account with a simulated carrier, and the first of the numbers that it sells.
ACCOUNT = "930000"
CARRIER_FIRST = "+441134960000"
JOINERS = ("zoe",)
# Orders take a moment at Microsoft, too.
ORDER_SECONDS = 0.3
ANSWER_SECONDS = 0.02
# How soon the operator asks what became of an order.
POLL_SECONDS = "0.2"
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.25
PACE = """\
  writesPerSecond: 50
  readsPerSecond: 50
  driftReadsPerSecond: 50
  maxInFlight: 16
  driftInterval: 2s
"""
SETTLE = "    settle: 3s\n"

Value = TypeVar("Value")


class DemoFailed(SandboxError):
    """A chapter's expectation was not met; the text says which, and what was seen."""


class Stage:
    """The running sandbox and the working copy of the tree, with a page to write on."""

    def __init__(self, sandbox: Sandbox, page: Page, clock: Clock) -> None:
        self.sandbox = sandbox
        self.page = page
        self.clock = clock
        self.tree = sandbox.folder / TREE
        self.graph = SimulatorControl(
            f"{sandbox.addresses['graph/http']}/_simulator", tenant=TENANT_ID
        )

    # What a user does

    def run(
        self, command: str, *, rows: int | None = None, code: int = 0, shown: bool = True
    ) -> str:
        """Run `kubectl …`, `callplane …` or a plain program beside the tree; show both sides.

        `code` is the exit code that is expected. Returns what the command printed.
        """
        if shown:
            self.page.command(command)
        program, *arguments = shlex.split(command)
        answer = subprocess.run(
            [*self._program(program), *arguments],
            cwd=self.sandbox.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        said = answer.stdout + answer.stderr
        if answer.returncode != code:
            raise DemoFailed(
                f"{command}: exit code {answer.returncode} where {code} was expected\n{said}"
            )
        if shown:
            self.page.output(said, rows=rows)
        return answer.stdout

    def commit(self, path: str, text: str) -> None:
        """Change, add or (with an empty text) remove a file of the tree, and show the change."""
        file = self.tree / path
        before = file.read_text() if file.exists() else ""
        changes = list(
            difflib.unified_diff(before.splitlines(), text.splitlines(), n=0, lineterm="")
        )
        verb = "is removed" if not text else "is new" if not before else "changes"
        self.page.note(f"in git, {TREE}/{path} {verb}")
        if text:
            self.page.code("\n".join(line for line in changes[2:] if not line.startswith("@@")))
            file.write_text(text)
        else:
            file.unlink()

    def text(self, path: str) -> str:
        """A file of the tree."""
        return (self.tree / path).read_text()

    # What is there

    def items(self, kind: str, namespace: str = "") -> list[dict[str, Any]]:
        """Objects of a kind, in all namespaces or in one."""
        scope = ("-n", namespace) if namespace else ("--all-namespaces",)
        document = json.loads(self.sandbox.kubectl("get", kind, *scope, "-o", "json").stdout)
        found: list[dict[str, Any]] = document["items"]
        return found

    def number_of(self, person: str) -> str | None:
        """The number a person really has in the simulated tenant."""
        numbers: list[str] = self.graph.user(f"{person}@{DOMAIN}")["numbers"]
        return numbers[0] if numbers else None

    def numbers_in_use(self) -> dict[str, str]:
        """Every number somebody has in the tenant, with the id of who has it."""
        numbers: dict[str, dict[str, Any]] = self.graph.state()["numbers"]
        return {number: row["holder"] for number, row in numbers.items() if row["holder"]}

    def writes(self) -> int:
        """How many writes the tenant has been sent so far, by its own count."""
        return len(self.graph.writes())

    def sql(self, statement: str) -> str:
        """What the register's database answers, unaligned."""
        return postgres.query(self.sandbox.database_url, statement)

    # Expectations

    def expect(self, met: bool, proven: str, *, otherwise: str) -> None:
        """Say what is proven, or end the demo."""
        if not met:
            raise DemoFailed(otherwise)
        self.page.proven(proven)

    def until(self, look: Callable[[], Value], wanted: str) -> Value:
        """The first true answer of `look`; ends the demo when there is none for a minute."""
        deadline = self.clock.monotonic() + PATIENCE_SECONDS
        while not (value := look()):
            if self.clock.monotonic() > deadline:
                raise DemoFailed(f"not within {PATIENCE_SECONDS:.0f} s: {wanted}\n{self._look()}")
            time.sleep(LOOK_SECONDS)
        return value

    def _look(self) -> str:
        shown = self.sandbox.kubectl("get", "callplane", "--all-namespaces", check=False).stdout
        lines = [line for line in shown.splitlines() if " True " not in line]
        return "\n".join(lines[:30])

    def _program(self, name: str) -> list[str]:
        if name == "kubectl":
            return self.sandbox.kubectl.command()
        if name == "callplane":
            return list(components.python_module("callplane.cli.app"))
        return [name]

    def _environment(self) -> dict[str, str]:
        return self.sandbox.kubectl.environment() | {
            "PYTHONPATH": locations.python_path(),
            "KUBECONFIG": str(self.sandbox.kubeconfig),
            "CALLPLANE_DATABASE_URL": self.sandbox.database_url,
        }


@contextmanager
def opened(
    page: Page, clock: Clock, *, keep: bool, report: Callable[[str], None]
) -> Iterator[Stage]:
    """A stage for the length of a block; afterwards nothing runs, unless told to keep it."""
    tree = locations.example_tree()
    if tree is None:
        raise SandboxError("the example tree that the demo plays on is not installed")
    options = UpOptions(
        throw_away=True,
        components=(
            components.graph_simulator(
                f"--set=operation_seconds={ORDER_SECONDS}",
                f"--set=answer_delay_seconds={ANSWER_SECONDS}",
            ),
            components.carrier_simulator(
                SIMWOOD, f"--first={CARRIER_FIRST}", f"--account={ACCOUNT}"
            ),
            components.webex_simulator("--users=1"),
            components.operator(operation_poll_seconds=POLL_SECONDS),
        ),
    )
    # What stays has a name to call it by; what goes must not meet another demo on its way.
    name = NAME if keep else f"{NAME}-{os.getpid()}"
    lifecycle.down(name, report=report)
    sandbox = lifecycle.up(name, options, report=report)
    with contextlib.ExitStack() as leaving:
        if not keep:
            leaving.enter_context(_gone_afterwards(sandbox))
        stage = Stage(sandbox, page, clock)
        copy_tree(tree, stage)
        _populate(stage)
        yield stage


@contextmanager
def _gone_afterwards(sandbox: Sandbox) -> Iterator[None]:
    """Whatever ends the block, or this process, ends the sandbox."""
    state = SandboxState.load(sandbox.folder)
    assert state is not None
    watcher = guardian.watch(state)
    try:
        yield
    finally:
        lifecycle.down(sandbox.name, report=lambda text: None)
        watcher.dismiss()
        # Nobody else ever uses this name.
        locks.file_for(sandbox.folder).unlink(missing_ok=True)


def copy_tree(tree: Path, stage: Stage) -> None:
    """The example as a user would clone it, led to the simulated Graph and set to the demo's
    pace.
    """
    shutil.copytree(tree, stage.tree)
    authority = (stage.sandbox.folder / "components" / GRAPH / "simulators-ca.pem").read_text()
    addresses = stage.sandbox.addresses
    endpoint = [
        "  endpoint:",
        f"    graph: {addresses['graph/http']}",
        f"    authority: {addresses['graph/tls'].replace('http:', 'https:')}",
        "    caBundle: |",
        *(f"      {line}" for line in authority.splitlines()),
        "",
    ]
    file = stage.tree / "platform" / "tenant.yaml"
    text = file.read_text()
    text = text.replace("  changeLimits:\n", f"  changeLimits:\n{SETTLE}")
    file.write_text(text.rstrip("\n") + "\n" + PACE + "\n".join(endpoint))


def _populate(stage: Stage) -> None:
    """A tenant with the people and the numbers that the tree speaks of, and one who joins later."""
    people, ranges = [f"{name}@{DOMAIN}" for name in JOINERS], []
    for file in sorted(stage.tree.rglob("*.yaml")):
        for manifest in yaml.safe_load_all(file.read_text()):
            spec = manifest.get("spec", {})
            if manifest["kind"] == "TeamsUser":
                people.append(spec["userPrincipalName"])
            elif manifest["kind"] == "NumberRange":
                first, last = int(spec["first"][1:]), int(spec["last"][1:])
                ranges.append({"first": spec["first"], "count": last - first + 1})
    SimulatorControl(f"{stage.sandbox.addresses['graph/http']}/_simulator").add_tenant(
        id=TENANT_ID,
        domain=DOMAIN,
        people=[{"user_principal_name": name} for name in people],
        ranges=ranges,
    )
