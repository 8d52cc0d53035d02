"""Throw-away servers for tests: a real PostgreSQL and a real Kubernetes API, gone with their owner.

Used through the fixtures of `callplane.testing.fixtures`; benchmarks and tools may use the classes
as context managers.
"""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from callplane.sandbox import binaries, control_plane, crds, guardian, postgres
from callplane.sandbox.binaries import Search
from callplane.sandbox.control_plane import ClusterOptions
from callplane.sandbox.kubectl import Kubectl
from callplane.sandbox.state import SandboxState
from callplane.testing import audit_log
from callplane.testing.audit_log import Write


class ThrowAway:
    """A sandbox folder of its own that a guardian clears when this process dies."""

    def __init__(self) -> None:
        # The lock of a sandbox lies beside its folder; both go with the folder around them.
        self._around = Path(tempfile.mkdtemp(prefix="callplane-test-"))
        self.folder = self._around / "servers"
        self.state = SandboxState.create(self.folder)
        self.state.owns_outside(self._around)
        self._guardian = guardian.watch(self.state)

    def close(self) -> None:
        """Stop every server and remove every file."""
        self.state.stop()
        self.state.remove()
        self._guardian.dismiss()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class ThrowAwayPostgres(ThrowAway):
    """A PostgreSQL 18 server without durability; each test asks it for databases of its own.

    `durable=True` keeps fsync on, for benchmarks.
    """

    def __init__(self, *, durable: bool = False) -> None:
        super().__init__()
        self._names = itertools.count(1)
        self._templates: set[str] = set()
        try:
            self.address = postgres.start(self.state, throw_away=not durable)
        except BaseException:
            self.close()
            raise

    @property
    def dsn(self) -> str:
        """The connection URI of the database `postgres`, as superuser."""
        return self.address.dsn()

    def prepare_template(self, name: str, prepare: Callable[[str], None]) -> None:
        """Once per name: make a database and let `prepare(dsn)` fill it. It must close its
        connections.
        """
        if name in self._templates:
            return
        self.address.run_sql(f'create database "{name}"')
        prepare(self.address.dsn(name))
        self._templates.add(name)

    def create_database(self, *, template: str = "template0") -> str:
        """Make a fresh database, empty or as a copy of a prepared template; return its DSN."""
        name = f"test_{next(self._names)}"
        self.address.run_sql(f'create database "{name}" template "{template}"')
        return self.address.dsn(name)

    def drop_database(self, dsn: str) -> None:
        """Drop a database that `create_database` made, ending the sessions that are still in it."""
        name = dsn.rpartition("/")[2]
        self.address.run_sql(f'drop database if exists "{name}" with (force)')

    def copy_database(self, dsn: str) -> str:
        """A copy of a database as it is now, as a backup would have it; nobody may be connected."""
        return self.create_database(template=dsn.rpartition("/")[2])

    @contextmanager
    def database(self, *, template: str = "template0") -> Iterator[str]:
        """Lend the DSN of a fresh database for the length of a block."""
        dsn = self.create_database(template=template)
        try:
            yield dsn
        finally:
            self.drop_database(dsn)


class ThrowAwayCluster(ThrowAway):
    """A real Kubernetes API with the namespace and garbage-collector controllers, and our kinds.

    `durable=True` keeps etcd's fsync on, for benchmarks; `audit=True` counts requests;
    `kinds=False` leaves our custom resource definitions out.
    """

    def __init__(self, *, durable: bool = False, audit: bool = False, kinds: bool = True) -> None:
        super().__init__()
        self._names = itertools.count(1)
        try:
            self.plane = control_plane.start(
                self.state,
                name="callplane-test",
                binaries=binaries.find(Search(build=False)),
                options=ClusterOptions(throw_away=not durable, audit=audit),
            )
            self.kubectl: Kubectl = self.plane.kubectl()
            if kinds:
                crds.apply(self.kubectl, crds.folder())
        except BaseException:
            self.close()
            raise

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.plane.kubeconfig

    def client_kubeconfig(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig for a user of that name, in those groups, with no rights of its own."""
        return self.plane.client_kubeconfig(user, groups)

    def kubectl_as(self, user: str, groups: Sequence[str] = ()) -> Kubectl:
        """A kubectl that speaks as that user."""
        return self.plane.kubectl(self.client_kubeconfig(user, groups))

    def create_namespace(self, prefix: str = "test") -> str:
        """Create a namespace of a name that no other test has; return the name."""
        name = f"{prefix}-{next(self._names)}"
        self.kubectl("create", "namespace", name)
        return name

    def writes(self) -> Counter[Write]:
        """Count the writes since the start that the API server accepted. Needs `audit=True`."""
        return audit_log.writes(self.plane.audit_log)
