"""Values of an SBC: everything that is wrong is said at once, and what passes describes one that
keeps its promises.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from callplane.sbc import checking, reading
from callplane.sbc.model import TrunkType


def values() -> dict[str, Any]:
    """The smallest SBC that is one."""
    return {
        "name": "london",
        "fqdn": "sbc1.callplane.example",
        "core": "192.0.2.10:5060",
        "folders": {"config": "/etc/callplane", "run": "/run/callplane"},
        "carriers": [
            {
                "name": "alpha",
                "targets": ["198.51.100.1:5060"],
                "sources": ["198.51.100.0/24"],
                "takesEmergency": True,
            }
        ],
        "trunks": [
            {
                "name": "branch",
                "type": "Pbx",
                "targets": ["192.0.2.65:5060"],
                "sources": ["192.0.2.65/32"],
            }
        ],
        "numbers": [
            {
                "first": "+442079460000",
                "last": "+442079460009",
                "carrier": "alpha",
                "account": "acme",
                "target": "branch",
            }
        ],
    }


def complaints(changed: Any) -> list[str]:
    sbc, problems = reading.read(changed)
    assert (sbc is None) == bool(problems)
    return [str(problem) for problem in problems]


def changed(path: str, value: Any) -> dict[str, Any]:
    """The smallest SBC with one field set, by a path of keys and indices."""
    made = copy.deepcopy(values())
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    entry: Any = made
    for step in steps:
        entry = entry[step]
    entry[last] = value
    return made


def test_the_smallest_sbc() -> None:
    sbc, problems = reading.read(values())
    assert problems == ()
    assert sbc is not None
    assert sbc.trunks[0].type is TrunkType.PBX
    assert str(sbc.call_control) == "127.0.0.1:8448"
    assert sbc.verdict_milliseconds == 800


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("name", "a b", "name must be a letter"),
        ("name", None, "name is required"),
        ("fqdn", "sbc", "fqdn must be a host name"),
        ("fqdn", f"{'a' * 60}.example", "fqdn must be a host name"),
        ("core", "sbc.example:5060", "core must be an IPv4 address"),
        ("core", "192.0.2.10:99999", "core must be an IPv4 address"),
        ("core", "192.0.2.10", "core must be an IPv4 address"),
        ("callControl", "192.0.2.1:8448", "callControl must be a loopback address"),
        ("verdictMilliseconds", 50, "verdictMilliseconds must be a whole number from 100"),
        ("verdictMilliseconds", True, "verdictMilliseconds must be a whole number from 100"),
        ("country", "XX", "country must be one of GB"),
        ("servicesRemoved", ["999"], "servicesRemoved 999 must stay reachable"),
        ("servicesRemoved", ["998"], "servicesRemoved no such service: 998"),
        ("servicesRemoved", "105", "servicesRemoved must be a list"),
        ("folders.config", "etc", "folders.config must be the absolute path"),
        ("folders", [], "folders must be a mapping"),
        ("database", "postgresql://", "database is no field here"),
        ("carriers", [], "carriers must not be empty: no call could leave"),
        ("carriers.0.takesEmergency", False, "carriers has none that takes emergency calls"),
        ("carriers.0.takesEmergency", "yes", "carriers[0].takesEmergency must be true or false"),
        ("carriers.0.outsideLine", "9", "carriers[0].outsideLine is no field here"),
        ("carriers.0.targets", ["sip.carrier.example"], "carriers[0].targets[0] must be an IPv4"),
        ("carriers.0.sources", [], "carriers[0].sources must not be empty"),
        ("carriers.0.sources", ["0.0.0.0/0"], "carriers[0].sources[0] is wider than /8"),
        ("trunks.0.sources", ["198.51.100.7/32"], "trunks[0].sources has 198.51.100.7/32, which"),
        ("trunks.0.name", "alpha", "trunks has the name alpha 2 times"),
        ("trunks.0.name", "Teams", "trunks must not be called Teams"),
        ("trunks.0.name", 'x"; exit; "', "trunks[0].name must be a letter"),
        ("trunks.0.type", "Carrier", "trunks[0].type must be Pbx or Webex"),
        ("trunks.0.type", "Webex", "public is required with trunks[0]"),
        ("trunks.0.outsideLine", "9876", "trunks[0].outsideLine must be at most three digits"),
        ("trunks.0.outsideLine", 9, "trunks[0].outsideLine must be text in quotes, not int"),
        ("numbers.0.first", "02079460000", "numbers[0].first must be a number in E.164"),
        ("numbers.0.first", 442079460000, "numbers[0].first must be a number in E.164"),
        ("numbers.0.last", "+441614960000", "numbers[0].last first +442079460000 is greater"),
        ("numbers.0.carrier", "bravo", "numbers[0].carrier names no carrier: bravo"),
        ("numbers.0.target", "attic", "numbers[0].target names nothing here: attic"),
        ("numbers.0.target", "Teams", "numbers[0].target names nothing here: Teams"),
        ("numbers.0.target", "phone:bob", "numbers[0].target names nothing here: phone:bob"),
        ("public", "192.0.2.10:5060", "public has port 5060, which another face has"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(path: str, value: Any, complaint: str) -> None:
    found = complaints(changed(path, value))
    assert any(line.startswith(complaint) for line in found), found


def test_everything_is_said_at_once() -> None:
    made = changed("core", "somewhere")
    made["numbers"][0]["first"] = "999"
    made["trunks"].append({"type": "Pbx"})
    made["phones"] = {"listen": "192.0.2.10:5080", "users": [{"user": "bob", "digest": "secret"}]}
    found = complaints(made)
    assert len(found) == 8
    assert "trunks[1].targets is required" in found
    assert "phones.users[0].number is required" in found
    # A digest is as secret as a password, a wrong one too.
    assert not any("secret" in line for line in found)


def test_numbers_that_overlap() -> None:
    made = values()
    made["numbers"].append({**made["numbers"][0], "first": "+442079460009"})
    made["numbers"].append({**made["numbers"][0], "first": "+442079460010"})
    assert complaints({**made, "numbers": made["numbers"][:2]}) != []
    del made["numbers"][1], made["numbers"][1]["last"]
    assert complaints(made) == []


def test_more_numbers_than_a_configuration_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "NUMBERS_MAX", 9)
    assert complaints(values()) == ["numbers has 10 numbers; at most 9 fit one SBC"]


def test_phones_are_users_of_their_own_name() -> None:
    user = {"user": "bob", "digest": "0" * 32, "number": "+442079460005"}
    phones = {"listen": "192.0.2.10:5080", "realm": "sbc1.callplane.example", "users": [user, user]}
    assert complaints({**values(), "phones": phones}) == ["phones.users has the user bob 2 times"]
    phones["users"] = [{**user, "user": "branch"}]
    assert complaints({**values(), "phones": phones}) == [
        "phones.users has the user branch, which is the name of a trunk"
    ]


@pytest.mark.parametrize("thing", [None, [], "text", 5])
def test_a_file_that_is_no_mapping(thing: Any) -> None:
    assert complaints(thing) == ["the file must be a mapping"]


@pytest.mark.parametrize("thing", [5, "text", {"a": 1}, [5], ["x"], [[]], [{}], [None]])
@pytest.mark.parametrize("name", ["carriers", "trunks", "numbers", "teams", "phones", "folders"])
def test_nothing_that_yaml_can_hold_breaks_the_reader(name: str, thing: Any) -> None:
    assert complaints({**values(), name: thing}) != []
