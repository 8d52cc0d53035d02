"""The number plans of GB and the US: what can be held, and what only looks like a number."""

from __future__ import annotations

import phonenumbers
import pytest

from callplane.numbering import plan_table
from callplane.numbering.plan_table import GB, US, NumberClass
from callplane.values import E164

# Ofcom keeps these blocks of a thousand free for drama; all that we show comes from them.
DRAMA = [
    ("+442079460", NumberClass.GEOGRAPHIC),
    ("+441614960", NumberClass.GEOGRAPHIC),
    ("+441134960", NumberClass.GEOGRAPHIC),
    ("+441144960", NumberClass.GEOGRAPHIC),
    ("+441154960", NumberClass.GEOGRAPHIC),
    ("+441164960", NumberClass.GEOGRAPHIC),
    ("+441174960", NumberClass.GEOGRAPHIC),
    ("+441184960", NumberClass.GEOGRAPHIC),
    ("+441214960", NumberClass.GEOGRAPHIC),
    ("+441314960", NumberClass.GEOGRAPHIC),
    ("+441414960", NumberClass.GEOGRAPHIC),
    ("+441514960", NumberClass.GEOGRAPHIC),
    ("+441914980", NumberClass.GEOGRAPHIC),
    ("+442896496", NumberClass.GEOGRAPHIC),
    ("+442920180", NumberClass.GEOGRAPHIC),
    ("+441632960", NumberClass.GEOGRAPHIC),
    ("+447700900", NumberClass.MOBILE),
    ("+448081570", NumberClass.FREEPHONE),
    ("+443069990", NumberClass.UK_WIDE),
]


@pytest.mark.parametrize(("block", "number_class"), DRAMA)
def test_every_drama_number_can_be_held(block: str, number_class: NumberClass) -> None:
    for tail in ("000", "123", "999"):
        number = E164(block + tail)
        assert GB.objection(number) is None
        assert GB.class_of(number) is number_class


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("+44116123", "no length"),
        ("+449999999", "no length"),
        ("+4402079460123", "no length"),
        ("+44207946012", "no length"),
        ("+4420794601234", "no length"),
        ("+33123456789", "does not start with +44"),
        ("+449098790123", "premium"),
        ("+447000000000", "personal"),
        ("+447600000000", "pager"),
        ("+448200000000", "schools"),
        ("+445000000000", "not in use"),
        ("+445900000000", "not in use"),
        ("+448100000000", "not in use"),
        ("+449900000000", "not in use"),
        ("+444000000000", "no length"),
        ("+446000000000", "no length"),
    ],
)
def test_what_nobody_can_hold_is_refused_with_the_reason(text: str, why: str) -> None:
    objection = GB.objection(E164(text))
    assert objection is not None
    assert why in objection
    assert not plan_table.is_admissible(E164(text), country="GB")


def test_short_codes_with_a_country_code_are_no_numbers() -> None:
    # A common library calls them possible; nobody may claim 999 as a number.
    for code in ("999999", "112112", "116123", "118000"):
        assert GB.objection(E164(f"+44{code}")) is not None


def test_the_isle_of_man_has_mobiles_among_pagers() -> None:
    assert GB.class_of(E164("+447624000000")) is NumberClass.MOBILE
    assert GB.class_of(E164("+447625000000")) is NumberClass.PAGER


def test_numbers_of_nine_digits_exist_in_some_areas() -> None:
    assert GB.objection(E164("+44169770000")) is None


def test_an_unknown_country_admits_nothing() -> None:
    assert plan_table.plan_of("ZZ") is None
    assert not plan_table.is_admissible(E164("+442079460000"), country="ZZ")


@pytest.mark.parametrize("block", [block for block, _ in DRAMA])
def test_the_usual_library_agrees_where_it_knows_the_block(block: str) -> None:
    parsed = phonenumbers.parse(f"{block}123", "GB")
    # It finds these three blocks possible and not valid; see the note on the table.
    unknown_to_library = {"+441154960", "+441632960", "+447700900"}
    assert phonenumbers.is_valid_number(parsed) is (block not in unknown_to_library)


@pytest.mark.parametrize("area", ["201", "212", "202", "907", "787"])
def test_numbers_for_fiction_can_be_held_in_every_area_of_the_us(area: str) -> None:
    for line in ("0100", "0199"):
        number = E164(f"+1{area}555{line}")
        assert US.objection(number) is None
        assert US.class_of(number) is NumberClass.GEOGRAPHIC
        assert plan_table.is_admissible(number, country="US")
        assert not plan_table.is_admissible(number, country="GB")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("+1202555010", "no length"),
        ("+120255501000", "no length"),
        ("+11025550100", "no length"),
        ("+12021550100", "no length"),
        ("+12024110100", "no length"),
        ("+19115550100", "not in use"),
        ("+13705550100", "not in use"),
        ("+15555550100", "not in use"),
        ("+19005550100", "premium"),
        ("+15005550100", "personal"),
        ("+14165550100", "another country than US"),
        ("+12425550100", "another country than US"),
        ("+442079460000", "does not start with +1"),
    ],
)
def test_what_nobody_can_hold_in_the_us_is_refused(text: str, why: str) -> None:
    objection = US.objection(E164(text))
    assert objection is not None
    assert why in objection


def test_toll_free_numbers_of_the_us_can_be_held() -> None:
    number = E164("+18005550199")
    assert US.class_of(number) is NumberClass.FREEPHONE
    assert US.objection(number) is None


@pytest.mark.parametrize("area", sorted(US.elsewhere))
def test_the_usual_library_knows_whose_area_codes_are_not_of_the_us(area: str) -> None:
    # The newest Canadian codes are not in it yet.
    known = phonenumbers.region_code_for_number(phonenumbers.parse(f"+1{area}2345678"))
    assert known != "US"


@pytest.mark.parametrize(
    ("text", "countries"),
    [
        ("+442079460000", {"GB", "GG", "JE", "IM"}),
        ("+12025550100", {"US", "PR", "VI", "GU", "AS", "MP"}),
        ("+14165550100", set()),
        ("+33123456789", set()),
    ],
)
def test_whose_people_may_hold_a_number(text: str, countries: set[str]) -> None:
    assert plan_table.usage_locations(E164(text)) == countries
