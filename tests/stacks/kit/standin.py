"""A stand-in for the Kubernetes provider's plugin: server-side apply to a real API server.

The engine starts it as `pulumi-resource-kubernetes` and speaks to it by gRPC. The real plugin
cannot be had without a network; users' machines run that one, and nothing in `stacks/` knows of
this. It waits for no rollout, takes names as they are given, and forces its field ownership.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
import yaml
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as pb

from kubernetes import client, config, dynamic

Body = dict[str, Any]
MANAGER = "pulumi-standin"
WAIT_SECONDS = 240.0
#: Kinds that hold data, by the setting of the real plugin that lets them be changed in place.
HOLDING = {"ConfigMap": "enableConfigMapMutable", "Secret": "enableSecretMutable"}
#: Fields that change by themselves.
NOISE = ("managedFields", "resourceVersion", "generation")


def marked(value: Any) -> Any:
    """From the wire; secrets stay wrapped, whole doubles become integers."""
    if isinstance(value, struct_pb2.Struct):
        return {key: marked(value[key]) for key in value}
    if isinstance(value, struct_pb2.ListValue):
        return [marked(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def bare(value: Any) -> Any:
    """The same without wrappers: what the API server gets."""
    value = rpc.unwrap_rpc_secret(value)
    if isinstance(value, dict):
        return {key: bare(each) for key, each in value.items()}
    return [bare(each) for each in value] if isinstance(value, list) else value


def seal(out: Any, given: Any) -> Any:
    """Copy the inputs' marks of secrets, path by path, on to an answer."""
    if rpc.is_rpc_secret(given):
        return rpc.wrap_rpc_secret(out)
    if isinstance(out, dict) and isinstance(given, dict):
        return {key: seal(each, given.get(key)) for key, each in out.items()}
    if isinstance(out, list) and isinstance(given, list):
        return [*map(seal, out, given + [None] * (len(out) - len(given)))]
    return out


def tidy(body: Body) -> Body:
    """An object without what changes by itself."""
    metadata = {key: each for key, each in body.get("metadata", {}).items() if key not in NOISE}
    return {**body, "metadata": metadata}


def wire(body: Body, given: Any) -> struct_pb2.Struct:
    """An object as the engine keeps it. The server turns a Secret's texts into data: seal both."""
    out = seal(tidy(body), given)
    if out.get("kind") == "Secret":
        for key in ("data", "stringData"):
            if key in out:
                out[key] = rpc.wrap_rpc_secret(bare(out[key]))
    struct = struct_pb2.Struct()
    struct.update(out)
    return struct


def ours(wanted: Any, live: Any) -> Any:
    """The fields that were declared, with the values the server holds now."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return {key: ours(each, live[key]) for key, each in wanted.items() if key in live}
    if isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        return [*map(ours, wanted, live)]
    return live


def identity(body: Body, mutable: frozenset[str]) -> tuple[Any, ...]:
    """What the server will not change in place; nor will the real plugin what such an object holds,
    unless it is told that the kind is `mutable`.
    """
    metadata = body.get("metadata", {})
    selector = body.get("spec", {}).get("selector") if body.get("kind") == "Deployment" else None
    fixed = body.get("kind") in HOLDING.keys() - mutable
    return (
        [body.get(name) for name in ("data", "binaryData", "stringData") if fixed],
        body.get("apiVersion"),
        body.get("kind"),
        metadata.get("name"),
        metadata.get("namespace"),
        selector,
    )


def refusals(method: Callable[..., Any]) -> Callable[..., Any]:
    """The API server's refusal becomes an error that is printed beside the resource."""

    def wrapped(self: Any, request: Any, context: Any) -> Any:
        try:
            return method(self, request, context)
        except client.ApiException as error:
            text = (error.body or b"") if isinstance(error.body, str | bytes) else b""
            said = json.loads(text)["message"] if text[:1] in ("{", b"{") else error.reason
            codes = {404: grpc.StatusCode.NOT_FOUND, 409: grpc.StatusCode.ABORTED}
            code = codes.get(error.status, grpc.StatusCode.INVALID_ARGUMENT)
            return context.abort(code, f"{error.status} {said}")
        except dynamic.exceptions.ResourceNotFoundError as error:
            return context.abort(grpc.StatusCode.NOT_FOUND, f"no such API: {error}")

    return wrapped


