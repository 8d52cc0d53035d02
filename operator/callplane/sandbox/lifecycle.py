"""A sandbox from `up` to `down`: servers, our kinds, the project's processes, all by one name.

Called by `callplane sandbox …` and by the demo. What runs is recorded in the sandbox's folder;
while `up` is under way a guardian clears that folder should this process die.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from callplane.sandbox import (
    binaries,
    components,
    control_plane,
    crds,
    foreign_clusters,
    guardian,
    locations,
    locks,
    postgres,
    processes,
    rights,
)
from callplane.sandbox.binaries import Search
from callplane.sandbox.components import Component, Surroundings
from callplane.sandbox.control_plane import ClusterOptions
from callplane.sandbox.failures import SandboxError
from callplane.sandbox.kubectl import Kubectl
from callplane.sandbox.processes import ProcessRecord
from callplane.sandbox.state import SandboxState

DEFAULT_NAME = "default"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
DATABASE = "callplane"
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What to start.

    `foreign_kubeconfig` names a cluster that exists already and is used in place of an own one.
    `throw_away` trades durability for speed; `audit` logs requests to the API server.
    """

    foreign_kubeconfig: Path | None = None
    throw_away: bool = False
    audit: bool = False
    components: tuple[Component, ...] = components.STANDARD


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A sandbox as its folder describes it."""

    name: str
    folder: Path
    kubeconfig: Path
    kubectl_program: Path
    database_url: str
    processes: tuple[ProcessRecord, ...]
    addresses: dict[str, str]
    started_in_seconds: float

    @property
    def kubectl(self) -> Kubectl:
        """A kubectl for the sandbox's cluster, as administrator."""
        return Kubectl(self.kubectl_program, self.kubeconfig)

    def dead(self) -> tuple[str, ...]:
        """The names of processes that should run and do not."""
        return tuple(record.name for record in self.processes if not processes.alive(record))


def folder_of(name: str) -> Path:
    """The folder of the sandbox of that name. Raises SandboxError for a name that is none."""
    if NAME.fullmatch(name) is None:
        raise SandboxError(
            f"{name!r} cannot name a sandbox: use at most 40 of a-z, 0-9 and -, no - at the ends"
        )
    return locations.sandboxes_folder() / name


def names() -> tuple[str, ...]:
    """The names of the sandboxes that are up."""
    folder = locations.sandboxes_folder()
    found = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    return tuple(name for name in found if NAME.fullmatch(name) and look(name) is not None)


def look(name: str) -> Sandbox | None:
    """Describe the sandbox of that name; None when there is none or it never came up."""
    folder = folder_of(name)
    state = SandboxState.load(folder)
    if state is None or not state.details.get("ready"):
        return None
    details = state.details
    return Sandbox(
        name=name,
        folder=folder,
        kubeconfig=Path(details["kubeconfig"]),
        kubectl_program=Path(details["kubectl"]),
        database_url=details["database_url"],
        processes=state.processes,
        addresses=details["addresses"],
        started_in_seconds=details["started_in_seconds"],
    )


def up(name: str, options: UpOptions, *, report: Report) -> Sandbox:
    """Start the sandbox of that name, or return it as it is when it is up and whole.

    Whatever goes wrong, nothing that was started stays. Raises SandboxError.
    """
    folder = folder_of(name)
    with _locked(name, report):
        there = look(name)
        if there is not None and not there.dead():
            report(f"sandbox {name} is up already")
            return there
        _clear(folder, report)
        programs = _Programs.find(options, report)
        state = SandboxState.create(folder)
        watcher = guardian.watch(state)
        try:
            _start_all(name, state, options, programs=programs, report=report)
        except BaseException:
            state.stop()
            state.remove()
            raise
        finally:
            watcher.dismiss()
        found = look(name)
        assert found is not None
        return found


def down(name: str, *, report: Report) -> bool:
    """Stop the sandbox of that name and remove all it kept; False when there was none."""
    with _locked(name, report):
        return _clear(folder_of(name), report)


@dataclass(frozen=True, slots=True)
class _Programs:
    """The cluster's programs, or kubectl alone where the cluster is somebody else's."""

    kubectl: Path
    cluster: binaries.Binaries | None

    @classmethod
    def find(cls, options: UpOptions, report: Report) -> _Programs:
        search = Search(report=report)
        if options.foreign_kubeconfig is not None:
            return cls(kubectl=binaries.find_one("kubectl", search), cluster=None)
        found = binaries.find(search)
        return cls(kubectl=found.kubectl, cluster=found)


@dataclass(frozen=True, slots=True)
class _Access:
    """The administrator's kubeconfig, and a way to get one for somebody else."""

    kubeconfig: Path
    identity: Callable[[str, Sequence[str]], Path]


def _locked(name: str, report: Report) -> AbstractContextManager[None]:
    file = locks.file_for(folder_of(name))
    return locks.held(file, waiting=lambda: report(f"another command works on sandbox {name}"))


def _clear(folder: Path, report: Report) -> bool:
    state = SandboxState.load(folder)
    if state is None:
        return False
    for killed in state.stop():
        report(f"{killed} did not stop when asked and was killed")
    state.remove()
    return True


def _start_all(
    name: str, state: SandboxState, options: UpOptions, *, programs: _Programs, report: Report
) -> None:
    started = time.monotonic()

    def elapsed() -> float:
        return time.monotonic() - started

    def database() -> str:
        address = postgres.start(state, throw_away=options.throw_away)
        address.run_sql(f'create database "{DATABASE}"')
        report(f"{elapsed():5.1f} s  PostgreSQL answers")
        return address.dsn(DATABASE)

    def cluster() -> _Access:
        access = _start_cluster(name, state, options, programs)
        report(f"{elapsed():5.1f} s  the Kubernetes API answers")
        kubectl = Kubectl(programs.kubectl, access.kubeconfig)
        crds.apply(kubectl, crds.folder())
        rights.apply(kubectl, foreign=programs.cluster is None)
        report(f"{elapsed():5.1f} s  the kinds of callplane.dev are served")
        return access

    with ThreadPoolExecutor(max_workers=2) as pool:
        database_url, access = pool.submit(database), pool.submit(cluster)
        try:
            surroundings = Surroundings(
                folder=state.folder,
                kubeconfig=access.result().kubeconfig,
                identity=access.result().identity,
                database_url=database_url.result(),
            )
        except BaseException:
            # What the other one waits for will not come any more.
            state.stop()
            raise
    for component in options.components:
        surroundings = components.start(component, state, surroundings)
        report(f"{elapsed():5.1f} s  {component.name} is ready")
    state.note(
        ready=True,
        kubeconfig=str(surroundings.kubeconfig),
        kubectl=str(programs.kubectl),
        database_url=surroundings.database_url,
        addresses={
            f"{component}/{port}": surroundings.url(component, port)
            for component, port in surroundings.ports
        },
        started_in_seconds=round(elapsed(), 2),
    )


def _start_cluster(
    name: str, state: SandboxState, options: UpOptions, programs: _Programs
) -> _Access:
    if programs.cluster is None:
        assert options.foreign_kubeconfig is not None
        given = foreign_clusters.checked(options.foreign_kubeconfig)
        Kubectl(programs.kubectl, given)("get", "--raw=/readyz")
        return _Access(kubeconfig=given, identity=lambda user, groups: given)
    plane = control_plane.start(
        state,
        name=f"callplane-{name}",
        binaries=programs.cluster,
        options=ClusterOptions(throw_away=options.throw_away, audit=options.audit),
    )
    return _Access(kubeconfig=plane.kubeconfig, identity=plane.client_kubeconfig)
