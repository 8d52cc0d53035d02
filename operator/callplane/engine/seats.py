"""Who was active in a month, as what is known now shows it: evidence that seats are billed by.

It is collected over and over, added up in the books, and never taken back. A person in Teams counts
while licensed, with a hosted number over Direct Routing; Webex counts numbers assigned; a phone
counts once it has registered, which a call of it shows as well; a PBX counts what its owner
declares.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from callplane.billing.active_users import SeatPlatform, TeamsIdentity
from callplane.store.books_ports import CallRow
from callplane.store.call_tables import LINE, Entry
from callplane.store.evidence_ports import ActiveUser
from callplane.values import E164, HolderId, Platform

#: What a listing says of a person in Teams with this number; None while nothing is known.
Standing = Callable[[HolderId, E164], TeamsIdentity | None]


#: How many users the owner of a PBX declares, by the object's name in the tables.
Declared = Callable[[str], int | None]
PBX = "PbxTrunk/"


def active_users(
    entries: Iterable[Entry],
    *,
    standing: Standing,
    declared: Declared,
    calls: Mapping[str, Iterable[CallRow]],
    registered: Mapping[str, Collection[str]],
) -> dict[str, list[ActiveUser]]:
    """Active users by account. `calls` are those of the month, and `registered` the lines of phones
    that were so in it, by account.
    """
    found: dict[str, list[ActiveUser]] = defaultdict(list)
    for entry in entries:
        content = entry.content
        if entry.kind != LINE or content is None or content.get("byoc"):
            continue
        account, holder = content.get("account"), _holder(content.get("holder") or entry.name)
        if not account or holder is None:
            continue
        if entry.owner.startswith(PBX):
            users = declared(entry.owner)
            if users is not None:
                pbx = ActiveUser(SeatPlatform.PBX, entry.name, "declared", users)
                found[account].append(pbx)
            continue
        if entry.name in registered.get(account, ()):
            found[account].append(ActiveUser(SeatPlatform.SIP, str(holder), "was registered"))
            continue
        found[account].extend(_of_line(entry, holder, content, standing, calls.get(account, ())))
    return dict(found)


def seen_in_calls(  # noqa: PLR0913 - what shows somebody, all named
    account: str,
    entries: Iterable[Entry],
    *,
    declared: Declared,
    calls: Iterable[CallRow],
    registered: Collection[str],
    noted: Iterable[ActiveUser],
) -> list[ActiveUser]:
    """Whom the calls of a month that is over, and phones that were `registered` in it, show to have
    been active then, beside those `noted`.

    What is true only now says nothing about then: a line without calls, a number assigned since and
    a count that a PBX declares since are left out. A person in Teams who was connected through the
    hosted carrier had licence and number: Teams connects nobody without.
    """
    # A late call bears its own month's name, and shows nothing about this one.
    own = [call for call in calls if call.adjusts is None]
    lines = {call.line for call in own}
    numbers = {call.destination if call.inbound else call.caller for call in own}
    talked = {
        (call.line, call.destination if call.inbound else call.caller)
        for call in own
        if call.duration_seconds > 0
    }
    known = {(one.platform, one.identity) for one in noted}

    def standing(holder: HolderId, number: E164) -> TeamsIdentity:
        was_connected = (str(holder), number.text) in talked
        return TeamsIdentity(
            identity=str(holder),
            is_user=True,
            is_resource_account=False,
            has_phone_licence=was_connected,
            on_hosted_direct_routing=was_connected,
        )

    found = active_users(
        [entry for entry in entries if entry.name in lines or entry.name in registered],
        standing=standing,
        declared=declared,
        calls={account: own},
        registered={account: registered},
    )
    return [
        one
        for one in found.get(account, [])
        if (one.platform, one.identity) not in known
        and (one.platform is not SeatPlatform.WEBEX or one.identity in numbers)
    ]


def _of_line(
    entry: Entry,
    holder: HolderId,
    content: Mapping[str, Any],
    standing: Standing,
    calls: Iterable[CallRow],
) -> Iterable[ActiveUser]:
    numbers = [str(one) for one in content.get("numbers", ())]
    if holder.platform is Platform.TEAMS:
        for number in numbers:
            identity = standing(holder, E164(number))
            if identity is not None and identity.is_active:
                yield ActiveUser(SeatPlatform.TEAMS, str(holder), "licensed, with a number")
                return
    elif holder.platform is Platform.WEBEX:
        for number in numbers:
            yield ActiveUser(SeatPlatform.WEBEX, number, "assigned")
    elif holder.platform is Platform.SIP and any(call.line == entry.name for call in calls):
        yield ActiveUser(SeatPlatform.SIP, str(holder), "has had calls")


def _holder(text: str) -> HolderId | None:
    platform, _, rest = text.partition("/")
    tenant, _, user = rest.partition("/")
    try:
        return HolderId(Platform(platform), tenant, user) if user else None
    except ValueError:
        return None
