"""SBCs for tests, all on loopback. Each peer has an address of its own: 127.0.0.3 and on.

Ports lie below the ephemeral range and are free when they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network

from callplane.sandbox import ports
from callplane.sbc.model import (
    Endpoint,
    Folders,
    NamedHost,
    NumberBlock,
    Phone,
    Phones,
    Redirect,
    Sbc,
    Teams,
    Trunk,
    TrunkType,
)
from callplane.values import E164, NumberSpan

ALPHA, BRAVO, CHARLIE = "127.0.0.3", "127.0.0.4", "127.0.0.9"
#: PBXes by what their callers dial for an outside line.
PBXES = {"": "127.0.0.5", "9": "127.0.0.6", "0": "127.0.0.7", "81": "127.0.0.8"}
TEAMS = ("127.0.0.21", "127.0.0.22")
WEBEX = "127.0.0.23"
#: Where a service at a SIP address is.
SERVICE = "127.0.0.24"
STRANGER = "127.0.0.66"
OWN = NumberSpan(E164("+442079460000"), E164("+442079460009"))
IN_TEAMS = NumberSpan(E164("+442079460200"), E164("+442079460209"))
DESK = E164("+442079460300")
#: Its holder has left, and the desk answers.
LEAVER = E164("+442079460006")
SWITCHBOARD = E164("+442079460000")
#: How long an SBC waits for a verdict in production.
VERDICT_MILLISECONDS = 800
#: The same where nobody is silent on purpose: as long as a machine that is busy may need to answer.
PATIENT_MILLISECONDS = 2500
#: Of the phones in tests.
PASSWORD = "a sample password"


@dataclass(frozen=True, slots=True)
class LoopbackPorts:
    """The ports of one SBC and of all its peers."""

    core: int
    phones: int
    call_control: int
    public: int
    peers: int
    media: int

    @classmethod
    def free(cls) -> LoopbackPorts:
        return cls(*ports.free(6))


@dataclass(frozen=True, slots=True)
class LoopbackSbc:
    """An SBC with two carriers that take emergency calls and one that does not, and four PBXes."""

    ports: LoopbackPorts = field(default_factory=LoopbackPorts.free)
    phones: tuple[Phone, ...] = ()
    teams: bool = False
    media: bool = False
    webex: bool = False
    #: Carriers are looked after by OPTIONS.
    probed: bool = False
    #: So are PBXes.
    probed_trunks: bool = False
    verdict_milliseconds: int = VERDICT_MILLISECONDS

    def sbc(self) -> Sbc:
        return Sbc(
            name="london",
            fqdn="sbc1.callplane.example",
            core=Endpoint("127.0.0.1", self.ports.core),
            call_control=Endpoint("127.0.0.1", self.ports.call_control),
            folders=Folders("/etc/callplane", "/run/callplane", "/etc/callplane/tls"),
            carriers=(
                self.trunk("alpha", TrunkType.CARRIER, ALPHA, takes_emergency=True),
                self.trunk("bravo", TrunkType.CARRIER, BRAVO, takes_emergency=True),
                self.trunk("charlie", TrunkType.CARRIER, CHARLIE),
            ),
            trunks=(
                *(
                    self.trunk(f"pbx{line}", TrunkType.PBX, address, outside_line=line)
                    for line, address in PBXES.items()
                ),
                *([self.trunk("webex", TrunkType.WEBEX, WEBEX)] if self.webex else []),
            ),
            numbers=(
                NumberBlock(OWN, "bravo", "acme", "pbx"),
                NumberBlock(
                    NumberSpan(DESK, DESK),
                    "bravo",
                    "acme",
                    f"sip:desk@{SERVICE}:{self.ports.peers}",
                ),
                *([NumberBlock(IN_TEAMS, "alpha", "acme", "Teams")] if self.teams else []),
                *(
                    NumberBlock(
                        NumberSpan(phone.number, phone.number),
                        "alpha",
                        "acme",
                        f"phone:{phone.user}",
                    )
                    for phone in self.phones
                ),
            ),
            redirects=(Redirect(LEAVER, DESK),),
            phones=self._phones(),
            teams=self._teams(),
            public=self._public(),
            media=Endpoint("127.0.0.1", self.ports.media) if self.media else None,
            options_seconds=5,
            verdict_milliseconds=self.verdict_milliseconds,
        )

    def trunk(
        self,
        name: str,
        trunk_type: TrunkType,
        address: str,
        *,
        takes_emergency: bool = False,
        outside_line: str = "",
    ) -> Trunk:
        is_carrier = trunk_type is TrunkType.CARRIER
        return Trunk(
            name=name,
            type=trunk_type,
            targets=(Endpoint(address, self.ports.peers),),
            sources=(IPv4Network(f"{address}/32"),),
            answers_options=self.probed if is_carrier else self.probed_trunks,
            takes_emergency=takes_emergency,
            outside_line=outside_line,
            # The last PBX has none: what its callers send is all there is.
            emergency_callback_number=(None if is_carrier or outside_line == "81" else SWITCHBOARD),
        )

    def _teams(self) -> Teams | None:
        if not self.teams:
            return None
        hosts = tuple(
            NamedHost(f"sip{number}.pstnhub.callplane.example", Endpoint(address, self.ports.peers))
            for number, address in enumerate(TEAMS, start=1)
        )
        sources = tuple(IPv4Network(f"{address}/32") for address in TEAMS)
        return Teams(hosts, sources, emergency_callback_number=SWITCHBOARD)

    def _public(self) -> Endpoint | None:
        return Endpoint("127.0.0.1", self.ports.public) if self.teams or self.webex else None

    def _phones(self) -> Phones | None:
        if not self.phones:
            return None
        listen = Endpoint("127.0.0.1", self.ports.phones)
        return Phones(listen, "sbc1.callplane.example", self.phones)

    @property
    def core(self) -> tuple[str, int]:
        return ("127.0.0.1", self.ports.core)
