"""Has the register, or the cluster, gone back in time? Whoever finds that writes nothing until a
person has looked.
"""

from __future__ import annotations

from callplane.engine.object_cache import REGISTER_CONFIRMED
from callplane.engine.register_mirror import RegisterMirror
from callplane.engine.scope import Scope


def problem(scope: Scope, mirror: RegisterMirror, *, known_shown: int, what: str) -> str:
    """Why nothing is written: register or cluster is older than what they said to each other. Empty
    when neither is.

    `known_shown` is the sequence that this object's status is known to have held; `what` is the
    connection in a word.
    """
    shown = int(scope.cached.status.get("registerSequence") or 0)
    if mirror.sequence >= shown >= known_shown:
        return ""
    confirmation = f"{mirror.sequence}-{shown}-{known_shown}"
    if scope.cached.annotations.get(REGISTER_CONFIRMED) == confirmation:
        return ""
    if mirror.sequence < shown:
        said = (
            f"the number register is at {mirror.sequence} and was at {shown}: it was restored or "
            f"is new. Compare it with the {what} (callplane numbers rebuild)"
        )
    else:
        said = (
            f"this object shows sequence {shown} and has shown {known_shown}: the cluster was "
            "restored to an earlier time. Apply what git says now"
        )
    return f"{said}, then allow writes with annotation {REGISTER_CONFIRMED}: {confirmation}"
