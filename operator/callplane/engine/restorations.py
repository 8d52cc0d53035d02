"""Has the register, or the cluster, gone back in time? Whoever finds that writes nothing until a
person has looked.
"""

from __future__ import annotations

from callplane.apis.reasons import Reason
from callplane.engine.object_cache import REGISTER_CONFIRMED
from callplane.engine.scope import Scope


def problem(scope: Scope, *, found: int, seen: int, known_shown: int, what: str) -> str:
    """Why nothing is written: register or cluster is older than what they said to each other. Empty
    when neither is, or when a person has confirmed it.

    `found` is the register's sequence as it was when the connection came to work: what is committed
    since then makes no old register a new one. `seen` is the highest that this process has seen of
    it before, 0 where it has not. `known_shown` is the sequence that this object's
    status is known to have held; `what` is the connection in a word.
    """
    shown = max(int(scope.cached.status.get("registerSequence") or 0), seen)
    standing = _standing(scope)
    if found >= shown >= known_shown and not standing:
        return ""
    confirmation = f"{found}-{shown}-{known_shown}"
    confirmed = scope.cached.annotations.get(REGISTER_CONFIRMED)
    if confirmed and (confirmed == confirmation or standing.endswith(_asked_for(confirmed))):
        return ""
    if found < shown:
        said = (
            f"the number register is at {found} and was at {shown}: it was restored or "
            f"is new. Compare it with the {what} (callplane numbers rebuild)"
        )
    elif shown < known_shown:
        said = (
            f"this object shows sequence {shown} and has shown {known_shown}: the cluster was "
            "restored to an earlier time. Apply what git says now"
        )
    else:
        said = f"register or cluster was restored. Compare the register with the {what}"
    return f"{said}, then allow writes with annotation {_asked_for(confirmation)}"


def _asked_for(confirmation: str) -> str:
    return f"{REGISTER_CONFIRMED}: {confirmation}"


def _standing(scope: Scope) -> str:
    """What was said of this before: it stands until a person has looked, whatever the register has
    come to meanwhile, also for the next process.
    """
    for condition in scope.cached.status.get("conditions") or ():
        if condition.get("reason") == Reason.REGISTER_RESTORED and condition["type"] == "Stalled":
            return str(condition.get("message") or "")
    return ""
