"""The programs that the SIP tests run: Kamailio, SIPp and rtpengine, as Debian 12 packages them.

`make sbc-deps` calls this module. As root it installs the packages, without starting what they
bring; otherwise it unpacks them into the project's cache folder, which needs no rights. Where
neither works it says so in one line, and the SIP tests are left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from callplane.sandbox import locations
from callplane.testing.debian_packages import NotAvailable, Packages

#: The image of an SBC has the same, but for the one that only places calls (`tests/manifests`).
PACKAGES = (
    "kamailio",
    "kamailio-extra-modules",
    "kamailio-tls-modules",
    "sip-tester",
    "rtpengine-daemon",
)
#: The series whose every trap has a test here.
VERSION = "5.6"


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


def _packages() -> Packages:
    return Packages(PACKAGES, locations.cache_folder() / "sbc")


def find(name: str) -> Program | None:
    """An installed program, else an unpacked one, else None."""
    packages = _packages()
    path = packages.find(name)
    if path is None or not path.is_relative_to(packages.folder):
        return None if path is None else Program(path)
    return _unpacked(path, packages.folder)


def _unpacked(path: Path, folder: Path) -> Program:
    roots = sorted((folder / "usr/lib").glob("*-linux-gnu"))
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
    _packages().provide()
    if reason := missing():
        raise NotAvailable(reason)


def main() -> int:
    """Provide the programs; 0 also where they cannot be had, for the tests say what is missing."""
    try:
        provide()
    except NotAvailable as error:
        sys.stderr.write(f"No SIP tests on this machine: {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