class Standin(provider_pb2_grpc.ResourceProviderServicer):  # type: ignore[misc]
    """The calls that the engine really makes."""

    def __init__(self) -> None:
        # Discovery is not thread-safe, and its usual cache is one file for all processes.
        self._lock = threading.Lock()
        self._kube: Any = None
        self._mutable: frozenset[str] = frozenset()

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ProviderHandshakeResponse(accept_secrets=True)

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version="4.32.0")

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.DiffResponse(changes=1 + (request.olds != request.news))

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        given = bare(marked(request.args)).get("kubeconfig") or os.environ.get("KUBECONFIG", "")
        told = bare(marked(request.args))
        self._mutable = frozenset(
            kind for kind, name in HOLDING.items() if str(told.get(name)).lower() == "true"
        )
        text = yaml.safe_load(given) if "clusters" in given else None
        self._connect = lambda: (
            config.new_client_from_config_dict(text)
            if text
            else config.new_client_from_config(given)
        )
        return pb.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        named = marked(request.news).get("metadata", {}).get("name")
        reason = "give every object an explicit name"
        failures = [] if named else [pb.CheckFailure(property="metadata.name", reason=reason)]
        return pb.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        # Inputs against inputs, so that the server's defaults are never a change.
        old, new = bare(marked(request.old_inputs)), bare(marked(request.news))
        is_other = identity(old, self._mutable) != identity(new, self._mutable)
        replaced = ["metadata"] if is_other else []
        return pb.DiffResponse(
            changes=1 + (old != new), deleteBeforeReplace=True, replaces=replaced
        )

    @refusals
    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        given = marked(request.properties)
        body = bare(given)
        if request.preview:
            return pb.CreateResponse(properties=wire(self._preview(body), given))
        name = body["metadata"]["name"]
        if self._live(body):
            text = f"{body['kind']} {name} exists already"
            context.abort(grpc.StatusCode.ALREADY_EXISTS, text)
        made = self._apply(body)
        if body["kind"] == "CustomResourceDefinition":
            established = lambda: _is_established(self._live(body))  # noqa: E731
            self._until(request, context, established, "the definition is not established")
        namespace = made["metadata"].get("namespace")
        return pb.CreateResponse(
            id="/".join(filter(None, (namespace, name))), properties=wire(made, given)
        )

    @refusals
    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        given = marked(request.news)
        body = bare(given)
        made = self._preview(body) if request.preview else self._apply(body)
        return pb.UpdateResponse(properties=wire(made, given))

    @refusals
    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        given = marked(request.inputs)
        body = bare(given)
        live = self._live(body)
        if not live or live["metadata"].get("deletionTimestamp"):
            return pb.ReadResponse()
        # Drift is what applying again would change.
        drifted = tidy(self._apply(body, "All")) != tidy(live)
        inputs = wire(ours(body, live) if drifted else body, given)
        return pb.ReadResponse(id=request.id, inputs=inputs, properties=wire(live, given))

    @refusals
    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        body = bare(marked(request.properties))
        metadata = body["metadata"]
        if self._live(body):
            self._api(body).delete(
                metadata["name"], metadata.get("namespace"), propagation_policy="Background"
            )
        self._until(request, context, lambda: self._gone(body), "a finalizer holds it")
        return empty_pb2.Empty()

    def _gone(self, body: Body) -> bool:
        """Whether an object has left; a definition whose clean-up failed is touched.

        An API server answers "storage is (re)initializing" to its own first listing of a kind that
        nobody has read yet, and tries again ever later, up to many minutes; a change of the
        definition makes it try at once.
        """
        live = self._live(body)
        if live and body["kind"] == "CustomResourceDefinition" and _clean_up_failed(live):
            touched = {"metadata": {"annotations": {"callplane.dev/touched": str(time.time())}}}
            with contextlib.suppress(dynamic.exceptions.NotFoundError):
                self._api(body).patch(
                    body=touched,
                    name=body["metadata"]["name"],
                    content_type="application/merge-patch+json",
                )
            # Its own update of the status would meet a change a tick later.
            time.sleep(1)
        return not live

    def _api(self, body: Body) -> Any:
        with self._lock:
            if not self._kube:
                cache = f"{os.environ['PULUMI_HOME']}/api-{os.getpid()}.json"
                self._kube = dynamic.DynamicClient(self._connect(), cache_file=cache)
            return self._kube.resources.get(api_version=body["apiVersion"], kind=body["kind"])

    def _apply(self, body: Body, dry_run: str | None = None) -> Body:
        made = self._api(body).server_side_apply(
            body=body, field_manager=MANAGER, force_conflicts=True, dry_run=dry_run
        )
        found: Body = made.to_dict()
        return found

    def _live(self, body: Body) -> Body | None:
        metadata = body["metadata"]
        try:
            got = self._api(body).get(name=metadata["name"], namespace=metadata.get("namespace"))
        except client.ApiException as error:
            if error.status == 404:
                return None
            raise
        found: Body = got.to_dict()
        return found

    def _preview(self, body: Body) -> Body:
        """The server's own opinion; the inputs where it cannot have one yet, because a definition
        or a namespace comes with the same update.
        """
        if rpc.UNKNOWN in json.dumps(body):
            return body
        try:
            return self._apply(body, "All")
        except dynamic.exceptions.ResourceNotFoundError:
            return body
        except client.ApiException as error:
            if error.status == 404:
                return body
            raise

    def _until(self, request: Any, context: Any, done: Callable[[], Any], otherwise: str) -> None:
        deadline = time.monotonic() + (request.timeout or WAIT_SECONDS)
        while not done():
            if time.monotonic() > deadline:
                context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, otherwise)
            time.sleep(0.1)


def _is_established(body: Body | None) -> bool:
    conditions = ((body or {}).get("status") or {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def _clean_up_failed(definition: Body) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or []
    return any(each.get("reason") == "InstanceDeletionFailed" for each in conditions)


def main() -> None:
    """Serve until the engine ends us; the port is the first line of the output."""
    unlimited = [("grpc.max_receive_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(16), options=unlimited)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Standin(), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)  # noqa: T201
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
