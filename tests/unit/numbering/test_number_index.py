"""A number finds every object that holds it, as a look through all of them would."""

from __future__ import annotations

import random
from typing import Any

import pytest

from callplane.apis.model import Resource
from callplane.apis.number_ranges import NumberRange
from callplane.apis.phone_numbers import PhoneNumber
from callplane.engine.object_cache import ObjectCache
from callplane.numbering.number_index import NumberIndex
from callplane.testing.planning_builders import declared, manifest, number
from callplane.values import E164, ObjectKey

Objects = list[tuple[ObjectKey, Resource | None]]


def holder(kind: str, name: str, **spec: Any) -> tuple[ObjectKey, Resource | None]:
    found = declared(manifest(kind, name, {"route": "DirectRouting", **spec}, namespace="a"))
    return found.key, found.resource


def block(name: str, first: int, last: int) -> tuple[ObjectKey, Resource | None]:
    return holder("NumberRange", name, first=number(first).text, last=number(last).text)


def brute_force(objects: Objects, wanted: E164) -> list[ObjectKey]:
    found = []
    for key, resource in objects:
        if isinstance(resource, PhoneNumber) and resource.spec.e164 == wanted.text:
            found.append(key)
        if isinstance(resource, NumberRange) and any(wanted in s for s in resource.spec.spans):
            found.append(key)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_it_finds_what_a_look_through_all_finds(seed: int) -> None:
    chance = random.Random(seed)
    objects: Objects = []
    for index in range(30):
        name, first = f"o-{index}", chance.randrange(200)
        match chance.randrange(3):
            case 0:
                objects.append(holder("PhoneNumber", name, e164=number(first).text))
            case 1:
                listed = sorted({number(chance.randrange(200)).text for _ in range(8)})
                objects.append(holder("NumberRange", name, numbers=listed))
            case _:
                # Overlaps happen: nobody may be lost before somebody corrects them.
                objects.append(block(name, first, min(first + chance.randrange(80), 199)))
    index_of_all = NumberIndex(resource for _, resource in objects)
    for each in range(200):
        found = [objects[place][0] for place in index_of_all.holding(number(each))]
        assert found == brute_force(objects, number(each))
    assert index_of_all.holding(E164("+12025550100")) == []


def test_an_object_that_cannot_be_read_holds_nothing() -> None:
    assert NumberIndex([None]).holding(number(1)) == []


def body(name: str, last: int, *, version: int, generation: int) -> dict[str, Any]:
    spec = {"first": number(0).text, "last": number(last).text, "route": "DirectRouting"}
    found = manifest("NumberRange", name, spec, namespace="a")
    found["metadata"] |= {
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "generation": generation,
    }
    return found


def test_the_cache_follows_edits_and_deletions() -> None:
    cache = ObjectCache()
    key = ObjectKey("NumberRange", "a", "london")
    cache.put(key, body("london", 5, version=1, generation=1))
    assert [found.key for found in cache.holding(number(5))] == [key]
    assert cache.holding(number(6)) == []
    cache.put(key, body("london", 6, version=2, generation=2))
    assert [found.key for found in cache.holding(number(6))] == [key]
    status = body("london", 6, version=3, generation=2)
    status["status"] = {"free": 3}
    cache.put(key, status)
    assert cache.holding(number(6))[0].status == {"free": 3}
    cache.remove(key)
    assert cache.holding(number(6)) == []
