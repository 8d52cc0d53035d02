"""The carrier contract: listings, targeted reads, search, balance."""

from __future__ import annotations

import pytest

from callplane.providers.carrier_protocol import (
    CarrierAction,
)
from callplane.providers.protocol import Throttled, Unavailable
from callplane.resources.carriers import (
    NOT_SHOWN,
    CarrierNumberState,
    NumberOnCarrier,
    NumberSearch,
)
from callplane.testing.carrier_contract.asking import (
    FIRST,
    SEVERAL_PAGES,
    WANTED,
    needs,
    pages_of,
    row_of,
)
from callplane.testing.carrier_stage import (
    ON_SALE,
    OWNED,
    PREFIX,
    RETRY_AFTER_SECONDS,
    UNKNOWN_NUMBER,
    CarrierMisfortune,
    CarrierStage,
)


class CarrierReadingContract:
    """Listings, targeted reads, search, balance."""

    @needs(CarrierAction.LIST)
    async def test_a_listing_holds_every_number_and_an_end(self, stage: CarrierStage) -> None:
        pages = await pages_of(stage)
        assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
        assert [row.number for page in pages for row in page.rows] == list(OWNED)
        assert all(page.bad_rows == 0 and page.total in (None, len(OWNED)) for page in pages)

    @needs(CarrierAction.LIST)
    async def test_a_long_listing_is_complete(self, stage: CarrierStage) -> None:
        stage.add_numbers(SEVERAL_PAGES)
        pages = await pages_of(stage)
        rows = [row.number for page in pages for row in page.rows]
        assert len(rows) == len(set(rows)) == SEVERAL_PAGES + len(OWNED)
        assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]

    @needs(CarrierAction.LIST)
    async def test_a_broken_listing_has_no_end(self, stage: CarrierStage) -> None:
        stage.strike(CarrierMisfortune.READS_CUT)
        with pytest.raises(Unavailable):
            await pages_of(stage)
        stage.calm()
        assert (await pages_of(stage))[-1].last

    @needs(CarrierAction.LIST)
    async def test_a_listing_and_a_read_agree(self, stage: CarrierStage) -> None:
        listed = (await pages_of(stage))[0].rows[0]
        read = await row_of(stage, listed.number)
        for name in NumberOnCarrier.__dataclass_fields__:
            if getattr(listed, name) is not NOT_SHOWN:
                assert getattr(listed, name) == getattr(read, name), name

    @needs(CarrierAction.LIST)
    async def test_a_read_says_when_its_request_began(self, stage: CarrierStage) -> None:
        stage.clock.advance(7.0)
        began = stage.clock.monotonic()
        assert (await stage.provider.read_number(FIRST)).observed_at == began
        assert (await stage.provider.read_number(UNKNOWN_NUMBER)).observed_at == began
        assert [page.observed_at for page in await pages_of(stage)] == [began]

    @needs(CarrierAction.LIST)
    async def test_an_owned_number_is_told_from_none(self, stage: CarrierStage) -> None:
        row = await row_of(stage, FIRST)
        assert (row.number, row.state) == (FIRST, CarrierNumberState.ACTIVE)
        assert (await stage.provider.read_number(WANTED)).row is None
        assert (await stage.provider.read_number(UNKNOWN_NUMBER)).row is None

    @needs(CarrierAction.LIST)
    async def test_a_cut_read_is_unknown_and_not_absent(self, stage: CarrierStage) -> None:
        stage.strike(CarrierMisfortune.READS_CUT)
        with pytest.raises(Unavailable):
            await stage.provider.read_number(FIRST)
        stage.calm()
        assert (await row_of(stage, FIRST)).number == FIRST

    @needs(CarrierAction.LIST)
    async def test_a_throttled_read_tells_how_long_to_wait(self, stage: CarrierStage) -> None:
        stage.strike(CarrierMisfortune.READS_THROTTLED)
        with pytest.raises(Throttled) as caught:
            await stage.provider.read_number(FIRST)
        assert caught.value.retry_after_seconds == RETRY_AFTER_SECONDS
        with pytest.raises(Throttled):
            await pages_of(stage)

    @needs(CarrierAction.BALANCE)
    async def test_the_balance_is_what_can_be_spent(self, stage: CarrierStage) -> None:
        before = (await stage.provider.read_balance()).row
        assert before is not None
        assert before.spendable.amount_micros > 0
        stage.empty_the_balance()
        after = (await stage.provider.read_balance()).row
        assert after is not None
        assert (after.spendable.amount_micros, after.spendable.currency) == (
            0,
            before.spendable.currency,
        )

    @needs(CarrierAction.BALANCE)
    async def test_a_balance_that_cannot_be_read_is_unknown(self, stage: CarrierStage) -> None:
        stage.strike(CarrierMisfortune.READS_CUT)
        with pytest.raises(Unavailable):
            await stage.provider.read_balance()

    @needs(CarrierAction.SEARCH)
    async def test_a_search_finds_what_is_on_sale_in_order(self, stage: CarrierStage) -> None:
        stage.sell(ON_SALE[1])
        offers = await stage.provider.search(NumberSearch(prefix=PREFIX, count=4))
        assert [offer.number for offer in offers] == [ON_SALE[n] for n in (0, 2, 3, 4)]

    @needs(CarrierAction.SEARCH)
    async def test_a_search_that_finds_nothing_is_empty(self, stage: CarrierStage) -> None:
        assert await stage.provider.search(NumberSearch(prefix="441914980999")) == ()

    @needs(CarrierAction.SEARCH, condition="offers_show_prices")
    async def test_an_offer_tells_its_price(self, stage: CarrierStage) -> None:
        (offer,) = await stage.provider.search(NumberSearch(prefix=WANTED.text[1:], count=1))
        assert offer.setup is not None
        assert offer.monthly is not None
        assert offer.monthly.amount_micros > 0

    @needs(CarrierAction.SEARCH)
    async def test_a_search_without_an_answer_finds_nothing_out(self, stage: CarrierStage) -> None:
        stage.strike(CarrierMisfortune.READS_CUT)
        with pytest.raises(Unavailable):
            await stage.provider.search(NumberSearch(prefix=PREFIX))
