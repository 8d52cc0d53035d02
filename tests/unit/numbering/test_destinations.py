"""Classes of destinations, by the table of the numbering plan."""

from __future__ import annotations

import pytest

from callplane.numbering.destinations import (
    DestinationClass,
    class_of,
    country_code,
    destination_of,
)


@pytest.mark.parametrize(
    ("dialled", "destination_class"),
    [
        ("020 7946 0123", "Geographic"), ("01614960123", "Geographic"), ("03069990123", "UkWide"),
        ("07700900123", "Mobile"), ("07000000000", "Personal"), ("07600000000", "Pager"),
        ("05500000000", "Corporate"), ("05600000000", "Voip"), ("08081570123", "Freephone"),
        ("08400000000", "ServiceCharge"), ("08700000000", "HigherServiceCharge"),
        ("09098790123", "Premium"), ("118000", "DirectoryEnquiries"),
        ("+44118000", "DirectoryEnquiries"), ("05000000000", "Unassigned"),
        ("04000000000", "Unassigned"), ("06000000000", "Unassigned"),
        # Crown dependencies share the country code, down to five digits of mixed blocks.
        ("01534", "CrownDependency"), ("01481", "CrownDependency"), ("01624", "CrownDependency"),
        ("07624", "CrownDependency"), ("077003", "CrownDependency"), ("077000", "Mobile"),
        ("079111", "CrownDependency"), ("079110", "Mobile"), ("074576", "CrownDependency"),
        ("0012125550123", "International"), ("+353", "International"), ("+881", "Satellite"),
        ("+870", "Satellite"), ("+979", "Premium"), ("1471", "Unassigned"), ("", "Unassigned"),
        ("+", "Unassigned"),
    ],
)  # fmt: skip
def test_classes(dialled: str, destination_class: str) -> None:
    assert class_of(destination_of(dialled)) is DestinationClass(destination_class)


@pytest.mark.parametrize(
    ("dialled", "destination"),
    [
        ("+44 (0)20 7946 0123", "+442079460123"), ("+4402079460123", "+442079460123"),
        ("0044 20 7946 0123", "+442079460123"), ("tel:+44-20-7946-0123", "+442079460123"),
        ("sip:02079460123@pbx.example;user=phone", "+442079460123"),
        ("18001 020 7946 0123", "+442079460123"), ("1471", "1471"), ("anna", "anna"),
    ],
)  # fmt: skip
def test_dialled_forms(dialled: str, destination: str) -> None:
    assert destination_of(dialled) == destination


def test_an_outside_line_is_taken_off() -> None:
    assert destination_of("902079460123", outside_line="9") == "+442079460123"


@pytest.mark.parametrize(
    ("number", "code"), [("+1212", "1"), ("+7495", "7"), ("+44", "44"), ("+353", "353")]
)
def test_country_codes(number: str, code: str) -> None:
    assert country_code(number) == code
