"""All files of one session border controller, from its values. Same values, same bytes.

`kamailio.cfg` holds the logic and is the same text for everybody but for its settings; the files
beside it hold data. No file holds the address of a database: the program must start without one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import resources

from callplane.numbering import destinations, plan_table
from callplane.numbering.destinations import DestinationClass
from callplane.numbering.dialled_services import ServiceClass
from callplane.sbc import peers
from callplane.sbc.model import Endpoint, Sbc, TrunkType

#: A call without a grant has no end of its own: a year is for ever.
LONGEST_SECONDS = 31_536_000
#: How long after its start an SBC still relays what belongs to calls that it does not know: as long
#: as a call that somebody pays for may be.
UNKNOWN_SECONDS = 14_400
#: How long an emergency leg waits for any answer of a carrier before the next is tried.
EMERGENCY_TRY_MILLISECONDS = 3000
#: How long one that took it may be without ringing or other progress, while there is a next one.
EMERGENCY_PROGRESS_MILLISECONDS = 8000
RING_MILLISECONDS = 120_000
#: Whoever rings on tells of it again and again, which begins that time anew; this is the end of it.
INVITE_MILLISECONDS = 180_000
#: Messages that call control may leave unread before it is no longer sent any. Kamailio's workers
#: hand each message to another process of theirs through a socket that holds 278 before it makes a
#: worker wait (measured, Linux with its usual buffers); that process may wait as long as it likes.
PENDING_MAX = 256

#: What a call record holds, beside times and duration. `parse` of the spool reads the same names.
RECORD_FIELDS = ("attempt", "class", "account", "caller", "dialled", "ingress", "reservation")

#: Programs that look for doors. They get no answer, not even a challenge.
SCANNERS = (
    "friendly-scanner|sipvicious|sipsak|sundayddr|iWar|sip-scan|sipcli|VaxSIPUserAgent|pplsip"
)

#: What a bundle covers as a rule; calls to other classes never go out while nobody can be asked.
_BUNDLED = frozenset(
    {DestinationClass.GEOGRAPHIC, DestinationClass.UK_WIDE, DestinationClass.MOBILE}
)

_PLACE = re.compile(r"@([A-Z_]+)@")


def render(sbc: Sbc) -> dict[str, str]:
    """The files by name. `phones.cfg` holds secrets and is there when phones are."""
    files = {
        "kamailio.cfg": kamailio_cfg(sbc),
        "services.cfg": services_cfg(sbc),
        "peers.cfg": peers_cfg(sbc),
        "numbers.cfg": numbers_cfg(sbc),
        "dispatcher.list": peers.dispatcher_list(sbc),
        "address.list": peers.address_list(sbc),
    }
    if sbc.public:
        files["tls.cfg"] = tls_cfg(sbc)
    if sbc.phones:
        files["phones.cfg"] = phones_cfg(sbc)
    return files


def kamailio_cfg(sbc: Sbc) -> str:
    """The logic with the settings of this estate."""
    template = resources.files("callplane.sbc").joinpath("kamailio.cfg").read_text("utf-8")
    return filled(template, _settings(sbc))


def filled(template: str, settings: Mapping[str, str]) -> str:
    """The template with every place filled. Raises KeyError for a place without a setting."""
    return _PLACE.sub(lambda found: settings[found[1]], template)


def _settings(sbc: Sbc) -> dict[str, str]:
    plan = plan_table.PLANS[sbc.services.country]
    code = plan.calling_code
    national = {
        prefix.removeprefix(code): kind
        for prefix, kind in destinations.CLASSES.items()
        if prefix.startswith(code) and prefix != code
    }
    bundled = [prefix for prefix, kind in national.items() if kind in _BUNDLED]
    others = [prefix for prefix, kind in national.items() if kind not in _BUNDLED]
    before = f"([+]{plan.calling_code}|00{plan.calling_code}|0)"
    public, phones = sbc.public, sbc.phones
    webex = [trunk.targets[0].port for trunk in sbc.trunks if trunk.type is TrunkType.WEBEX]
    return {
        "NAME": sbc.name,
        "FQDN": sbc.fqdn,
        "DEFINES": "\n".join(f"#!define {name}" for name in defines(sbc)),
        "CHILDREN": str(sbc.children),
        "CORE": str(sbc.core),
        "CORE_ADVERTISED": _advertised(sbc, sbc.core),
        "CORE_SEEN": f"{sbc.advertised}:{sbc.core.port}" if sbc.advertised else str(sbc.core),
        "PUBLIC": str(public or ""),
        "PUBLIC_PORT": str(public.port if public else 0),
        "PHONES": str(phones.listen if phones else ""),
        "PHONES_ADVERTISED": _advertised(sbc, phones.listen) if phones else "",
        "PHONES_PORT": str(phones.listen.port if phones else 0),
        "REALM": phones.realm if phones else "",
        "SCANNERS": SCANNERS,
        "CALLCONTROL": str(sbc.call_control),
        "CONFIG": sbc.folders.config,
        "RUN": sbc.folders.run,
        "MEDIA": str(sbc.media or ""),
        "RECORD": ";".join(f"{name}=$dlg_var({name})" for name in RECORD_FIELDS),
        "LONGEST": str(LONGEST_SECONDS),
        "UNKNOWN_SECONDS": str(UNKNOWN_SECONDS),
        "RING": str(RING_MILLISECONDS),
        "INVITE": str(INVITE_MILLISECONDS),
        "EMERGENCY_TRY": str(EMERGENCY_TRY_MILLISECONDS),
        "EMERGENCY_PROGRESS": str(EMERGENCY_PROGRESS_MILLISECONDS),
        "VERDICT": str(sbc.verdict_milliseconds),
        "OUTAGE_SECONDS": str(sbc.outage_seconds),
        "OPTIONS_SECONDS": str(sbc.options_seconds),
        "CALLING_CODE": plan.calling_code,
        "BUNDLED": f"^{before}({'|'.join(bundled)})[0-9]+$",
        "NOT_BUNDLED": f"^{before}({'|'.join(others)})",
        "CARRIER_SET": str(peers.CARRIER_SET),
        "EMERGENCY_SET": str(peers.EMERGENCY_SET),
        "EXEMPT_SET": str(peers.EXEMPT_SET),
        "UNPROBED": str(peers.UNPROBED),
        "PENDING_MAX": str(PENDING_MAX),
        "TEAMS_PORT": str(sbc.teams.hosts[0].endpoint.port if sbc.teams else 0),
        "WEBEX_PORT": str(webex[0] if webex else 0),
    }


def _advertised(sbc: Sbc, face: Endpoint) -> str:
    """What Kamailio writes of itself instead of where it listens; nothing where that is the same.

    Its face over TLS shows the name of its certificate and needs none.
    """
    return f" advertise {sbc.advertised}:{face.port}" if sbc.advertised else ""


def defines(sbc: Sbc) -> Iterator[str]:
    """The parts of the logic that this estate has."""
    for name, wanted in (
        ("WITH_TLS", sbc.public),
        ("WITH_PHONES", sbc.phones),
        ("WITH_MEDIA", sbc.media),
    ):
        if wanted:
            yield name


def services_cfg(sbc: Sbc) -> str:
    """Emergency and exempt services as patterns, generated from the one table. Callers of some
    peers dial a digit for an outside line first.
    """
    lines = {trunk.name: trunk.outside_line for trunk in sbc.trunks if trunk.outside_line}
    text = [
        "# in: $var(dialled) $ru $avp(peer) $var(kind)",
        '# out: $var(service) "emergency", "exempt" or "", and $var(number)',
        "route[SERVICE_OF] {",
        f'  if ($ru =~ "{URN}") {{',
        f'    $var(service) = "emergency"; $var(number) = "{sbc.services.urn_code}"; return(1);',
        "  }",
    ]
    if sbc.phones and sbc.phones.outside_line:
        text += _match(sbc, "$var(kind) == 5", sbc.phones.outside_line)
    for peer, line in sorted(lines.items()):
        text += _match(sbc, f'$avp(peer) == "{peer}"', line)
    text += _match(sbc, "", "")
    text += ["  return(1);", "}", *_without_line(sbc, lines)]
    return "\n".join(text) + "\n"


def _without_line(sbc: Sbc, lines: Mapping[str, str]) -> Iterator[str]:
    """What follows the digit for an outside line, where a number follows it."""
    conditions = {f'$avp(peer) == "{peer}"': line for peer, line in sorted(lines.items())}
    if sbc.phones and sbc.phones.outside_line:
        conditions["$var(kind) == 5"] = sbc.phones.outside_line
    yield "# in and out: $var(dialled) $avp(dialled)"
    yield "route[WITHOUT_LINE] {"
    for condition, line in conditions.items():
        yield f'  if ({condition} && $var(dialled) =~ "^{line}[01+]") {{'
        yield f"    $avp(dialled) = $(avp(dialled){{s.substr,{len(line)},0}});"
        yield "    $var(dialled) = $avp(dialled);"
        yield "  }"
    yield "  return(1);"
    yield "}"


#: RFC 5031; Kamailio compares without regard to case.
URN = "^urn:service:sos([.][a-z0-9-]+)*$"


def _match(sbc: Sbc, condition: str, outside_line: str) -> Iterator[str]:
    for service_class in ServiceClass:
        pattern = sbc.services.pattern(service_class, outside_line=outside_line)
        found = f'$var(dialled) =~ "{pattern}"'
        yield f"  if ({condition} && {found}) {{" if condition else f"  if ({found}) {{"
        yield f'    $var(service) = "{service_class.value.lower()}";'
        yield f"    $var(number) = $(var(dialled){{re.subst,/{pattern}/\\2/}});"
        yield "    return(1);"
        yield "  }"


def peers_cfg(sbc: Sbc) -> str:
    """What is known of peers, set when the program starts: this run's id, callback numbers."""
    text = ["event_route[htable:mod-init] {", "  $sht(boot=>id) = $uuid(g);"]
    callbacks = {trunk.name: trunk.emergency_callback_number for trunk in sbc.trunks}
    if sbc.teams:
        callbacks[peers.TEAMS_PEER] = sbc.teams.emergency_callback_number
    for peer, number in sorted(callbacks.items()):
        if number:
            text.append(f'  $sht(callback=>{peer}) = "{number}";')
    text.append("  route(NUMBERS);")
    if sbc.phones:
        text.append("  route(PHONES);")
    return "\n".join((*text, "}")) + "\n"


