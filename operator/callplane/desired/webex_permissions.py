"""A CallPrivilege as outgoing permissions of Webex, which tell few destinations apart.

They are a second fence: what a call costs and whether it may be made is decided where it leaves
for the telephone network. So what Webex cannot tell apart stays open here, and nothing that an
emergency or exempt number could fall under is ever closed.
"""

from __future__ import annotations

from callplane.apis.call_privileges import CallClass, CallPrivilegeSpec
from callplane.resources.webex import outgoing_name

_NEEDS = {
    "INTERNATIONAL": CallClass.INTERNATIONAL,
    "PREMIUM_SERVICES_I": CallClass.PREMIUM,
    "PREMIUM_SERVICES_II": CallClass.PREMIUM,
    "CHARGEABLE_DIRECTORY_ASSISTED": CallClass.DIRECTORY_ENQUIRIES,
}


def outgoing_permissions(privilege: CallPrivilegeSpec) -> str:
    """The setting that the privilege asks for, as `resources.webex.outgoing_name` writes it."""
    allowed = set(privilege.allowed_classes)
    return outgoing_name(
        {name: "ALLOW" if needed in allowed else "BLOCK" for name, needed in _NEEDS.items()}
    )
