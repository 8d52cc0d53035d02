"""What a folder held at a revision of git. Called by `plan --base`.

Only files that differ from the working tree are read: an object in an unchanged file is still
there.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from callplane.cli.manifests import File, is_manifest_name
from callplane.errors import CallplaneError

#: Not links: the folder walk does not follow them either.
_FILE_MODES = ("100644", "100755")


def changed_files(paths: Sequence[str], *, revision: str) -> list[File]:
    """Manifest files below the paths as they were at `revision`, those left out that are the same
    now.

    Raises CallplaneError when a path is in no repository, or the revision is unknown.
    """
    found: list[File] = []
    for path in paths:
        found.extend(_below(Path(path), revision))
    return found


def identity(folder: Path) -> str:
    """Who git says is working here: the mail address, else the name, else nothing."""
    for setting in ("user.email", "user.name"):
        answer = _run(folder, "config", "--get", setting, check=False).decode().strip()
        if answer:
            return answer
    return ""


def _below(path: Path, revision: str) -> Iterator[File]:
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        raise CallplaneError(f"{path}: no such file or directory")
    commit = _commit(folder, revision)
    top = Path(os.fsdecode(_run(folder, "rev-parse", "--show-toplevel").rstrip(b"\n")))
    within = path.resolve().relative_to(top.resolve())
    blobs = _blobs(top, commit, within)
    wanted = {name: blob for name, blob in blobs.items() if _blob_of(top / name) != blob}
    contents = _contents(top, list(wanted.values()))
    for name, content in zip(wanted, contents, strict=True):
        yield File(f"{revision}:{name}", content)


def _commit(folder: Path, revision: str) -> str:
    arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    answer = _run(folder, *arguments, check=False).decode().strip()
    if not answer:
        inside = _run(folder, "rev-parse", "--is-inside-work-tree", check=False)
        if not inside:
            raise CallplaneError(f"{folder} is in no git repository, so --base has no meaning here")
        raise CallplaneError(
            f"git knows no revision {revision!r} here; a shallow clone has to be deepened first "
            "(git fetch --unshallow)"
        )
    return answer


def _blobs(top: Path, commit: str, within: Path) -> dict[str, str]:
    """Blob ids by path, of manifest files below `within`."""
    listed = _run(top, "ls-tree", "-r", "-z", "--full-tree", commit, "--", str(within))
    blobs = {}
    for entry in listed.split(b"\0"):
        described, _, raw_name = entry.partition(b"\t")
        fields = described.decode().split()
        name = os.fsdecode(raw_name)
        if len(fields) == 3 and fields[0] in _FILE_MODES and _is_visible(name, within):
            blobs[name] = fields[2]
    return dict(sorted(blobs.items()))


def _is_visible(name: str, within: Path) -> bool:
    """Would reading the folder have come across this file?"""
    below = PurePosixPath(name).relative_to(PurePosixPath(within.as_posix()))
    hidden = any(part.startswith(".") for part in below.parts[:-1])
    return not hidden and is_manifest_name(PurePosixPath(name).name)


def _blob_of(path: Path) -> str:
    """The id that git would give the file; anything else than a match only costs a reading."""
    try:
        content = path.read_bytes()
    except OSError:
        return ""
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def _contents(top: Path, blobs: Sequence[str]) -> Iterator[bytes]:
    """Contents of blobs, in order."""
    if not blobs:
        return
    answer = _run(top, "cat-file", "--batch", given="\n".join(blobs).encode() + b"\n")
    position = 0
    for _ in blobs:
        end = answer.index(b"\n", position)
        size = int(answer[position:end].split()[2])
        yield answer[end + 1 : end + 1 + size]
        position = end + 1 + size + 1


def _run(folder: Path, *arguments: str, given: bytes | None = None, check: bool = True) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            input=given,
            capture_output=True,
            check=False,
            env=_environment(os.environ),
        )
    except FileNotFoundError:
        raise CallplaneError("git is not installed, and --base needs it") from None
    if check and done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise CallplaneError(f"git {arguments[0]} failed: {said}")
    return done.stdout if done.returncode == 0 else b""


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Without what a git hook would set: the folder that was named decides which repository."""
    return {name: text for name, text in environment.items() if not name.startswith("GIT_")}
