"""Metrics of the admin API: names here, numbers from whoever calls.

None carries a telephone number, a name of somebody or a namespace.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from callplane.server.problems import Refusal
from callplane.telemetry import certificate_ends, certificate_gauge

#: The name of the API's own certificate.
CERTIFICATE = "admin-api"


class ApiMetrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "callplane_api_requests_total",
            "Requests to the admin API by route and status.",
            ["route", "status"],
            registry=registry,
        )
        self.seconds = Histogram(
            "callplane_api_request_seconds",
            "Time from a request to its answer, reviews included.",
            registry=registry,
        )
        self.refusals = Counter(
            "callplane_api_refusals_total",
            "Requests that were turned away, by reason.",
            ["reason"],
            registry=registry,
        )
        for reason in Refusal:
            self.refusals.labels(reason.value)
        self.unreviewed = Counter(
            "callplane_api_unreviewed_total",
            "Requests that failed because nobody could say who asks or what they may do.",
            registry=registry,
        )
        self._certificates = certificate_gauge(registry)

    def certificate(self, chain: bytes) -> None:
        """Which certificate the API answers with."""
        self._certificates.labels(CERTIFICATE).set(certificate_ends(chain))