def numbers_cfg(sbc: Sbc) -> str:
    """Where calls to our numbers go, who pays and who carries them."""
    text = ["route[NUMBERS] {"]
    for block in sbc.numbers:
        target = peers.set_of(sbc, block.target)
        holder = peers.holder_index(sbc, block.carrier)
        for number in block.span:
            text.append(f'  $sht(inbound=>{number}) = "{target}";')
            text.append(f'  $sht(account=>{number}) = "{block.account}";')
            text.append(f"  $sht(holder=>{number}) = {holder};")
            if block.emergency_callback_number:
                text.append(f'  $sht(callback=>{number}) = "{block.emergency_callback_number}";')
    text += [f'  $sht(redirect=>{each.number}) = "{each.to}";' for each in sbc.redirects]
    return "\n".join((*text, "  return(1);", "}")) + "\n"


def phones_cfg(sbc: Sbc) -> str:
    """Phones and their digests: as secret as passwords."""
    text = ["route[PHONES] {"]
    for phone in sbc.phones.phones if sbc.phones else ():
        text.append(f'  $sht(digest=>{phone.user}) = "{phone.digest}";')
        text.append(f'  $sht(phone=>{phone.user}) = "{phone.number}";')
    return "\n".join((*text, "  return(1);", "}")) + "\n"


def tls_cfg(sbc: Sbc) -> str:
    """TLS on the public face. Platforms' certificates may be for servers only, which a server that
    verifies its clients refuses: the list of source addresses says who they are.
    """
    folder = sbc.folders.certificates
    common = (
        "method = TLSv1.2+",
        f"private_key = {folder}/tls.key",
        f"certificate = {folder}/tls.crt",
        f"ca_list = {folder}/ca.pem",
    )
    return "\n".join(
        (
            "[server:default]",
            *common,
            "verify_client = optional_no_ca",
            "",
            "[client:default]",
            *common,
            "verify_certificate = yes",
            "require_certificate = yes",
            "",
        )
    )
