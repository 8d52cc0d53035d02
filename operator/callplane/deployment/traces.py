"""Where pods send traces: a ConfigMap that turns them on, and the way out to the collector.

Pods read these variables and no others from it, and start without it. So who may write a ConfigMap
in the namespace can lead traces elsewhere, and set nothing else of a process.
"""

from __future__ import annotations

import urllib.parse

from callplane.deployment.options import Body, Options, body

NAME = "callplane-traces"
#: Every pod of ours, whatever it runs.
LABELS = {"app.kubernetes.io/name": "callplane"}
#: Where the component of kustomize sends traces, until an overlay says otherwise.
SAMPLE_ENDPOINT = "http://otel-collector.observability.svc:4318"
VARIABLES = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "endpoint",
    "OTEL_TRACES_SAMPLER": "sampler",
    "OTEL_TRACES_SAMPLER_ARG": "sampler-argument",
}
#: Headers hold the collector's token, so they come from a Secret.
SECRET_VARIABLES = {"OTEL_EXPORTER_OTLP_HEADERS": "headers"}
PORTS = {"http": 80, "https": 443}


def environment() -> list[Body]:
    """What a container reads of the ConfigMap, and of the Secret of the same name."""
    return [
        *(_variable(name, "configMapKeyRef", key) for name, key in VARIABLES.items()),
        *(_variable(name, "secretKeyRef", key) for name, key in SECRET_VARIABLES.items()),
    ]


def told(options: Options) -> list[Body]:
    """The same by its values, for a pod of another namespace; nothing where nothing is traced."""
    values = _values(options)
    return [
        {"name": name, "value": values[key]} for name, key in VARIABLES.items() if key in values
    ]


def _values(options: Options) -> dict[str, str]:
    if not options.traces_endpoint:
        return {}
    return {
        "endpoint": options.traces_endpoint,
        "sampler": "parentbased_traceidratio",
        "sampler-argument": options.traces_ratio,
    }


def _variable(name: str, source: str, key: str) -> Body:
    return {"name": name, "valueFrom": {source: {"name": NAME, "key": key, "optional": True}}}


def objects(options: Options) -> list[Body]:
    """The ConfigMap and a way out for the pods; none where nothing is traced."""
    data = _values(options)
    if not data:
        return []
    parts = urllib.parse.urlsplit(options.traces_endpoint)
    port = parts.port or PORTS[parts.scheme]
    place = (NAME, options.namespace)
    found = [
        body("v1", "ConfigMap", *place, data=data),
        body(
            *("networking.k8s.io/v1", "NetworkPolicy", *place),
            spec={
                "podSelector": {"matchLabels": dict(LABELS)},
                "policyTypes": ["Egress"],
                "egress": [{"ports": [{"port": port, "protocol": "TCP"}]}],
            },
        ),
    ]
    for each in found:
        each["metadata"]["labels"] = dict(LABELS)
    return found
