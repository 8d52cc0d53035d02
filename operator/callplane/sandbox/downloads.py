"""The published archive of Kubernetes test binaries, for machines that are told where it is.

Off unless both settings are there: nothing is fetched from an address that nobody named, and
nothing is used whose digest nobody knows. Called by `binaries`.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from callplane.sandbox import locations
from callplane.sandbox.failures import SandboxError

URL_VARIABLE = "CALLPLANE_ENVTEST_URL"
DIGEST_VARIABLE = "CALLPLANE_ENVTEST_SHA512"
TIMEOUT_SECONDS = 60.0
SIZE_MAX_BYTES = 1 << 30


def archive_folder(
    programs: frozenset[str],
    *,
    report: Callable[[str], None],
    environment: Mapping[str, str] = os.environ,
) -> Path | None:
    """Return the unpacked archive's folder; None when none is named or it cannot be reached.

    Raises SandboxError when a setting is missing or the digest is wrong.
    """
    url, digest = environment.get(URL_VARIABLE), environment.get(DIGEST_VARIABLE)
    if not url:
        return None
    if not digest:
        raise SandboxError(f"{URL_VARIABLE} is set, so {DIGEST_VARIABLE} must be set as well")
    folder = locations.cache_folder(environment) / "envtest" / digest[:16]
    if folder.exists():
        return folder
    report(f"downloading {url}")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
            content = answer.read(SIZE_MAX_BYTES)
    except (urllib.error.URLError, OSError, ValueError) as error:
        report(f"{url} cannot be reached ({error}): passed over")
        return None
    found = hashlib.sha512(content).hexdigest()
    if found != digest.lower():
        raise SandboxError(f"{url} has SHA-512 {found}, and {DIGEST_VARIABLE} asks for {digest}")
    _unpack(content, programs=programs, folder=folder)
    return folder


def _unpack(content: bytes, *, programs: frozenset[str], folder: Path) -> None:
    """Take the wanted programs out of the archive, wherever in it they are."""
    draft = folder.with_name(f"{folder.name}.{os.getpid()}")
    draft.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            source = archive.extractfile(member) if member.isfile() and name in programs else None
            if source is not None:
                (draft / name).write_bytes(source.read())
                (draft / name).chmod(0o755)
    draft.replace(folder)
