"""CRD = model = schema = sample, judged by a real API server.

What the models refuse the server refuses too, at the same field; what the samples say survives the
server unchanged; what the models default the server defaults alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from callplane.apis import constraints, parsing, registry
from callplane.apis.kinds import Kind
from callplane.apis.model import Model
from callplane.testing.control_plane import ThrowAwayCluster
from callplane.testing.object_patches import merge_patched

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "unit" / "apis"
SAMPLES = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "manifests" / "samples").glob("*.yaml"))
}
KINDS = [pytest.param(kind, id=kind.name) for kind in registry.KINDS]


def corpus(name: str) -> list[Any]:
    cases = yaml.safe_load((CORPUS / name).read_text(encoding="utf-8"))
    return [pytest.param(case, id=case["name"]) for case in cases]


def create(cluster: ThrowAwayCluster, namespace: str, manifest: dict[str, Any]) -> dict[str, Any]:
    answer = cluster.kubectl(
        "create", "--namespace", namespace, "--filename=-", "--output=json", stdin=dump(manifest)
    )
    return dict(json.loads(answer.stdout))


def dump(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest)


@pytest.mark.parametrize("kind", KINDS)
def test_definition_is_structural_and_served(
    throw_away_cluster: ThrowAwayCluster, kind: Kind
) -> None:
    answer = throw_away_cluster.kubectl("get", "crd", kind.crd_name, "--output=json")
    conditions = {
        entry["type"]: entry["status"]
        for entry in json.loads(answer.stdout)["status"]["conditions"]
    }
    assert conditions == {"NamesAccepted": "True", "Established": "True"}


@pytest.mark.parametrize("kind", KINDS)
def test_sample_survives_the_server_unchanged(
    throw_away_cluster: ThrowAwayCluster, namespace: str, kind: Kind
) -> None:
    sample = SAMPLES[kind.singular]
    stored = create(throw_away_cluster, namespace, sample)
    from_file, from_server = parsing.parse_strict(sample), parsing.parse_lenient(stored)
    assert from_file.resource is not None
    assert from_server.resource is not None
    assert from_server.resource.model_dump()["spec"] == from_file.resource.model_dump()["spec"]
    assert stored["status"] == {"observedGeneration": -1}
    schema = json.loads((ROOT / "schemas" / f"{kind.singular}_v1alpha1.json").read_text("utf-8"))
    jsonschema.Draft7Validator(schema).validate(stored)


@pytest.mark.parametrize("kind", KINDS)
def test_server_defaults_are_the_defaults_of_the_models(
    throw_away_cluster: ThrowAwayCluster, namespace: str, kind: Kind
) -> None:
    sample = SAMPLES[kind.singular]
    stored = create(throw_away_cluster, namespace, sample)
    from_file = parsing.parse_strict(sample).resource
    assert from_file is not None
    assert covers(from_file.to_manifest()["spec"], stored["spec"])


def covers(complete: Any, stored: Any) -> bool:
    """Is everything in `stored` also in `complete`, with the same value?"""
    if isinstance(complete, dict) and isinstance(stored, dict):
        return all(key in complete and covers(complete[key], stored[key]) for key in stored)
    if isinstance(complete, list) and isinstance(stored, list):
        return len(complete) == len(stored) and all(map(covers, complete, stored))
    return bool(complete == stored)


@pytest.mark.parametrize("case", corpus("refusals.yaml"))
def test_server_refuses_at_the_same_field(
    throw_away_cluster: ThrowAwayCluster, namespace: str, case: dict[str, Any]
) -> None:
    manifest = merge_patched(SAMPLES[case["base"]], case["patch"])
    answer = throw_away_cluster.kubectl(
        "create",
        "--namespace",
        namespace,
        "--filename=-",
        "--dry-run=server",
        "--validate=strict",
        stdin=dump(manifest),
        check=False,
    )
    assert answer.returncode == 1
    assert names_field(answer.stderr, case["path"]), answer.stderr
    # A rule that is ours on both sides is worded alike on both.
    own_words = {
        constraint.message
        for model in models(registry.kind_named(manifest["kind"]).model)
        for constraint in model.invariants
        if constraint.cel
    }
    for error in parsing.parse_strict(manifest).errors:
        assert error.message not in own_words or error.message in answer.stderr


def models(model: type[Model]) -> Iterator[type[Model]]:
    """The model and all models in it."""
    yield model
    for info in model.model_fields.values():
        for inner in constraints.models_in(info.annotation):
            yield from models(inner)


def names_field(text: str, path: str) -> bool:
    """Does the server's message name the field, or an entry of it?"""
    return re.search(rf"(?<![\w.]){re.escape(path)}(?![\w.])", text) is not None


