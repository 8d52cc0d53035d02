"""Runs a whole program against a mock and keeps what it registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import mocks, rpc

import modelled_outputs

SECRET_MARK = "4dabf18193072939515e22adb298388d"


@dataclass(frozen=True, slots=True)
class Registered:
    """One resource: its type, name and inputs as they went over the wire, and its options."""

    kind: str
    name: str
    inputs: dict[str, Any]
    provider: str = ""
    protected: bool = False
    #: Properties whose changes are left alone.
    ignored: tuple[str, ...] = ()
    #: Kinds and names of what was made before it, and is deleted after it.
    after: frozenset[tuple[str, str]] = frozenset()

    @property
    def plain(self) -> dict[str, Any]:
        """The inputs without the marks of secrets."""
        return bare(self.inputs)  # type: ignore[no-any-return]


@dataclass
class Recorder(mocks.Mocks):
    """Answers every registration with its inputs, and what its cloud would add; remembers it."""

    seen: list[Registered] = field(default_factory=list)
    requests: dict[tuple[str, str], Any] = field(default_factory=dict)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        asked = self.requests[args.typ, args.name]
        self.seen.append(
            Registered(
                args.typ,
                args.name,
                dict(args.inputs),
                provider=args.provider or "",
                protected=asked.protect,
                ignored=tuple(asked.ignoreChanges),
                after=frozenset(map(_known, asked.dependencies)),
            )
        )
        made = modelled_outputs.made(args.typ, args.name, bare(args.inputs))
        return made.pop("id"), {**args.inputs, **made}

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"no function of a provider is wanted: {args.token}")


class Monitor(mocks.MockMonitor):
    """Keeps each request, since a mock is told nothing of a resource's options."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self._recorder = recorder

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name for it.
        """Answer as the mock would."""
        self._recorder.requests[request.type, request.name] = request
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]


def _known(urn: str) -> tuple[str, str]:
    kinds, name = urn.split("::")[2:4]
    return kinds.rpartition("$")[2], name


def record(program: Callable[[], None]) -> list[Registered]:
    """Everything that a program registers, components included."""
    recorder = Recorder()
    monitor = Monitor(recorder)
    mocks.set_mocks(recorder, project="callplane", stack="test", preview=False, monitor=monitor)

    pulumi.runtime.test(program)()
    return recorder.seen


def bare(value: Any) -> Any:
    """A value without the wrappers that mark secrets."""
    if isinstance(value, dict):
        if SECRET_MARK in value:
            return bare(value["value"])
        return {key: bare(each) for key, each in value.items()}
    return [bare(each) for each in value] if isinstance(value, list) else value


def secrets(value: Any) -> list[Any]:
    """Every value that is marked as a secret."""
    if isinstance(value, dict):
        if SECRET_MARK in value:
            return [value["value"]]
        return [found for each in value.values() for found in secrets(each)]
    if isinstance(value, list):
        return [found for each in value for found in secrets(each)]
    return []


assert rpc._special_sig_key == SECRET_MARK
