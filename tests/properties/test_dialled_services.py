"""Laws of emergency and exempt services: exact codes, in any dress, under any configuration."""

from __future__ import annotations

import re
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from callplane.numbering.dialled_services import GB, SEPARATORS, ServiceClass, digits_of
from callplane.testing.dialled_forms import CODES

codes = st.sampled_from(CODES)
outside_lines = st.from_regex(r"[0-9]{0,3}", fullmatch=True)
fronts = st.sampled_from(["", "+", "+44", "0044"])
removable = st.sets(st.sampled_from([row.code for row in GB.services if not row.required]))
#: The codes themselves, read from the table by other means than the matcher's.
EXACT = {row.code for row in GB.services if "x" not in row.code} | {
    f"116{number:03}" for number in range(1000)
}


def test_of_all_short_numbers_only_the_codes_match() -> None:
    for length in range(1, 6):
        for digits in product("0123456789", repeat=length):
            dialled = "".join(digits)
            assert (GB.match(dialled) is not None) == (dialled in EXACT), dialled
    for number in range(1_000_000):
        dialled = f"{number:06}"
        if dialled.startswith("11") or number % 997 == 0:
            assert (GB.match(dialled) is not None) == (dialled in EXACT), dialled


@given(codes, outside_lines, fronts, removable, st.data())
def test_a_promised_code_is_found_in_any_dress(
    code: str, line: str, front: str, removed: set[str], data: st.DataObject
) -> None:
    table = GB.without(removed)
    dressed = front + "".join(
        (f"%{ord(digit):02x}" if data.draw(st.booleans()) else digit)
        + data.draw(st.text(SEPARATORS, max_size=2))
        for digit in code
    )
    for dialled in (dressed, f"tel:{dressed}", f"sip:{dressed}@sbc.example;user=phone"):
        found = table.match(dialled, outside_line=line)
        if code not in {"999", "112", "18000", "111", "101"} and found is None:
            assert code in removed or (code.startswith("116") and "116xxx" in removed)
            continue
        assert found is not None
        # An outside line may make another code of what stands there: 1 before 112 is 1112.
        assert found.number == code
    if line:
        behind = table.match(line + dressed, outside_line=line)
        assert behind is not None or removed


@given(st.text(max_size=30), outside_lines)
def test_matcher_and_pattern_agree_on_any_text(dialled: str, line: str) -> None:
    found = GB.match(dialled, outside_line=line)
    digits = digits_of(dialled)
    for service_class in ServiceClass:
        pattern = GB.pattern(service_class, outside_line=line)
        expected = found is not None and found.service.service_class is service_class
        assert bool(re.fullmatch(pattern, digits)) == expected


@given(st.from_regex(r"\+44[1-37-9][0-9]{8,9}", fullmatch=True), outside_lines)
def test_no_number_of_full_length_is_a_service(number: str, line: str) -> None:
    assert GB.match(number, outside_line=line) is None
    assert GB.match(number.replace("+44", "0"), outside_line=line) is None
