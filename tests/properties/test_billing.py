"""Laws of money and minutes, whatever the numbers are."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from callplane.billing import postings
from callplane.billing.clip import Grant, first_grant, next_grant
from callplane.billing.counters import QUIET, Counters, LineCounters
from callplane.billing.decision import Direction, decide
from callplane.billing.increments import Increment
from callplane.billing.prices import LineKind, Price, PricePart
from callplane.billing.quotes import Mode, Quote, Refusal
from callplane.billing.rating import unlimited
from callplane.billing.settlement import settle
from callplane.billing.terms import NO_CALLS, Limits, OnExhaustion, Privilege, WhenPoolEmpty
from callplane.testing.billing_builders import (
    ABROAD,
    BEGIN,
    FREEPHONE,
    LANDLINE,
    account,
    attempt,
    context,
    line,
    plan,
)
from callplane.testing.dialled_forms import NEAR_MISSES, SERVED, Form

seconds = st.integers(0, 20_000)
micros = st.integers(0, 10**7)
increments = st.builds(Increment, st.integers(1, 90), st.integers(1, 90))
parts = st.builds(PricePart, st.just(LineKind.CALL), micros, micros)
prices = st.builds(
    Price,
    card=st.just("card"),
    version=st.just("v"),
    prefix=st.just("44"),
    name=st.just("name"),
    band=st.just(""),
    effective_from=st.just(BEGIN),
    increment=increments,
    parts=st.lists(parts, min_size=1, max_size=2).map(tuple),
)


@st.composite
def counters(draw: st.DrawFn) -> Counters:
    """Counters that keep the invariants of the books."""
    entitlement = draw(seconds)
    used = draw(st.integers(0, entitlement))
    return Counters(
        entitlement_seconds=entitlement,
        used_seconds=used,
        held_seconds=draw(st.integers(0, entitlement - used)),
        posted_micros=draw(micros),
        held_micros=draw(micros),
        day_micros=draw(micros),
        day_held_micros=draw(micros),
        live_calls=draw(st.integers(0, 5)),
    )


limits = st.builds(
    Limits,
    ceiling_micros=st.integers(0, 10**8),
    day_cap_micros=st.none() | st.integers(0, 10**8),
    account_calls=st.none() | st.integers(0, 5),
    line_calls=st.none() | st.integers(0, 5),
    line_calls_per_minute=st.none() | st.integers(0, 5),
)
quotes = st.builds(
    Quote,
    mode=st.just(Mode.PLAN),
    pool=st.none() | increments,
    price=st.none() | prices,
    limits=limits,
    first_slice_seconds=st.integers(60, 2_000),
    slice_seconds=st.integers(60, 2_000),
    call_seconds=st.integers(600, 20_000),
    grace_seconds=st.integers(0, 600),
    grace_percent=st.integers(0, 100),
)
line_counters = st.builds(LineCounters, st.integers(0, 5), st.integers(0, 12))


@given(quotes, counters(), line_counters)
def test_a_first_grant_keeps_within_every_limit(
    quote: Quote, before: Counters, lines: LineCounters
) -> None:
    found = first_grant(quote, before, lines)
    if not isinstance(found, Grant):
        return
    assert found.seconds > 0
    assert found.pool_seconds <= before.free_seconds
    if found.hold_micros:
        assert before.due_micros + found.hold_micros <= quote.limits.ceiling_micros
        if quote.limits.day_cap_micros is not None:
            assert before.day_due_micros + found.hold_micros <= quote.limits.day_cap_micros
    assert found.grace_seconds == 0


@given(quotes, counters(), st.lists(st.tuples(seconds, micros), max_size=6))
def test_a_live_call_only_gains_and_stays_within_the_limits(
    quote: Quote, before: Counters, others: list[tuple[int, int]]
) -> None:
    held = first_grant(quote, before, QUIET)
    if not isinstance(held, Grant):
        return
    now = with_hold(before, held)
    for other_seconds, other_micros in others:
        # Others take what is free meanwhile.
        taken = min(other_seconds, max(0, now.free_seconds))
        room = max(0, quote.limits.ceiling_micros - now.due_micros)
        now = replace(
            now,
            used_seconds=now.used_seconds + taken,
            posted_micros=now.posted_micros + min(other_micros, room),
        )
        longer = next_grant(quote, now, held)
        assert longer.seconds >= held.seconds
        now = with_hold(now, longer, instead_of=held)
        held = longer
        assert now.free_seconds >= 0
        if held.hold_micros:
            assert now.due_micros <= quote.limits.ceiling_micros


def with_hold(now: Counters, grant: Grant, *, instead_of: Grant | None = None) -> Counters:
    before = instead_of or Grant()
    return replace(
        now,
        held_seconds=now.held_seconds + grant.pool_seconds - before.pool_seconds,
        grace_held_seconds=now.grace_held_seconds + grant.grace_seconds - before.grace_seconds,
        held_micros=now.held_micros + grant.hold_micros - before.hold_micros,
        day_held_micros=now.day_held_micros + grant.hold_micros - before.hold_micros,
    )


@given(quotes, counters(), seconds)
def test_no_call_costs_more_than_it_held(quote: Quote, before: Counters, duration: int) -> None:
    granted = first_grant(quote, before, QUIET)
    if not isinstance(granted, Grant):
        return
    done = settle(duration, granted, pool=quote.pool, price=quote.price)
    assert done.pool_seconds <= granted.pool_seconds
    assert done.grace_seconds <= granted.grace_seconds
    assert done.charge_micros <= granted.hold_micros
    assert done.slack_seconds + done.overrun_seconds == max(0, duration - granted.seconds)
    if duration == 0:
        assert (done.pool_seconds, done.charge_micros) == (0, 0)


@given(quotes, counters(), seconds, seconds)
def test_a_longer_call_never_costs_less(
    quote: Quote, before: Counters, one: int, other: int
) -> None:
    granted = first_grant(quote, before, QUIET)
    if not isinstance(granted, Grant):
        return
    short, long = sorted((one, other))
    less = settle(short, granted, pool=quote.pool, price=quote.price)
    more = settle(long, granted, pool=quote.pool, price=quote.price)
    assert less.pool_seconds <= more.pool_seconds
    assert less.charge_micros <= more.charge_micros


@given(st.none() | increments, st.none() | prices, seconds, seconds)
def test_live_and_batch_agree(
    pool: Increment | None, price: Price | None, duration: int, free: int
) -> None:
    """The same split gives the same charge, whichever grant it came from."""
    batch_grant = unlimited(duration, pool=pool, price=price, free_seconds=free)
    batch = settle(duration, batch_grant, pool=pool, price=price)
    generous = replace(batch_grant, priced_seconds=batch_grant.priced_seconds + 10_000)
    live = settle(duration, generous if price else batch_grant, pool=pool, price=price)
    assert (live.pool_seconds, live.charge_micros) == (batch.pool_seconds, batch.charge_micros)
    assert batch.pool_seconds <= free


@given(prices, seconds, seconds)
def test_charges_add_up_to_one_micro_unit_a_line(price: Price, one: int, other: int) -> None:
    for part in price.parts:
        whole = price.charge(part, one + other, with_fee=False)
        pieces = price.charge(part, one, with_fee=False) + price.charge(part, other, with_fee=False)
        assert abs(whole - pieces) <= 1


@given(quotes, counters(), seconds)
def test_the_postings_of_a_call_balance(quote: Quote, before: Counters, duration: int) -> None:
    granted = first_grant(quote, before, QUIET)
    if not isinstance(granted, Grant):
        return
    done = settle(duration, granted, pool=quote.pool, price=quote.price)
    rows = list(postings.of_call("a/b", "attempt", done, currency="GBP"))
    sums = postings.balances(rows)
    for unit in {unit for _, unit in sums}:
        assert sum(amount for (_, of), amount in sums.items() if of == unit) == 0
    assert sums.get(("receivable:a/b", "GBP"), 0) == done.charge_micros
    assert sums.get(("pool:a/b", "s"), 0) == -done.pool_seconds
    undone = [row.reversal(number) for number, row in enumerate(rows)]
    assert not any(postings.balances([*rows, *undone]).values())


switches = st.fixed_dictionaries(
    {
        "overspend": st.booleans(),
        "rate_card_billing": st.booleans(),
        "pay_as_you_go": st.booleans(),
        "suspended": st.booleans(),
        "ceiling_micros": st.none() | micros,
        "day_cap_micros": st.none() | micros,
        "line_calls": st.none() | st.integers(0, 3),
        "line_calls_per_minute": st.none() | st.integers(0, 3),
        "when_pool_empty": st.sampled_from(WhenPoolEmpty),
        "on_exhaustion": st.sampled_from(OnExhaustion),
    }
)


@given(
    switches,
    counters(),
    line_counters,
    st.booleans(),
    st.booleans(),
    st.sampled_from(SERVED),
)
def test_emergency_and_exempt_calls_are_allowed_in_every_state(  # noqa: PLR0913 - all of a state
    terms: dict[str, object],
    before: Counters,
    lines: LineCounters,
    known: bool,
    with_plan: bool,
    form: Form,
) -> None:
    caller = line(
        account(**terms), plan=plan() if with_plan else None, privilege=NO_CALLS, suspended=True
    )
    asked = attempt(form.dialled, outside_line=form.outside_line, caller_id="anonymous")
    found = decide(context(caller if known else None, before, lines), asked)
    assert isinstance(found, Quote)
    assert found.mode in (Mode.EMERGENCY, Mode.EXEMPT)
    assert not found.is_metered


@given(switches, counters(), line_counters)
def test_inbound_never_depends_on_money(
    terms: dict[str, object], before: Counters, lines: LineCounters
) -> None:
    asked = attempt(direction=Direction.INBOUND)
    caller = line(account(**terms), privilege=Privilege())
    assert decide(context(caller, before, lines), asked) == Quote(Mode.INBOUND)


@given(
    switches,
    counters(),
    line_counters,
    st.booleans(),
    st.sampled_from([LANDLINE, FREEPHONE, ABROAD]),
)
def test_what_is_decided_can_be_reserved(
    terms: dict[str, object],
    before: Counters,
    lines: LineCounters,
    with_plan: bool,
    dialled: str,
) -> None:
    """With the same counters, `reserve` never refuses what `decide` has quoted."""
    caller = line(account(**terms), plan=plan() if with_plan else None)
    found = decide(context(caller, before, lines), attempt(dialled))
    if isinstance(found, Refusal):
        return
    assert isinstance(first_grant(found, before, lines), Grant)


@given(st.sampled_from(NEAR_MISSES))
def test_what_only_looks_like_an_emergency_is_decided_like_any_call(form: Form) -> None:
    asked = attempt(form.dialled, outside_line=form.outside_line)
    found = decide(context(line(account(), plan=plan())), asked)
    assert isinstance(found, Refusal) or found.is_metered
