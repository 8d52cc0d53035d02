"""What the SBC decides by itself agrees with the tables that everybody else decides by."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callplane.callcontrol import messages
from callplane.numbering.destinations import DestinationClass, class_of, destination_of
from callplane.sbc import rendering
from callplane.testing.sbc_estates import LoopbackPorts, LoopbackSbc

SBC = LoopbackSbc(LoopbackPorts(1, 2, 3, 4, 5, 6)).sbc()
TEXT = rendering.kamailio_cfg(SBC)
BUNDLED = {DestinationClass.GEOGRAPHIC, DestinationClass.UK_WIDE, DestinationClass.MOBILE}


def goes_out_in_an_outage(dialled: str) -> bool:
    (bundled, others), *_ = re.findall(r'=~ "(.*?)" && !\(\$avp\(dialled\) =~ "(.*?)"\)', TEXT)
    return bool(re.search(bundled, dialled)) and not re.search(others, dialled)


@given(
    st.sampled_from(["+44", "0044", "0"]),
    st.one_of(
        st.from_regex(r"[1-9][0-9]{8,9}", fullmatch=True),
        st.sampled_from(["1534", "7911", "7624", "70", "76", "55", "84", "87", "9"]).map(
            lambda prefix: prefix.ljust(10, "0")
        ),
    ),
)
def test_only_what_a_bundle_covers_goes_out_while_nobody_can_be_asked(
    front: str, national: str
) -> None:
    dialled = front + national
    assert goes_out_in_an_outage(dialled) == (class_of(destination_of(dialled)) in BUNDLED)


@pytest.mark.parametrize("dialled", ["+12125550123", "0012125550123", "118500", "1471", "999x"])
def test_nothing_else_does(dialled: str) -> None:
    assert not goes_out_in_an_outage(dialled)


def test_a_place_without_a_setting_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="NOWHERE"):
        rendering.filled("listen=@NOWHERE@", {})
    assert re.findall(r"@[A-Z_]+@", TEXT) == []


def test_every_field_of_a_question_is_one_that_call_control_knows() -> None:
    sent = set(re.findall(r'jansson_set\("(?:string|integer)", "(\w+)"', TEXT))
    events = (
        messages.Authorise,
        messages.EmergencyAlert,
        messages.NotConnected,
        messages.Registered,
    )
    known = {name for event in events for name in event.__dataclass_fields__} | {"v", "ev"}
    assert sent <= known
    read = set(re.findall(r'jansson_get\("(\w+)"', TEXT))
    orders = (messages.Verdict, messages.Extend, messages.Cut, messages.OutageFlag)
    assert read <= {name for order in orders for name in order.__dataclass_fields__} | {"op"}
