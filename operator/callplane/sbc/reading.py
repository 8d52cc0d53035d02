"""From what somebody wrote, a mapping as YAML gives it, to a checked `Sbc`, or all reasons why not.

All reasons are gathered, each with the path of its field, so that one look repairs a file. What
passes here renders to a configuration that starts: names and numbers that reach the text of the
configuration are held to narrow patterns, which is also why nothing can be injected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any, TypeVar

from callplane.numbering import dialled_services
from callplane.numbering.dialled_services import OUTSIDE_LINE, DialledServices
from callplane.sbc import checking
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
from callplane.sbc.problems import Problem
from callplane.values import E164, NumberSpan

Value = TypeVar("Value")

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
HOST_NAME = re.compile(
    r"(?=.{1,63}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+"
)
FOLDER = re.compile(r"/[A-Za-z0-9_./-]{0,200}")
SIP_ADDRESS = r"sip:[A-Za-z0-9][A-Za-z0-9._+-]{0,63}@[0-9]{1,3}(\.[0-9]{1,3}){3}(:[1-9][0-9]{0,4})?"
DIGEST = re.compile(r"[0-9a-f]{32}")
_MISSING: Any = object()


@dataclass
class _Fields:
    """One mapping that is read: what is asked for is taken out, what stays over is unknown."""

    values: dict[Any, Any]
    path: str
    problems: list[Problem]
    asked: set[str] = field(default_factory=set)

    def complain(self, name: str, message: str) -> None:
        self.problems.append(Problem(self.at(name), message))

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str, read: Callable[[Any], Value], default: Any = _MISSING) -> Any:
        """A value, or the default, or None after a complaint. `read` raises ValueError."""
        self.asked.add(name)
        value = self.values.get(name)
        if value is None:
            if default is _MISSING:
                self.complain(name, "is required")
                return None
            return default
        try:
            return read(value)
        except ValueError as error:
            self.complain(name, str(error))
            return None if default is _MISSING else default

    def mapping(self, name: str, *, required: bool = False) -> _Fields | None:
        self.asked.add(name)
        value = self.values.get(name)
        if value is None:
            if required:
                self.complain(name, "is required")
            return None
        return _fields(value, self.at(name), self.problems)

    def mappings(self, name: str) -> Iterator[_Fields]:
        self.asked.add(name)
        value = self.values.get(name)
        if value is None:
            return
        if not isinstance(value, list):
            self.complain(name, "must be a list")
            return
        for index, entry in enumerate(value):
            found = _fields(entry, f"{self.at(name)}[{index}]", self.problems)
            if found is not None:
                yield found

    def each(self, name: str, read: Callable[[Any], Value], *, least: int = 0) -> tuple[Value, ...]:
        """A list of plain values; the wrong ones are complained about one by one."""
        self.asked.add(name)
        value = self.values.get(name)
        entries: Sequence[Any] = value if isinstance(value, list) else []
        if value is not None and not isinstance(value, list):
            self.complain(name, "must be a list")
        elif len(entries) < least:
            self.complain(name, "is required" if value is None else "must not be empty")
        found = []
        for index, entry in enumerate(entries):
            try:
                found.append(read(entry))
            except ValueError as error:
                self.complain(f"{name}[{index}]", str(error))
        return tuple(found)

    def close(self) -> None:
        for name in self.values:
            if name not in self.asked:
                self.complain(str(name)[:64], "is no field here")


def _fields(value: Any, path: str, problems: list[Problem]) -> _Fields | None:
    if not isinstance(value, Mapping):
        problems.append(Problem(path, "must be a mapping"))
        return None
    return _Fields(dict(value), path, problems)


def read(values: Any) -> tuple[Sbc | None, tuple[Problem, ...]]:
    """The SBC, or the reasons why the values describe none; never both."""
    problems: list[Problem] = []
    top = _fields(values, "", problems)
    if top is None:
        return None, tuple(problems)
    settings = _settings(top)
    carriers = tuple(_trunk(entry, TrunkType.CARRIER) for entry in top.mappings("carriers"))
    trunks = tuple(_trunk(entry, None) for entry in top.mappings("trunks"))
    numbers = tuple(_block(entry) for entry in top.mappings("numbers"))
    redirects = tuple(_redirect(entry) for entry in top.mappings("redirects"))
    teams, phones = top.mapping("teams"), top.mapping("phones")
    parts: dict[str, Any] = {
        "carriers": carriers,
        "trunks": trunks,
        "numbers": numbers,
        "redirects": redirects,
        "teams": _teams(teams) if teams else None,
        "phones": _phones(phones) if phones else None,
    }
    top.close()
    if problems:
        return None, tuple(problems)
    sbc = Sbc(**settings, **parts)
    found = tuple(checking.problems(sbc))
    return (None, found) if found else (sbc, ())


def _settings(top: _Fields) -> dict[str, Any]:
    folders = top.mapping("folders", required=True)
    return {
        "name": top.take("name", _name),
        "fqdn": top.take("fqdn", _host_name),
        "core": top.take("core", _endpoint),
        "public": top.take("public", _endpoint, None),
        "advertised": top.take("advertised", _address, ""),
        "media": top.take("media", _endpoint, None),
        "call_control": top.take("callControl", _loopback, Endpoint("127.0.0.1", 8448)),
        "folders": _folders(folders) if folders else None,
        "services": _services(top),
        "verdict_milliseconds": top.take("verdictMilliseconds", _between(100, 5000), 800),
        "outage_seconds": top.take("outageSeconds", _between(0, 3600), 600),
        "options_seconds": top.take("optionsSeconds", _between(5, 300), 30),
        "children": top.take("children", _between(1, 64), 4),
    }


def _services(top: _Fields) -> DialledServices:
    country = top.take("country", _one_of(dialled_services.TABLES), "GB")
    table = dialled_services.TABLES[country]
    removed = top.each("servicesRemoved", _text)
    try:
        return table.without(removed)
    except ValueError as error:
        top.complain("servicesRemoved", str(error))
        return table


def _folders(entry: _Fields) -> Folders:
    made = Folders(
        config=entry.take("config", _folder),
        run=entry.take("run", _folder),
        certificates=entry.take("certificates", _folder, ""),
    )
    entry.close()
    return made


def _teams(entry: _Fields) -> Teams:
    hosts = []
    for host in entry.mappings("hosts"):
        hosts.append(NamedHost(host.take("name", _host_name), host.take("address", _endpoint)))
        host.close()
    if not hosts:
        entry.complain("hosts", "must not be empty")
    made = Teams(
        hosts=tuple(hosts),
        sources=entry.each("sources", _network, least=1),
        emergency_callback_number=entry.take("emergencyCallbackNumber", _number, None),
    )
    entry.close()
    return made


def _trunk(entry: _Fields, trunk_type: TrunkType | None) -> Trunk:
    if trunk_type is None:
        trunk_type = entry.take("type", _trunk_type)
    is_carrier = trunk_type is TrunkType.CARRIER
    made = Trunk(
        name=entry.take("name", _name),
        type=trunk_type or TrunkType.PBX,
        targets=entry.each("targets", _endpoint, least=1),
        sources=entry.each("sources", _network, least=1),
        answers_options=entry.take("answersOptions", _yes_or_no, False),
        takes_emergency=entry.take("takesEmergency", _yes_or_no, False) if is_carrier else False,
        outside_line="" if is_carrier else entry.take("outsideLine", _outside_line, ""),
        emergency_callback_number=(
            None if is_carrier else entry.take("emergencyCallbackNumber", _number, None)
        ),
    )
    entry.close()
    return made


def _phones(entry: _Fields) -> Phones:
    phones = []
    for phone in entry.mappings("users"):
        user = phone.take("user", _name)
        phones.append(Phone(user, phone.take("digest", _digest), phone.take("number", _number)))
        phone.close()
    made = Phones(
        listen=entry.take("listen", _endpoint),
        realm=entry.take("realm", _host_name),
        phones=tuple(phones),
        outside_line=entry.take("outsideLine", _outside_line, ""),
    )
    entry.close()
    return made


def _block(entry: _Fields) -> NumberBlock:
    first = entry.take("first", _number)
    last = entry.take("last", _number, first)
    # Whatever is complained about makes a block that is never used.
    span: Any = None
    if first and last:
        try:
            span = NumberSpan(first, last)
        except ValueError as error:
            entry.complain("last", str(error))
    made = NumberBlock(
        span=span,
        carrier=entry.take("carrier", _name),
        account=entry.take("account", _name),
        target=entry.take("target", _target),
        emergency_callback_number=entry.take("emergencyCallbackNumber", _number, None),
    )
    entry.close()
    return made


def _redirect(entry: _Fields) -> Redirect:
    made = Redirect(entry.take("number", _number), entry.take("to", _number))
    entry.close()
    return made


# Plain values. Each raises ValueError with the end of a sentence that begins with the field.


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text in quotes, not {type(value).__name__}")
    return value


def _matching(pattern: re.Pattern[str], form: str) -> Callable[[Any], str]:
    def read_text(value: Any) -> str:
        if not pattern.fullmatch(_text(value)):
            raise ValueError(f"must be {form}")
        return str(value)

    return read_text


_name = _matching(NAME, "a letter and up to 31 more letters, digits, - or _")
_host_name = _matching(HOST_NAME, "a host name in lower case with a dot, of at most 63 characters")
_folder = _matching(FOLDER, "the absolute path of a folder")
_digest = _matching(DIGEST, "32 hexadecimal digits: MD5 of user:realm:password")
_target = _matching(
    re.compile(f"(phone:)?{NAME.pattern}|{SIP_ADDRESS}"),
    "Teams, a trunk, phone:USER, or sip:USER@ADDRESS:PORT",
)
_outside_line = _matching(OUTSIDE_LINE, "at most three digits, in quotes")


def _number(value: Any) -> E164:
    try:
        return E164(_text(value))
    except ValueError:
        raise ValueError("must be a number in E.164, in quotes, as in +442079460001") from None


def _address(value: Any) -> str:
    try:
        return str(IPv4Address(_text(value)))
    except ValueError:
        raise ValueError("must be an IPv4 address, as in 192.0.2.1") from None


def _endpoint(value: Any) -> Endpoint:
    address, colon, port = _text(value).rpartition(":")
    try:
        if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
            raise ValueError
        return Endpoint(str(IPv4Address(address)), int(port))
    except ValueError:
        raise ValueError(
            "must be an IPv4 address and a port, as in 192.0.2.1:5060; names need a name server, "
            "which an emergency call must not wait for"
        ) from None


def _loopback(value: Any) -> Endpoint:
    endpoint = _endpoint(value)
    if not IPv4Address(endpoint.address).is_loopback:
        raise ValueError("must be a loopback address: this door knows no passwords")
    return endpoint


def _network(value: Any) -> IPv4Network:
    try:
        network = IPv4Network(_text(value))
    except ValueError:
        raise ValueError("must be an IPv4 network, as in 192.0.2.0/24") from None
    if network.prefixlen < 8:
        raise ValueError("is wider than /8: that is no peer")
    return network


def _between(least: int, most: int) -> Callable[[Any], int]:
    def read_number(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return read_number


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _one_of(known: Mapping[str, object]) -> Callable[[Any], str]:
    def read_choice(value: Any) -> str:
        if value not in known:
            raise ValueError(f"must be one of {', '.join(sorted(known))}")
        return str(value)

    return read_choice


def _trunk_type(value: Any) -> TrunkType:
    try:
        trunk_type = TrunkType(value)
    except ValueError:
        trunk_type = TrunkType.CARRIER
    if trunk_type is TrunkType.CARRIER:
        raise ValueError("must be Pbx or Webex")
    return trunk_type
