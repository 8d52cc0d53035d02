"""The four programs of a sandbox cluster, each looked for by itself.

In this order: the names of KUBEBUILDER_ASSETS and TEST_ASSET_*, the project's cache, a published
archive where one is named, a build from the pinned modules in tools/. A program of another minor
version than pinned is passed over, and that is said. Called by `lifecycle` and by the throw-away
cluster of the tests.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from callplane.sandbox import building, downloads
from callplane.sandbox.building import Tool, ToolModule
from callplane.sandbox.failures import SandboxError

KUBERNETES_VERSION = "1.37.2"
ETCD_VERSION = "3.7.3"
ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
QUESTION_TIMEOUT_SECONDS = 30.0

_MAJOR, _MINOR, _ = KUBERNETES_VERSION.split(".")
_STAMPS = {
    "gitVersion": f"v{KUBERNETES_VERSION}",
    "gitMajor": _MAJOR,
    "gitMinor": _MINOR,
    "gitTreeState": "clean",
    "gitCommit": "unknown",
}
# Unstamped, the API server calls itself v0.0.0-master, which clients cannot parse.
KUBERNETES = ToolModule(
    name="kubernetes",
    version=KUBERNETES_VERSION,
    linker_flags=" ".join(
        ["-s -w", *(f"-X k8s.io/component-base/version.{k}={v}" for k, v in _STAMPS.items())]
    ),
)
ETCD = ToolModule(name="etcd", version=ETCD_VERSION)
TOOLS = (
    Tool("etcd", "go.etcd.io/etcd/server/v3", ETCD),
    Tool("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", KUBERNETES),
    Tool("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", KUBERNETES),
    Tool("kubectl", "k8s.io/kubernetes/cmd/kubectl", KUBERNETES),
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of a sandbox cluster."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kubectl: Path


def to_standard_error(text: str) -> None:
    """Say something while a command is under way, apart from what it answers."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


@dataclass(frozen=True, slots=True)
class Search:
    """How to look: whether to build, where to say what happens, which environment to read."""

    build: bool = True
    report: Callable[[str], None] = to_standard_error
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)


def find(search: Search | None = None) -> Binaries:
    """Find or build all four programs.

    Raises SandboxError when one is missing and may not, or cannot, be built.
    """
    search = search or Search()
    with ThreadPoolExecutor(max_workers=len(TOOLS)) as pool:
        found = list(pool.map(lambda tool: _existing(tool, search), TOOLS))
    etcd, api_server, controllers, kubectl = (
        path or _made(tool, search) for tool, path in zip(TOOLS, found, strict=True)
    )
    return Binaries(etcd, api_server, controllers, kubectl)


def find_one(program: str, search: Search | None = None) -> Path:
    """Find or build one of the programs, by name."""
    search = search or Search()
    (tool,) = (tool for tool in TOOLS if tool.program == program)
    return _existing(tool, search) or _made(tool, search)


def _existing(tool: Tool, search: Search) -> Path | None:
    for origin, path in _named_by_environment(tool, search.environment):
        if _usable(tool, path, origin=origin, report=search.report):
            return path
    # What lies in the cache was built from the pinned modules, so it is not asked for its version.
    cached = building.cached(tool)
    return cached if cached is not None and cached.exists() else None


def _made(tool: Tool, search: Search) -> Path:
    programs = frozenset(each.program for each in TOOLS)
    if not search.build:
        raise SandboxError(
            f"{tool.program} {tool.module.version} is not there yet: run `callplane sandbox "
            f"prepare` once (some minutes), or name a folder that holds it in {ASSETS_VARIABLE}"
        )
    folder = downloads.archive_folder(
        programs, report=search.report, environment=search.environment
    )
    if folder is not None:
        path = folder / tool.program
        if _usable(tool, path, origin=downloads.URL_VARIABLE, report=search.report):
            return path
    return building.build(tool, report=search.report)


def _named_by_environment(tool: Tool, environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    variable = f"TEST_ASSET_{tool.program.upper().replace('-', '_')}"
    if named := environment.get(variable):
        yield variable, Path(named).expanduser().absolute()
    if folder := environment.get(ASSETS_VARIABLE):
        yield ASSETS_VARIABLE, Path(folder).expanduser().absolute() / tool.program


def _usable(tool: Tool, path: Path, *, origin: str, report: Callable[[str], None]) -> bool:
    if not path.exists():
        report(f"{origin}: there is no {path}: passed over")
        return False
    version = version_of(tool, path)
    wanted = tool.module.version.rpartition(".")[0]
    if version is None or version.rpartition(".")[0] != wanted:
        shown = version or "of unknown version"
        report(f"{origin}: {path} is {shown}, and {wanted} is pinned: passed over")
        return False
    return True


def version_of(tool: Tool, path: Path) -> str | None:
    """Ask a program for its version (`1.37.2`); None when it gives no usable answer."""
    question = ("version", "--client") if tool.program == "kubectl" else ("--version",)
    try:
        answer = subprocess.run(
            [str(path), *question],
            env={"PATH": os.defpath, "KUBERC": "off"},
            capture_output=True,
            text=True,
            timeout=QUESTION_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+\.\d+\.\d+", answer.stdout)
    return found[0] if answer.returncode == 0 and found is not None else None
