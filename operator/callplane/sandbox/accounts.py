"""Under which account PostgreSQL runs: it refuses root, so root lends it to somebody else.

Called by `postgres`. Everybody but root runs PostgreSQL as themselves.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from callplane.sandbox.failures import SandboxError

CANDIDATES = ("nobody", "daemon", "postgres")


@dataclass(frozen=True, slots=True)
class Account:
    """An operating-system account by number, as `subprocess` wants it."""

    name: str
    user_id: int
    group_id: int


def unprivileged() -> Account | None:
    """Return the account to drop to, or None when this process is not root.

    Raises SandboxError when root finds none of the accounts that every system has.
    """
    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name=name, user_id=entry.pw_uid, group_id=entry.pw_gid)
    raise SandboxError(
        "PostgreSQL does not run as root and none of these accounts exists to run it: "
        + ", ".join(CANDIDATES)
        + ". Start the sandbox as an ordinary user."
    )


def everybody_may_enter(folder: Path) -> bool:
    """Tell whether an account that owns nothing on the way may reach `folder`."""
    resolved = folder.resolve()
    return all(
        step.is_dir() and step.stat().st_mode & stat.S_IXOTH
        for step in (resolved, *resolved.parents)
    )
