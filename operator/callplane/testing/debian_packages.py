"""Programs that come as packages of Debian 12, for tests that need the real ones.

As root the packages are installed, without starting what they bring; otherwise they are unpacked
into a folder of the project's cache, which needs no rights. A machine of another kind says so.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 600
# A package's script asks this one before it starts a service.
_ASKED_BEFORE_START = Path("/usr/sbin/policy-rc.d")
_INSTALL = re.compile(r"^Inst (\S+)", re.MULTILINE)
_ON_THE_SYSTEM = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


class NotAvailable(Exception):
    """The programs cannot be had on this machine; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Packages:
    """Packages by name, and where they are unpacked when nobody may install them."""

    names: tuple[str, ...]
    folder: Path

    def find(self, program: str) -> Path | None:
        """An installed program, else an unpacked one, else None."""
        path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_ON_THE_SYSTEM}")
        if path is not None:
            return Path(path)
        places = (self.folder / place / program for place in ("usr/sbin", "usr/bin"))
        return next((place for place in places if place.is_file()), None)

    def provide(self) -> None:
        """Install the packages, or unpack them. Raises NotAvailable."""
        if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
            raise NotAvailable("there are no Debian packages for this system")
        if os.geteuid() == 0:
            self._install()
        else:
            self._unpack()

    def _install(self) -> None:
        with _nothing_is_started():
            _run(["apt-get", "update", "-qq"])
            options = ["-qq", "--yes", "--no-install-recommends"]
            _run(["apt-get", "install", *options, *self.names])

    def _unpack(self) -> None:
        """Download the packages and what they need beyond what is installed, and unpack them."""
        lists = self.folder / "apt"
        for needed in (lists / "lists/partial", lists / "archives/partial"):
            needed.mkdir(parents=True, exist_ok=True)
        options = [
            f"-oDir::State={lists}",
            f"-oDir::State::lists={lists}/lists",
            f"-oDir::Cache={lists}",
            "-oDir::State::status=/var/lib/dpkg/status",
        ]
        _run(["apt-get", *options, "update", "-qq"])
        wanted = ["--simulate", "--no-install-recommends", "install", *self.names]
        names = _INSTALL.findall(_run(["apt-get", *options, *wanted]))
        with_what_is_here = sorted({*names, *self.names})
        downloads = lists / "downloads"
        downloads.mkdir(exist_ok=True)
        _run(["apt-get", *options, "download", *with_what_is_here], where=downloads)
        for package in sorted(downloads.glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(self.folder)])


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
