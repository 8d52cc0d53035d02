"""Where the database is: an address, or a file that holds it and is read anew for each session.

A password in a variable of a process can only be changed by a restart, which a call control beside
an SBC with calls up has to put off for hours. A Secret that is mounted as a file changes under the
process: sessions that are open go on, and the next one signs in with what is there by then.
"""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

FILE = "file://"


def current(address: str) -> str:
    """The `postgresql://` URI of an address; of `file:///PATH` what the file holds now.

    Raises psycopg.OperationalError when the file is not there or holds nothing, and for what is no
    address: whoever connects tries again, as when the server is away.
    """
    if not address.startswith(FILE):
        return _understood(address, "the address of the database")
    path = Path(address.removeprefix(FILE))
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        # Of what was read nothing is said: it has a password.
        raise psycopg.OperationalError(f"{path}: {type(error).__name__}") from None
    if not found:
        raise psycopg.OperationalError(f"{path} is empty")
    return _understood(found, str(path))


def _understood(address: str, place: str) -> str:
    """The address as it is. The parser's own complaint repeats it, and with it the password, so
    nothing of it is passed on.
    """
    try:
        parts = conninfo_to_dict(address)
    except psycopg.ProgrammingError:
        parts = {"port": "unread"}
    # A password whose signs are not written so is taken for these, and would be repeated too. A
    # host that begins with the sign is a socket.
    port, host = str(parts.get("port", "")), str(parts.get("host", ""))
    if "@" in host[1:] or (port and not port.replace(",", "0").isdigit()):
        raise psycopg.OperationalError(
            f"{place} cannot be read: it is as in postgresql://USER:PASSWORD@HOST/NAME, where the "
            "signs :/?#@ of a password are written as %3A, %2F, %3F, %23, %40"
        )
    return address