@pytest.mark.parametrize("case", corpus("transitions.yaml"))
def test_server_refuses_changes_of_what_is_immutable(
    throw_away_cluster: ThrowAwayCluster, namespace: str, case: dict[str, Any]
) -> None:
    sample = SAMPLES[case["base"]]
    create(throw_away_cluster, namespace, sample)
    answer = throw_away_cluster.kubectl(
        "patch",
        sample["kind"],
        sample["metadata"]["name"],
        "--namespace",
        namespace,
        "--type=merge",
        "--patch",
        json.dumps(case["patch"]),
        check=False,
    )
    assert answer.returncode == 1
    assert names_field(answer.stderr, case["path"]), answer.stderr


GROWTH = [
    pytest.param("numberrange", {"spec": {"last": "+442079460199"}}, id="a range grows"),
    pytest.param(
        "numberrange", {"spec": {"carrierRef": {"name": "main"}}}, id="a range finds its carrier"
    ),
    pytest.param(
        "phonenumber", {"spec": {"carrierRef": {"name": "main"}}}, id="a number finds its carrier"
    ),
    pytest.param(
        "teamsuser", {"spec": {"userPrincipalName": "anna.b@example.com"}}, id="a person is renamed"
    ),
    pytest.param(
        "teamsuser", {"spec": {"phoneNumber": {"rangeRef": None, "none": {}}}}, id="no number"
    ),
    pytest.param("teamsuser", {"spec": {"phoneNumber": None}}, id="number no longer managed"),
    pytest.param(
        "teamstenant",
        {
            "spec": {
                "credentials": {
                    "clientSecret": None,
                    "workloadIdentity": {"clientId": "2b6a5f0e-8f3b-4c52-9d25-6f1f3f9f7c22"},
                }
            }
        },
        id="a tenant changes its credentials",
    ),
]


@pytest.mark.parametrize(("base", "patch"), GROWTH)
def test_server_accepts_changes_that_are_meant_to_happen(
    throw_away_cluster: ThrowAwayCluster, namespace: str, base: str, patch: dict[str, Any]
) -> None:
    sample = SAMPLES[base]
    create(throw_away_cluster, namespace, sample)
    answer = throw_away_cluster.kubectl(
        "patch",
        sample["kind"],
        sample["metadata"]["name"],
        "--namespace",
        namespace,
        "--type=merge",
        "--patch",
        json.dumps(patch),
        "--output=json",
    )
    stored = json.loads(answer.stdout)
    assert stored["metadata"]["generation"] == 2
    assert parsing.parse_lenient(stored).resource is not None


def test_second_field_manager_adds_a_policy_beside_the_first(
    throw_away_cluster: ThrowAwayCluster, namespace: str
) -> None:
    sample = SAMPLES["teamsuser"]
    kubectl = throw_away_cluster.kubectl
    apply = ("apply", "--server-side", "--namespace", namespace, "--filename=-", "--output=json")
    kubectl(*apply, "--field-manager=git", stdin=dump(sample))
    addition = {
        "apiVersion": sample["apiVersion"],
        "kind": sample["kind"],
        "metadata": sample["metadata"],
        "spec": {"policies": [{"type": "TenantDialPlan", "name": "UK"}]},
    }
    answer = kubectl(*apply, "--field-manager=helpdesk", stdin=dump(addition))
    types = [policy["type"] for policy in json.loads(answer.stdout)["spec"]["policies"]]
    assert sorted(types) == ["OnlineVoiceRoutingPolicy", "TeamsCallParkPolicy", "TenantDialPlan"]


