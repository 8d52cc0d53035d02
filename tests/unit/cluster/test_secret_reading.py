"""Reading one key of one Secret; the value shows itself to nobody who did not ask."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from callplane.cluster import api_errors
from callplane.cluster.secret_reading import (
    ClusterSecrets,
    SecretFound,
    SecretKeyMissing,
    SecretMissing,
    SecretValue,
)
from callplane.testing.fake_cluster import FakeCluster, Fault

HUSH = "hush-hush"


def secret(**data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": "default", "name": "graph"},
        "stringData": data,
    }


async def test_a_value_comes_with_the_version_it_was_read_at() -> None:
    cluster = FakeCluster()
    [stored] = cluster.seed(secret(key=f" {HUSH}\n"))
    reading = await ClusterSecrets(cluster).read(namespace="default", name="graph", key="key")
    assert isinstance(reading, SecretFound)
    assert reading.value.reveal() == f" {HUSH}\n".encode()
    assert reading.value.reveal_text() == HUSH
    assert reading.resource_version == stored["metadata"]["resourceVersion"]
    assert reading.uid == stored["metadata"]["uid"]
    assert [request.verb for request in cluster.requests] == ["get"]


async def test_missing_secret_missing_key_and_empty_key_are_told_apart() -> None:
    cluster = FakeCluster()
    secrets = ClusterSecrets(cluster)
    nothing = await secrets.read(namespace="default", name="graph", key="key")
    assert nothing == SecretMissing("default", "graph")
    [stored] = cluster.seed(secret(other=HUSH, empty=""))
    version = stored["metadata"]["resourceVersion"]
    for key in ("key", "empty"):
        reading = await secrets.read(namespace="default", name="graph", key=key)
        assert reading == SecretKeyMissing("default", "graph", key, version)


async def test_what_may_not_be_read_is_an_error_and_not_a_missing_secret() -> None:
    cluster = FakeCluster()
    cluster.seed(secret(key=HUSH))
    cluster.faults.append(Fault(api_errors.Forbidden("no")))
    with pytest.raises(api_errors.Forbidden):
        await ClusterSecrets(cluster).read(namespace="default", name="graph", key="key")


def test_the_value_does_not_print_itself() -> None:
    value = SecretValue(HUSH.encode())
    found = SecretFound(value, "1", "uid")
    for text in (repr(value), str(value), f"{value}", f"{found}", repr([found]), f"{value!r:>20}"):
        assert HUSH not in text


def test_a_value_that_is_no_text_says_so_without_showing_it() -> None:
    with pytest.raises(ValueError, match="not UTF-8") as caught:
        SecretValue(b"\xff" + HUSH.encode()).reveal_text()
    assert HUSH not in "".join(traceback.format_exception(caught.value))


def test_the_value_compares_by_content() -> None:
    assert SecretValue(b"a") == SecretValue(b"a")
    assert SecretValue(b"a") != SecretValue(b"b")
