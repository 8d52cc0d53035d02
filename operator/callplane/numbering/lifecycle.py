"""The life of a number as a table: which state may follow which, and what may cause it.

The store checks every move against this table, in the transaction that makes it; nothing else
decides. The table is data so that tests can walk all of it.

    Free ──allocate──► Claimed ──confirm──► Assigned ──unassign──► Quarantined ──elapse──► Free
      │                  │                    │  ▲                     │
      └─reserve─► Reserved                    ▼  │               same holder back:
                                        Transferring             Claimed again
"""

from __future__ import annotations

from enum import Enum, StrEnum


class NumberState(Enum):
    """Where a number is in its life. Free numbers of a range have no row; they are implied."""

    FREE = "Free"
    RESERVED = "Reserved"
    CLAIMED = "Claimed"
    ASSIGNED = "Assigned"
    TRANSFERRING = "Transferring"
    QUARANTINED = "Quarantined"
    ORDERING = "Ordering"
    PORTING_IN = "PortingIn"
    RELEASE_PENDING = "ReleasePending"
    RELEASED = "Released"


class Cause(StrEnum):
    """Why a number moves; written into its history as text."""

    RESERVE = "Reserve"
    UNRESERVE = "Unreserve"
    ALLOCATE = "Allocate"
    ADOPT = "Adopt"
    ABANDON = "Abandon"
    CONFIRM = "Confirm"
    UNASSIGN = "Unassign"
    TRANSFER = "Transfer"
    RECEIVE = "Receive"
    TAKE_OVER = "TakeOver"
    DETACH = "Detach"
    ORPHAN = "Orphan"
    RETURN_TO_HOLDER = "ReturnToHolder"
    ELAPSE = "Elapse"
    REBUILD = "Rebuild"
    ORDER = "Order"
    PORT_IN = "PortIn"
    ACTIVATE = "Activate"
    CANCEL = "Cancel"
    REST_FOR_RELEASE = "RestForRelease"
    REQUEST_RELEASE = "RequestRelease"
    KEEP = "Keep"
    RELEASE = "Release"


Transition = tuple[NumberState, NumberState, Cause]

_S = NumberState
_C = Cause

