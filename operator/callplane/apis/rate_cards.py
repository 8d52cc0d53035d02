"""RateCard: prices of destinations by prefix and date, as rows of the object or as a deck."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from callplane.apis import constraints, fields
from callplane.apis.call_terms import BillingIncrement, Hours
from callplane.apis.fields import Count, Flag, Timestamp
from callplane.apis.kinds import AGE, MESSAGE, READY_COLUMNS, Column, Kind
from callplane.apis.model import Model, Resource, Status
from callplane.apis.references import NamespaceConsent

ROWS_MAX = 1_000


class NamedHours(Hours):
    """A band of the week with prices of its own."""

    name: Annotated[fields.DnsLabel, Field(description="As rows call it.")]


class BandPrice(Model):
    """The price a minute within a band."""

    band: Annotated[fields.DnsLabel, Field(description="Name of the band.")]
    per_minute: Annotated[fields.Amount, Field(description="Price a minute, without tax.")]


class ServiceCharge(Model):
    """What the holder of a 084, 087, 09 or 118 range charges, beside the access charge."""

    per_minute: Annotated[fields.Amount, Field(description="Price a minute, without tax.")] = "0"
    per_call: Annotated[fields.Amount, Field(description="Price a call, without tax.")] = "0"


class AccessCharge(Model):
    """What the card itself charges for ranges with a service charge."""

    per_minute: Annotated[fields.Amount, Field(description="Price a minute, without tax.")]
    effective_from: Annotated[Timestamp, Field(description="From when on.")]


class RateRow(Model):
    """One price. The longest prefix counts, then the newest row that has begun."""

    invariants = (constraints.unique_entries("bands", key="band"),)

    prefix: Annotated[
        fields.PrefixDigits, Field(description="Digits behind the plus, or of a short code.")
    ]
    short_code: Annotated[
        Flag,
        Field(description="The prefix is of short codes, such as 118, and of no other numbers."),
    ] = False
    name: Annotated[fields.Text64, Field(description="As charges call it.", min_length=1)]
    per_minute: Annotated[fields.Amount, Field(description="Price a minute, without tax.")]
    connection_fee: Annotated[fields.Amount, Field(description="Price of an answered call.")] = "0"
    increment: Annotated[
        BillingIncrement, Field(description="How time is counted. Default 1/1.")
    ] = Field(default_factory=BillingIncrement)
    effective_from: Annotated[Timestamp, Field(description="From when on, by a call's set-up.")]
    service: Annotated[
        ServiceCharge | None, Field(description="The other part of a two-part price.")
    ] = None
    bands: Annotated[
        tuple[BandPrice, ...],
        Field(
            description="Prices a minute within bands.",
            max_length=8,
            json_schema_extra=fields.list_map("band"),
        ),
    ] = ()


class DeckReference(Model):
    """A deck that was imported with `callplane rate import`."""

    digest: Annotated[fields.Hex64, Field(description="Digest of its prices, as the import says.")]


class RateCardSpec(Model):
    """A currency and its prices."""

    invariants = (
        constraints.exactly_one("rows", "deck"),
        constraints.immutable("currency"),
        constraints.unique_entries("bands", key="name"),
        constraints.unique_entries("access_charges", key="effective_from"),
    )

    currency: Annotated[fields.Currency, Field(description="Currency of the prices. Immutable.")]
    sample: Annotated[
        Flag, Field(description="The prices are invented; whatever shows them says so.")
    ] = False
    time_zone: Annotated[
        fields.TimeZone, Field(description="Where bands are. Default Europe/London.")
    ] = "Europe/London"
    bands: Annotated[
        tuple[NamedHours, ...],
        Field(
            description="Parts of the week; the first that holds counts.",
            max_length=8,
            json_schema_extra=fields.list_map("name"),
        ),
    ] = ()
    access_charges: Annotated[
        tuple[AccessCharge, ...],
        Field(
            description="What is added to service charges.",
            max_length=64,
            json_schema_extra=fields.list_map("effectiveFrom"),
        ),
    ] = ()
    rows: Annotated[
        tuple[RateRow, ...] | None,
        Field(description="The prices.", min_length=1, max_length=ROWS_MAX),
    ] = None
    deck: Annotated[
        DeckReference | None,
        Field(description="More prices than an object holds: an imported deck."),
    ] = None
    description: Annotated[fields.Text1024, Field(description="A note for humans.")] = ""
    allowed_namespaces: Annotated[
        tuple[NamespaceConsent, ...],
        Field(description="Other namespaces whose accounts may use the card.", max_length=64),
    ] = ()


class RateCardStatus(Status):
    """What the card holds."""

    rows: Annotated[Count | None, Field(description="Prices in the card.", ge=0)] = None
    version: Annotated[
        fields.Hex64 | None, Field(description="Identifies the content; charges name it.")
    ] = None


class RateCard(Resource):
    """Prices of destinations."""

    kind: str = "RateCard"
    spec: RateCardSpec
    status: RateCardStatus = Field(default_factory=RateCardStatus)


KIND = Kind(
    name="RateCard",
    plural="ratecards",
    short_names=("rate",),
    model=RateCard,
    columns=(
        Column("Currency", ".spec.currency"),
        Column("Rows", ".status.rows", type="integer"),
        *READY_COLUMNS,
        Column("Sample", ".spec.sample", type="boolean"),
        MESSAGE,
        AGE,
    ),
)
