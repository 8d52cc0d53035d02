"""Builds programs from the pinned Go modules in tools/ and keeps the results in the user's cache.

Called by `binaries`; other tools of the project that are Go modules may be built the same way. A
cached program is keyed by its module's version and the digest of go.mod and go.sum.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from callplane.sandbox import go_toolchain, locations, locks
from callplane.sandbox.failures import SandboxError

Report = Callable[[str], None]

PROGRESS_EVERY_SECONDS = 5.0
KEPT_MESSAGES = 30


@dataclass(frozen=True, slots=True)
class ToolModule:
    """A folder of tools/: its name, the version it pins, what to link in."""

    name: str
    version: str
    linker_flags: str = "-s -w"


@dataclass(frozen=True, slots=True)
class Tool:
    """One program: the file to make, the Go package it is made from, the module that pins it."""

    program: str
    package: str
    module: ToolModule


def cached(tool: Tool) -> Path | None:
    """Return where the program is, or will be, in the cache; None outside a checkout."""
    tools = locations.tools_folder()
    if tools is None:
        return None
    source = tools / tool.module.name
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((source / name).read_bytes())
    key = f"{tool.module.name}-v{tool.module.version}-{digest.hexdigest()[:12]}"
    return locations.cache_folder() / "tools" / key / tool.program


def build(tool: Tool, *, report: Report) -> Path:
    """Return the cached program, building it first where it is missing.

    Raises SandboxError with the compiler's last messages when it cannot be built.
    """
    tools = locations.tools_folder()
    target = cached(tool)
    if tools is None or target is None:
        raise SandboxError(
            f"{tool.program} {tool.module.version} is built from tools/ of a checkout, and this "
            "is none; name a folder that holds it in KUBEBUILDER_ASSETS"
        )
    if target.exists():
        return target
    with locks.held(
        locations.cache_folder() / "tools" / "build.lock",
        waiting=lambda: report(f"waiting for another process that builds (for {tool.program})"),
    ):
        if not target.exists():
            source = tools / tool.module.name
            minimum = go_toolchain.required([source / "go.mod"])
            go = go_toolchain.find(minimum=minimum, report=report)
            target.parent.mkdir(parents=True, exist_ok=True)
            _compile(tool, go=go, source=source, target=target, report=report)
    return target


def _compile(tool: Tool, *, go: Path, source: Path, target: Path, report: Report) -> None:
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    command = [
        *(str(go), "build", "-v", "-trimpath"),
        *("-ldflags", tool.module.linker_flags),
        *("-o", str(draft), tool.package),
    ]
    report(f"building {tool.program} {tool.module.version} with {go} (once; then it is cached)")
    started = time.monotonic()
    try:
        with subprocess.Popen(
            command,
            cwd=source,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            progress = _Progress(process)
            try:
                progress.follow(lambda line: report(f"building {tool.program}: {line}"))
            except BaseException:
                process.terminate()
                raise
        if process.returncode != 0:
            raise SandboxError(f"{tool.program} cannot be built:\n{progress.last_messages()}")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    report(f"built {tool.program} in {time.monotonic() - started:.0f} s: {target}")


def _environment() -> dict[str, str]:
    """Go's environment: its caches in ours unless the user placed them, and no other toolchain."""
    ours = locations.cache_folder() / "go"
    return {
        # Without write permission the module cache could not be removed like other folders.
        "GOFLAGS": "-modcacherw",
        "GOCACHE": str(ours / "build"),
        "GOMODCACHE": str(ours / "modules"),
        **os.environ,
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


class _Progress:
    """Reads what `go build -v` says and tells how far it is."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._compiled = 0
        self._downloaded = 0
        self._messages: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)

    def follow(self, say: Callable[[str], None]) -> None:
        """Wait for the end of the build, saying every few seconds how far it is."""
        started = time.monotonic()
        self._reader.start()
        while True:
            try:
                self._process.wait(timeout=PROGRESS_EVERY_SECONDS)
                break
            except subprocess.TimeoutExpired:
                elapsed = time.monotonic() - started
                say(f"{elapsed:.0f} s, {self._state()}")
        self._reader.join()

    def last_messages(self) -> str:
        """What Go said beside its progress, at most the last lines of it."""
        return "\n".join(self._messages[-KEPT_MESSAGES:]) or "Go gave no reason"

    def _state(self) -> str:
        if self._compiled == 0 and self._downloaded > 0:
            return f"{self._downloaded} modules downloaded"
        return f"{self._compiled} packages compiled"

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.rstrip()
            if text.startswith("go: downloading "):
                self._downloaded += 1
            elif text and " " not in text:
                # With -v, a line of one word is the path of a package that was just compiled.
                self._compiled += 1
            else:
                self._messages.append(text)