TRANSITIONS: frozenset[Transition] = frozenset(
    {
        # Keeping a number back, and letting it go again.
        (_S.FREE, _S.RESERVED, _C.RESERVE),
        (_S.RESERVED, _S.FREE, _C.UNRESERVE),
        # A holder gets a number. It is claimed first and assigned once the provider shows it.
        (_S.FREE, _S.CLAIMED, _C.ALLOCATE),
        (_S.RESERVED, _S.CLAIMED, _C.ALLOCATE),
        (_S.CLAIMED, _S.ASSIGNED, _C.CONFIRM),
        # A claim that was never sent to a provider leaves no trace with callers: it needs no rest.
        (_S.CLAIMED, _S.FREE, _C.ABANDON),
        # What already is as declared becomes ours without a write.
        (_S.FREE, _S.ASSIGNED, _C.ADOPT),
        (_S.RESERVED, _S.ASSIGNED, _C.ADOPT),
        (_S.QUARANTINED, _S.ASSIGNED, _C.ADOPT),
        # A holder loses a number: it rests. An answer that got lost may have assigned a claim.
        (_S.ASSIGNED, _S.QUARANTINED, _C.UNASSIGN),
        (_S.CLAIMED, _S.QUARANTINED, _C.UNASSIGN),
        # From one live holder to another without rest; the receiver's claim survives a crash.
        (_S.ASSIGNED, _S.TRANSFERRING, _C.TRANSFER),
        (_S.CLAIMED, _S.TRANSFERRING, _C.TRANSFER),
        (_S.TRANSFERRING, _S.CLAIMED, _C.RECEIVE),
        (_S.TRANSFERRING, _S.QUARANTINED, _C.ABANDON),
        (_S.TRANSFERRING, _S.ASSIGNED, _C.CANCEL),
        # The holder keeps the number; only the object that declares the holder changes or goes.
        (_S.CLAIMED, _S.CLAIMED, _C.TAKE_OVER),
        (_S.ASSIGNED, _S.ASSIGNED, _C.TAKE_OVER),
        (_S.TRANSFERRING, _S.TRANSFERRING, _C.TAKE_OVER),
        (_S.CLAIMED, _S.CLAIMED, _C.DETACH),
        (_S.ASSIGNED, _S.ASSIGNED, _C.DETACH),
        (_S.TRANSFERRING, _S.TRANSFERRING, _C.DETACH),
        # The object is gone and nobody saw its deletion: the row is reported and left alone.
        (_S.CLAIMED, _S.CLAIMED, _C.ORPHAN),
        (_S.ASSIGNED, _S.ASSIGNED, _C.ORPHAN),
        (_S.TRANSFERRING, _S.TRANSFERRING, _C.ORPHAN),
        # The end of the rest: to the same holder at once, to anybody after the period.
        (_S.QUARANTINED, _S.CLAIMED, _C.RETURN_TO_HOLDER),
        (_S.QUARANTINED, _S.FREE, _C.ELAPSE),
        # After a lost register every unassigned number rests, for nobody knows who had it.
        (_S.FREE, _S.QUARANTINED, _C.REBUILD),
        (_S.FREE, _S.ASSIGNED, _C.REBUILD),
        # A rebuild believes what it sees, whatever an old row said.
        (_S.CLAIMED, _S.QUARANTINED, _C.REBUILD),
        (_S.ASSIGNED, _S.QUARANTINED, _C.REBUILD),
        (_S.TRANSFERRING, _S.QUARANTINED, _C.REBUILD),
        (_S.RESERVED, _S.ASSIGNED, _C.REBUILD),
        (_S.CLAIMED, _S.ASSIGNED, _C.REBUILD),
        (_S.ASSIGNED, _S.ASSIGNED, _C.REBUILD),
        (_S.TRANSFERRING, _S.ASSIGNED, _C.REBUILD),
        (_S.QUARANTINED, _S.ASSIGNED, _C.REBUILD),
        (_S.ORDERING, _S.ASSIGNED, _C.REBUILD),
        (_S.PORTING_IN, _S.ASSIGNED, _C.REBUILD),
        (_S.RELEASE_PENDING, _S.ASSIGNED, _C.REBUILD),
        (_S.RELEASED, _S.ASSIGNED, _C.REBUILD),
        # New numbers come in. One that was never ours has no row.
        (_S.FREE, _S.ORDERING, _C.ORDER),
        (_S.FREE, _S.PORTING_IN, _C.PORT_IN),
        (_S.RELEASED, _S.ORDERING, _C.ORDER),
        (_S.RELEASED, _S.PORTING_IN, _C.PORT_IN),
        (_S.ORDERING, _S.FREE, _C.ACTIVATE),
        (_S.PORTING_IN, _S.FREE, _C.ACTIVATE),
        (_S.ORDERING, _S.RELEASED, _C.CANCEL),
        (_S.PORTING_IN, _S.RELEASED, _C.CANCEL),
        # Giving a number back starts from the end of its rest only, and can be called off.
        (_S.QUARANTINED, _S.RELEASE_PENDING, _C.REQUEST_RELEASE),
        (_S.RELEASE_PENDING, _S.QUARANTINED, _C.KEEP),
        # A rest that is over leaves no row; the carrier's connection states it once more, so that
        # nothing is given back but from its rest.
        (_S.FREE, _S.QUARANTINED, _C.REST_FOR_RELEASE),
        # Somebody bought or gave it to the account again by hand.
        (_S.RELEASED, _S.FREE, _C.ACTIVATE),
        (_S.RELEASE_PENDING, _S.RELEASED, _C.RELEASE),
    }
)

#: States in which a holder has a right to the number.
HELD = frozenset({_S.CLAIMED, _S.ASSIGNED, _S.TRANSFERRING})

#: States from which allocation to somebody new may start.
ALLOCATABLE = frozenset({_S.FREE})


_CAUSE_NAMES = frozenset(cause.value for cause in Cause)


def may_move(before: NumberState, after: NumberState, cause: str) -> bool:
    """Is this move in the table? A cause that is none of `Cause` is in no row of it."""
    return cause in _CAUSE_NAMES and (before, after, Cause(cause)) in TRANSITIONS


def causes(before: NumberState, after: NumberState) -> frozenset[Cause]:
    """What may take a number from one state to another; empty when nothing may."""
    return frozenset(cause for start, end, cause in TRANSITIONS if start is before and end is after)
