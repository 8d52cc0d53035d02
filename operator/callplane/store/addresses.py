"""Where the database is: an address, or a file that holds it and is read anew for each session.

A password in a variable of a process can only be changed by a restart, which a call control beside
an SBC with calls up has to put off for hours. A Secret that is mounted as a file changes under the
process: sessions that are open go on, and the next one signs in with what is there by then.
"""

from __future__ import annotations

from pathlib import Path

import psycopg

FILE = "file://"


def current(address: str) -> str:
    """The `postgresql://` URI of an address; of `file:///PATH` what the file holds now.

    Raises psycopg.OperationalError when the file is not there or holds nothing: whoever connects
    tries again, as when the server is away.
    """
    if not address.startswith(FILE):
        return address
    path = Path(address.removeprefix(FILE))
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        # Of what was read nothing is said: it has a password.
        raise psycopg.OperationalError(f"{path}: {type(error).__name__}") from None
    if not found:
        raise psycopg.OperationalError(f"{path} is empty")
    return found
