"""What one session border controller is: its faces, who may speak to it, whose numbers are where.

These are values that `reading` has checked; `rendering` turns them into files. Everything that an
emergency or an inbound call needs is in them, with addresses, so that no name has to be resolved.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network

from callplane.numbering import dialled_services
from callplane.numbering.dialled_services import DialledServices
from callplane.values import E164, NumberSpan


class TrunkType(Enum):
    """What is at the other end. The value is how values name it."""

    CARRIER = "Carrier"
    PBX = "Pbx"
    WEBEX = "Webex"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An IPv4 address and a port."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class NamedHost:
    """A host of a platform: its name for SIP, its address for packets."""

    name: str
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Teams:
    """Direct Routing: hosts in order of preference, and where Microsoft speaks from."""

    hosts: tuple[NamedHost, ...]
    sources: tuple[IPv4Network, ...]
    emergency_callback_number: E164 | None = None


@dataclass(frozen=True, slots=True)
class Trunk:
    """A carrier, a PBX or Webex. `targets` are tried in order; carriers come by preference.

    `takes_emergency` matters for carriers, `outside_line` and the callback number for the others.
    """

    name: str
    type: TrunkType
    targets: tuple[Endpoint, ...]
    sources: tuple[IPv4Network, ...]
    answers_options: bool = False
    takes_emergency: bool = False
    outside_line: str = ""
    emergency_callback_number: E164 | None = None


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone that registers. `digest` is MD5(user:realm:password), and as secret as a password."""

    user: str
    digest: str
    number: E164


@dataclass(frozen=True, slots=True)
class Phones:
    """The face that phones register at, open to the world."""

    listen: Endpoint
    realm: str
    phones: tuple[Phone, ...]
    outside_line: str = ""


@dataclass(frozen=True, slots=True)
class NumberBlock:
    """Numbers of ours: who carries and who pays them, and where calls to them go: `Teams`, the name
    of a trunk, the user of a phone behind `phone:`, or a SIP address (`sip:desk@192.0.2.80:5060`).
    """

    span: NumberSpan
    carrier: str
    account: str
    target: str
    emergency_callback_number: E164 | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """Calls to a number of ours go to another one of ours for the time being."""

    number: E164
    to: E164


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the program finds these files, its certificates, and keeps its sockets."""

    config: str
    run: str
    certificates: str


@dataclass(frozen=True, slots=True)
class Sbc:
    """One session border controller. `public` is its face towards Teams and Webex, over TLS.
    `advertised` is the address at which others reach it, where that is not the one it listens on.
    """

    name: str
    fqdn: str
    core: Endpoint
    call_control: Endpoint
    folders: Folders
    carriers: tuple[Trunk, ...]
    trunks: tuple[Trunk, ...] = ()
    numbers: tuple[NumberBlock, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    public: Endpoint | None = None
    advertised: str = ""
    teams: Teams | None = None
    phones: Phones | None = None
    services: DialledServices = dialled_services.GB
    verdict_milliseconds: int = 800
    outage_seconds: int = 600
    options_seconds: int = 30
    media: Endpoint | None = None
    children: int = 4

    @property
    def addresses(self) -> tuple[str, ...]:
        """The hosts of SIP addresses that numbers go to, each once."""
        targets = (block.target for block in self.numbers if block.target.startswith("sip:"))
        return tuple(sorted({target.partition("@")[2].partition(":")[0] for target in targets}))

    @property
    def emergency_carriers(self) -> tuple[Trunk, ...]:
        return tuple(carrier for carrier in self.carriers if carrier.takes_emergency)
