"""The programs that the SIP tests run: Kamailio, SIPp and rtpengine, as Debian 12 packages them.

`make sbc-deps` calls this module. As root it installs the packages, without starting what they
bring; otherwise it unpacks them into the project's cache folder, which needs no rights. Where
neither works it says so in one line, and the SIP tests are left out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from callplane.sandbox import locations

PACKAGES = (
    "kamailio",
    "kamailio-extra-modules",
    "kamailio-tls-modules",
    "kamailio-utils-modules",
    "sip-tester",
    "rtpengine-daemon",
)
#: The series whose every trap has a test here.
VERSION = "5.6"
TIMEOUT_SECONDS = 600
# A package's script asks this one before it starts a service.
_ASKED_BEFORE_START = Path("/usr/sbin/policy-rc.d")
_INSTALL = re.compile(r"^Inst (\S+)", re.MULTILINE)
_ON_THE_SYSTEM = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


@dataclass(frozen=True, slots=True)
class Program:
    """How to start one: its path, what its modules need as arguments, its libraries' folders."""

    path: Path
    arguments: tuple[str, ...] = ()
    library_path: str = ""

    @property
    def command(self) -> list[str]:
        return [str(self.path), *self.arguments]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the child: ours, and where its libraries are."""
        libraries = {"LD_LIBRARY_PATH": self.library_path} if self.library_path else {}
        return {**os.environ, **libraries}


class NotAvailable(Exception):
    """The programs cannot be had on this machine; the message says why, in one line."""


def folder() -> Path:
    """Where packages are unpacked when nobody may install them."""
    return locations.cache_folder() / "sbc"


def find(name: str) -> Program | None:
    """An installed program, else an unpacked one, else None."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_ON_THE_SYSTEM}")
    if path is not None:
        return Program(Path(path))
    for place in ("usr/sbin", "usr/bin"):
        unpacked = folder() / place / name
        if unpacked.is_file():
            return _unpacked(unpacked)
    return None


def _unpacked(path: Path) -> Program:
    roots = sorted((folder() / "usr/lib").glob("*-linux-gnu"))
    libraries = [str(place) for root in roots for place in (root, root / "kamailio")]
    modules = [f"{root}/kamailio/modules/" for root in roots]
    arguments = ("-L", ":".join(modules)) if path.name == "kamailio" else ()
    return Program(path, arguments, ":".join(libraries))


def missing() -> str:
    """Why the SIP tests cannot run here, or nothing when they can."""
    program = find("kamailio")
    if program is None:
        return "Kamailio is not installed: `make sbc-deps`"
    if find("sipp") is None:
        return "SIPp is not installed: `make sbc-deps`"
    answer = subprocess.run(
        [*program.command, "-v"],
        env=program.environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if f"kamailio {VERSION}." not in answer.stdout:
        return f"the Kamailio here is not of the series {VERSION}"
    return ""


def provide() -> None:
    """Install or unpack what is missing. Raises NotAvailable."""
    if not missing():
        return
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise NotAvailable("there are no Debian packages for this system")
    if os.geteuid() == 0:
        _install()
    else:
        _unpack()
    if reason := missing():
        raise NotAvailable(reason)


def _install() -> None:
    with _nothing_is_started():
        _run(["apt-get", "update", "-qq"])
        options = ["-qq", "--yes", "--no-install-recommends"]
        _run(["apt-get", "install", *options, *PACKAGES])


@contextmanager
def _nothing_is_started() -> Iterator[None]:
    """An SBC that listens on every address is not what a test machine wants."""
    if _ASKED_BEFORE_START.exists():
        yield
        return
    _ASKED_BEFORE_START.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    _ASKED_BEFORE_START.chmod(0o755)
    try:
        yield
    finally:
        _ASKED_BEFORE_START.unlink()


def _unpack() -> None:
    """Download the packages and what they need beyond what is installed, and unpack them."""
    lists = folder() / "apt"
    for needed in (lists / "lists/partial", lists / "archives/partial"):
        needed.mkdir(parents=True, exist_ok=True)
    options = [
        f"-oDir::State={lists}",
        f"-oDir::State::lists={lists}/lists",
        f"-oDir::Cache={lists}",
        "-oDir::State::status=/var/lib/dpkg/status",
    ]
    _run(["apt-get", *options, "update", "-qq"])
    wanted = ["--simulate", "--no-install-recommends", "install", *PACKAGES]
    names = _INSTALL.findall(_run(["apt-get", *options, *wanted]))
    with_what_is_here = sorted({*names, *PACKAGES})
    downloads = lists / "downloads"
    downloads.mkdir(exist_ok=True)
    _run(["apt-get", *options, "download", *with_what_is_here], where=downloads)
    for package in sorted(downloads.glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(folder())])


def _run(command: Sequence[str], *, where: Path | None = None) -> str:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    try:
        return subprocess.run(
            command,
            cwd=where,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=True,
        ).stdout
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
        said = getattr(error, "stderr", None) or str(error)
        last = str(said).strip().splitlines()[-1:] or ["nothing was said"]
        raise NotAvailable(f"{command[0]} failed: {last[0]}") from None


def main() -> int:
    """Provide the programs; 0 also where they cannot be had, for the tests say what is missing."""
    try:
        provide()
    except NotAvailable as error:
        sys.stderr.write(f"No SIP tests on this machine: {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
