"""What a Calling user of Webex has beside a number.

Each of these is one text, so they travel as settings of the kind policy, by type and name, and
plan, gate and register treat them like any other.
"""

from __future__ import annotations

from collections.abc import Mapping

from callplane.resources.lines import Setting, policy_setting

EXTENSION = policy_setting("Extension")
LICENCE = policy_setting("CallingLicence")
CALLER_ID = policy_setting("CallerId")
OUTGOING = policy_setting("OutgoingPermissions")

#: Read person by person, because no listing shows them.
UNLISTED = frozenset({CALLER_ID.detail, OUTGOING.detail})

#: Given to somebody who gets a number and has no Calling licence, when the spec names none.
DEFAULT_LICENCE = "Professional"

#: Webex takes these in one request together with a number: field of the change by setting.
COMPANIONS: dict[Setting, str] = {LICENCE: "licence", EXTENSION: "extension"}


def short_licence(name: str) -> str:
    """`Webex Calling - Professional` is `Professional`: what follows the dash tells them apart."""
    return name.rpartition(" - ")[2]


# Outgoing permissions

#: Call types that a privilege decides on.
DECIDED_CALL_TYPES = (
    "INTERNATIONAL",
    "PREMIUM_SERVICES_I",
    "PREMIUM_SERVICES_II",
    "CHARGEABLE_DIRECTORY_ASSISTED",
)
#: Call types that are allowed in whatever we write. Which of them 999, 112, 111 and 101 fall under
#: is not published, so that all of them are open is what keeps these numbers reachable.
OPEN_CALL_TYPES = (
    "INTERNAL_CALL",
    "TOLL_FREE",
    "NATIONAL",
    "SPECIAL_SERVICES_I",
    "SPECIAL_SERVICES_II",
)
CALL_TYPES = (*DECIDED_CALL_TYPES, *OPEN_CALL_TYPES)


def outgoing_name(actions: Mapping[str, str]) -> str:
    """Outgoing permissions as one text: what is not allowed, of the types that we write.

    >>> outgoing_name({"NATIONAL": "ALLOW", "INTERNATIONAL": "BLOCK"})
    'blocks INTERNATIONAL'
    >>> outgoing_name({})
    'blocks nothing'
    """
    closed = [
        name if actions[name] == "BLOCK" else f"{name}={actions[name]}"
        for name in sorted(CALL_TYPES)
        if actions.get(name, "ALLOW") != "ALLOW"
    ]
    return "blocks " + (",".join(closed) or "nothing")


def outgoing_actions(name: str) -> dict[str, str]:
    """The action of every call type that such a text stands for. Raises ValueError for a text that
    blocks what must stay open.
    """
    closed = set(name.removeprefix("blocks ").split(",")) - {"nothing"}
    if not closed <= set(DECIDED_CALL_TYPES):
        raise ValueError(f"outgoing permissions that are never written: {name}")
    return {each: "BLOCK" if each in closed else "ALLOW" for each in CALL_TYPES}


# Services

#: Where the services of a kind are, by the kind as we call it.
SERVICE_COLLECTIONS = {
    "AutoAttendant": "autoAttendants",
    "CallQueue": "queues",
    "HuntGroup": "huntGroups",
}


def service_key(kind: str, name: str) -> str:
    """What a service is looked for by; people have addresses, or ids that begin otherwise."""
    return f"{kind}/{name}"


def service_of(key: str) -> tuple[str, str] | None:
    """The collection and the name behind such a key; None for a person."""
    kind, _, name = key.partition("/")
    collection = SERVICE_COLLECTIONS.get(kind)
    return (collection, name) if collection is not None and name else None
