"""Settings that would let somebody listen, or anybody in, are refused before anything starts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from callplane.cluster.api_errors import Unavailable
from callplane.errors import CallplaneError
from callplane.server.issuer_tokens import ByIssuer
from callplane.server.metrics import ApiMetrics
from callplane.server.ports import AccessUnavailable
from callplane.settings import ApiSettings
from callplane.testing.readiness_watch import ReadinessWatch
from callplane.wiring import api_process
from callplane.wiring.api_process import Here

GOOD = {"database_url": "postgresql://reader@db/callplane"}
#: Nobody listens at these.
NOWHERE = "postgresql://reader@127.0.0.1:9/nothing"
NO_CLUSTER = """
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
clusters: [{name: nowhere, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: nobody, user: {token: none}}]
"""


def settings(**fields: Any) -> ApiSettings:
    return ApiSettings.model_validate({**GOOD, **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"api_host": "127.0.0.1"},
        {"api_host": "::1"},
        {"api_host": "localhost"},
        {"api_host": "0.0.0.0", "tls_certificate": "/c", "tls_key": "/k"},
        {"oidc_issuer": "https://login.example.com"},
    ],
)
def test_settings_that_may_be(fields: dict[str, Any]) -> None:
    api_process.check(settings(**fields))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"database_url": ""}, "DATABASE_URL is not set"),
        ({"api_host": "0.0.0.0"}, "without a certificate only loopback"),
        ({"api_host": "10.0.0.1"}, "without a certificate only loopback"),
        ({"api_host": "api.example.com"}, "without a certificate only loopback"),
        ({"tls_certificate": "/c"}, "belong together"),
        ({"tls_key": "/k"}, "belong together"),
        ({"oidc_issuer": "http://login.example.com"}, "is no issuer"),
        ({"oidc_issuer": "https://x.example", "oidc_algorithms": ["none"]}, "algorithms"),
        ({"oidc_issuer": "https://x.example", "oidc_prefix": "system:"}, "prefix"),
    ],
)
def test_settings_that_may_not_be(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(CallplaneError, match=said):
        api_process.check(settings(**fields))


def test_all_reasons_are_said_at_once() -> None:
    with pytest.raises(CallplaneError, match=r"DATABASE_URL.*; .*TLS.*; .*API_HOST"):
        api_process.check(settings(database_url="", tls_key="/k", api_host="0.0.0.0"))


def test_the_environment_is_read() -> None:
    found = ApiSettings.from_environment(
        {
            "CALLPLANE_DATABASE_URL": "postgresql://x",
            "CALLPLANE_OIDC_ALGORITHMS": "ES256,EdDSA",
            "CALLPLANE_SHOW_NUMBERS": "true",
            "CALLPLANE_SBCS": "of another process",
        }
    )
    assert found.oidc_algorithms == ("ES256", "EdDSA")
    assert found.show_numbers is True
    assert found.audience == "callplane-api"


def test_a_missing_certificate_means_loopback_and_a_named_host_means_the_certificate(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    named = {"tls_certificate": str(tmp_path / "c"), "tls_key": str(tmp_path / "k")}
    metrics = ApiMetrics()
    assert api_process._certificate(settings(), metrics) is None
    assert api_process._certificate(settings(**named), metrics) is None
    assert "answering on loopback only" in caplog.text
    with pytest.raises(CallplaneError, match="No such file"):
        api_process._certificate(settings(**named, api_host="0.0.0.0"), metrics)
    # Half a pair is a mistake and no missing one.
    (tmp_path / "c").write_text("x")
    with pytest.raises(CallplaneError, match="No such file"):
        api_process._certificate(settings(**named), metrics)


def test_events_need_a_pod_that_is_named_whole() -> None:
    pod = {"pod_name": "api-1", "pod_uid": "uid-1", "namespace": "callplane-system"}
    found = api_process._pod(settings(**pod))
    assert found is not None
    assert (found.kind, found.namespace, found.name) == ("Pod", "callplane-system", "api-1")
    for left_out in pod:
        assert api_process._pod(settings(**{**pod, left_out: ""})) is None


def test_the_issuer_is_asked_only_where_there_is_one() -> None:
    access: Any = object()
    clock: Any = object()
    assert api_process._tokens(settings(), access, clock) is access
    both = api_process._tokens(settings(oidc_issuer="https://x.example"), access, clock)
    assert isinstance(both, ByIssuer)
    assert both.of_cluster is access


async def test_which_cluster_this_is_is_asked_until_somebody_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: list[Any] = [Unavailable("away"), "cluster-1"]

    async def asked(objects: Any) -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    monkeypatch.setattr(api_process, "installation_id", asked)
    monkeypatch.setattr(api_process, "RETRY_SECONDS", 0.0)
    here = Here("")
    with pytest.raises(AccessUnavailable):
        here.installation()
    objects: Any = None
    await here.learn(objects)
    assert here.installation() == "cluster-1"
    assert Here("stated").installation() == "stated"


async def test_it_is_ready_only_once_its_port_listens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    watch = ReadinessWatch.over(api_process, monkeypatch)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(NO_CLUSTER)
    chosen = settings(
        database_url=NOWHERE, api_port=watch.endpoint_port, probe_port=watch.probe_port
    )
    running = asyncio.create_task(api_process._run(chosen, kubeconfig))
    try:
        # Neither database nor API server is there, and its answers say so: it is ready.
        await watch.until("ok")
        assert watch.before == ["not answering yet"]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