STATUSES: dict[str, dict[str, Any]] = {
    "teamstenant": {
        "lastObservedTime": "2026-11-02T09:30:00Z",
        "snapshot": {"numbers": 3, "users": 2, "userConfigurations": 2, "complete": True},
        "users": 2,
        "claims": 2,
        "foreign": 1,
        "orphaned": 0,
        "heldChanges": 1,
        "heldBatches": [{"digest": f"cp1:{'0' * 64}", "plan": "p", "changes": 1}],
        "installation": "5f1d7a2c-0b6e-4f3a-8c41-9e2b7d6a5c33",
        "epoch": 3,
        "registerSequence": 9_007_199_254_740_993,
    },
    "carrier": {
        "lastObservedTime": "2026-11-02T09:30:00Z",
        "owned": 120,
        "ordering": 1,
        "balance": "12.32 GBP",
        "commercial": "Hosted",
        "unsupported": ["deletionLock"],
        "heldChanges": 1,
        "heldBatches": [{"digest": f"cp1:{'0' * 64}", "plan": "p", "changes": 1}],
        "installation": "5f1d7a2c-0b6e-4f3a-8c41-9e2b7d6a5c33",
        "epoch": 3,
        "registerSequence": 42,
    },
    "numberrange": {
        "total": 100,
        "free": 90,
        "claimed": 8,
        "reserved": 1,
        "quarantined": 1,
        "nextFree": "+442079460009",
        "atCarrier": 100,
        "daysToEmpty": 42,
        "redirected": 1,
        "drifted": 1,
        "drift": [{"field": "route[+44…0001]", "observed": "elsewhere", "desired": "sbc"}],
    },
    "phonenumber": {
        "state": "Assigned",
        "connection": {"kind": "TeamsTenant", "name": "example"},
        "heldBy": {"kind": "TeamsUser", "namespace": "sales", "name": "ben"},
        "quarantinedUntil": "2027-02-01T00:00:00Z",
        "redirectedTo": "+442079460004",
        "carrier": {
            "state": "Active",
            "stateText": "allocated",
            "trunk": "sbc",
            "emergencyAddress": True,
            "deletionLocked": False,
            "monthlyFee": "1.50 GBP",
        },
        "order": {
            "reference": "cp-0d6f6b1c-3f5e-4a7d-b1c9-2e8f4a6d7b44",
            "state": "Accepted",
            "carrierId": "order-1",
            "detail": "",
            "code": "",
        },
        "portIn": {"state": "Dated", "dueOn": "2026-11-27"},
        "candidates": ["+442079460004"],
        "releaseNeeds": ["the end of its rest, 2027-02-01"],
        "drift": [{"field": "route", "observed": "elsewhere", "desired": "sbc"}],
    },
    "teamsuser": {
        "connection": {"kind": "TeamsTenant", "name": "example"},
        "userId": "0d6f6b1c-3f5e-4a7d-b1c9-2e8f4a6d7b44",
        "phoneNumber": {"e164": "+442079460001", "type": "DirectRouting"},
        "emergencyLocationId": "5f1d7a2c-0b6e-4f3a-8c41-9e2b7d6a5c33",
        "policies": [{"type": "TenantDialPlan", "name": "UK", "origin": "Group"}],
        "drift": [{"field": "phoneNumber", "observed": "", "desired": "+442079460001"}],
    },
    "emergencylocation": {
        "coverage": {"ranges": 1, "numbers": 1, "users": 5, "accepted": 4},
        "teamsLocationId": "5f1d7a2c-0b6e-4f3a-8c41-9e2b7d6a5c33",
        "webexLocation": "London",
    },
    "callingaccount": {},
    "callingplan": {},
    "ratecard": {"rows": 5, "version": "0" * 64},
    "destinationset": {},
    "providerincident": {"affectedObjects": 12, "frozenChanges": 1},
    "changeplan": {
        "state": "Approved",
        "pending": 0,
        "approved": 1,
        "done": 0,
        "withdrawn": 0,
        "stale": 0,
        "approvedBy": ["example-leavers-of-november"],
    },
    "changeapproval": {"matched": 1, "consumed": 1, "unknown": 0},
    "webexorganization": {
        "lastObservedTime": "2026-11-02T09:30:00Z",
        "snapshot": {"numbers": 3, "users": 2, "userConfigurations": 2, "complete": True},
        "credentialsExpireAt": "2027-01-31T00:00:00Z",
        "users": 2,
        "claims": 2,
        "foreign": 1,
        "orphaned": 0,
        "heldChanges": 1,
        "heldBatches": [{"digest": f"cp1:{'0' * 64}", "plan": "p", "changes": 1}],
        "installation": "5f1d7a2c-0b6e-4f3a-8c41-9e2b7d6a5c33",
        "epoch": 3,
        "registerSequence": 9_007_199_254_740_993,
    },
    "webexuser": {
        "connection": {"kind": "WebexOrganization", "name": "example"},
        "personId": "Y2lzY29zcGFyazovL3VzL1BFT1BMRS8x",
        "phoneNumber": {"e164": "+442079460001", "type": "Webex"},
        "directNumbers": 1,
        "extension": "1001",
        "location": "London",
        "licence": "Professional",
        "drift": [{"field": "phoneNumber", "observed": "", "desired": "+442079460001"}],
    },
    "sessionbordercontroller": {
        "lastObservedTime": "2026-11-02T09:30:00Z",
        "snapshot": {"numbers": 3, "users": 2, "userConfigurations": 2, "complete": True},
        "users": 2,
        "claims": 2,
        "foreign": 0,
        "orphaned": 0,
        "heldChanges": 1,
        "heldBatches": [{"digest": f"cp1:{'0' * 64}", "plan": "p", "changes": 1}],
        "installation": "5f1d7a2c-0b6e-4f3a-8c41-9e2b7d6a5c33",
        "epoch": 3,
        "registerSequence": 9_007_199_254_740_993,
    },
    "sipphone": {
        "connection": {"kind": "SessionBorderController", "name": "example"},
        "holderId": "phone:workshop",
        "phoneNumber": {"e164": "+442079460001", "type": "Sip"},
        "drift": [{"field": "phoneNumber", "observed": "", "desired": "+442079460001"}],
    },
    "pbxtrunk": {
        "connection": {"kind": "SessionBorderController", "name": "example"},
        "holderId": "trunk:branch",
        "numbers": 9,
        "elsewhere": 1,
    },
    "callprivilege": {"users": 5},
    "serviceline": {
        "connection": {"kind": "WebexOrganization", "name": "example"},
        "holderId": "Y2lzY29zcGFyazovL3VzL0FVVE9fQVRURU5EQU5ULzE",
        "phoneNumber": {"e164": "+442079460001", "type": "Webex"},
        "drift": [{"field": "phoneNumber", "observed": "", "desired": "+442079460001"}],
    },
}
SHARED_STATUS = {
    "observedGeneration": 1,
    "lastHandledReconcileAt": "2026-11-02T09:30:00Z",
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Succeeded",
            "message": "everything is as declared",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-11-02T09:30:00Z",
        },
        {"type": "Synced", "status": "Unknown", "reason": "SnapshotStale", "message": ""},
    ],
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_status_is_kept_and_read_back(
    throw_away_cluster: ThrowAwayCluster, namespace: str, kind: Kind
) -> None:
    sample, status = SAMPLES[kind.singular], {**SHARED_STATUS, **STATUSES[kind.singular]}
    status_model: Any = kind.model.model_fields["status"].annotation
    assert {info.alias for info in status_model.model_fields.values()} == set(status)
    create(throw_away_cluster, namespace, sample)
    answer = throw_away_cluster.kubectl(
        "patch",
        kind.name,
        sample["metadata"]["name"],
        "--namespace",
        namespace,
        "--subresource=status",
        "--type=merge",
        "--patch",
        json.dumps({"status": status}),
        "--output=json",
    )
    stored = json.loads(answer.stdout)
    assert stored["status"] == status
    resource: Any = parsing.parse_lenient(stored).resource
    assert covers(resource.status.to_manifest(), status)


def test_writing_the_object_leaves_status_alone(
    throw_away_cluster: ThrowAwayCluster, namespace: str
) -> None:
    sample = {**SAMPLES["numberrange"], "status": {"observedGeneration": 7, "free": 99}}
    stored = create(throw_away_cluster, namespace, sample)
    assert stored["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize("kind", KINDS)
def test_people_find_kinds_by_short_name_category_and_explanation(
    throw_away_cluster: ThrowAwayCluster, namespace: str, kind: Kind
) -> None:
    kubectl = throw_away_cluster.kubectl
    sample = SAMPLES[kind.singular]
    create(throw_away_cluster, namespace, sample)
    table = kubectl("get", kind.short_names[0], "--namespace", namespace).stdout
    header, row = table.splitlines()
    assert header.split()[0] == "NAME"
    assert [column.name.upper() for column in kind.columns if not column.priority] == (
        header.split()[1:]
    )
    assert row.startswith(sample["metadata"]["name"])
    listed = kubectl("get", "callplane", "--namespace", namespace, "--output=name").stdout
    assert f"{kind.singular}.callplane.dev/{sample['metadata']['name']}" in listed.split()
    explained = kubectl("explain", f"{kind.plural}.spec").stdout
    assert "<no description>" not in explained
