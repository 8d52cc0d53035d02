"""The whole program over a mock: every object, every secret, every policy."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any
from urllib.parse import unquote, urlsplit

import pulumi
import pytest

import recording
import sample_stack
from callplane.deployment import platform_objects, sbc_pod, traces
from callplane.deployment.options import CALLS_URI_KEY
from callplane.sbc import rendering
from callplane.settings import PREFIX, CallControlSettings
from callplane_stacks import (
    firewall,
    gitops,
    platform_component,
    policies,
    pulumi_operator,
    sbc_rules,
)
from callplane_stacks.kubernetes import ledger_database, observability, sbc, target
from callplane_stacks.objects import resource_name, type_token
from recording import Registered


@pytest.fixture(scope="module")
def registered() -> list[Registered]:
    """Everything the program registers."""
    return recording.record(sample_stack.declare)


@pytest.fixture(scope="module")
def objects(registered: list[Registered]) -> list[Registered]:
    """The Kubernetes objects among it."""
    return [each for each in registered if each.kind.startswith("kubernetes:")]


def of_kind(objects: list[Registered], kind: str) -> list[Registered]:
    return [each for each in objects if each.kind.endswith(f":{kind}")]


def test_the_platform_is_the_operators_description_object_by_object(
    objects: list[Registered],
) -> None:
    made = {each.name: each.plain for each in objects}
    options = platform_component.options(sample_stack.inputs().configuration)
    described = platform_objects.objects(options)
    assert len(described) > 20
    for body in described:
        assert made[resource_name(body)] == body


def test_every_object_has_a_type_a_name_and_is_there_once(objects: list[Registered]) -> None:
    assert len({each.name for each in objects}) == len(objects) > 50
    for each in objects:
        body = each.plain
        assert each.kind == type_token(body["apiVersion"], body["kind"])
        assert each.name == resource_name(body)


def test_no_policy_finds_anything(objects: list[Registered]) -> None:
    found = [
        f"{each.name}: {reason}"
        for each in objects
        for reason in policies.violations(each.kind, each.plain)
    ]
    assert found == []
    everything = [(each.kind, each.name, each.plain) for each in objects]
    for check in policies.STACK_POLICIES.values():
        assert list(check(everything)) == []


def test_passwords_are_secrets_wherever_they_are(objects: list[Registered]) -> None:
    for each in objects:
        sealed = json.dumps(recording.secrets(each.inputs))
        for password in sample_stack.PASSWORDS.values():
            shown = json.dumps(each.plain).count(password)
            assert shown == sealed.count(password), each.name
    holding = [each for each in of_kind(objects, "Secret") if recording.secrets(each.inputs)]
    # A Secret a role, one with all addresses, one beside the SBCs, and each SBC's phones.
    assert len(holding) == len(ledger_database.ROLES) + 1 + 1 + 2


def test_every_role_is_there_before_the_schema_grants_it_rights(
    objects: list[Registered],
) -> None:
    (cluster,) = of_kind(objects, "Cluster")
    spec = cluster.plain["spec"]
    roles = schema_roles()
    assert roles.keys() == {"SERVICE", "CALL", "READER"}
    wanted = [f"create role {role}" for role in roles.values()]
    assert spec["bootstrap"]["initdb"]["postInitSQL"] == wanted
    assert [role["name"] for role in spec["managed"]["roles"]] == list(roles.values())


def schema_roles() -> dict[str, str]:
    """The roles that `callplane database upgrade` grants to, as its module says."""
    text = (sample_stack.ROOT / "operator/callplane/store/schema.py").read_text(encoding="utf-8")
    return dict(re.findall(r'^(\w+)_ROLE = "(\w+)"$', text, re.MULTILINE))


def test_an_address_is_one_whatever_is_in_its_password() -> None:
    hard = "p@ss:w/rd?#%20[é"
    inputs = dataclasses.replace(
        sample_stack.inputs(), passwords=dict.fromkeys(ledger_database.ROLES, hard)
    )
    made = recording.record(lambda: target.deploy(inputs, pulumi.ResourceOptions()) and None)
    found = next(
        each.plain["stringData"] for each in made if each.name.endswith("callplane-database")
    )
    assert len(found) == 4
    for uri in found.values():
        parts = urlsplit(uri)
        assert unquote(parts.password or "") == hard
        assert (parts.hostname or "").startswith(f"{ledger_database.CLUSTER}-rw.")


def test_every_role_signs_in_with_a_password_of_its_own(objects: list[Registered]) -> None:
    (cluster,) = of_kind(objects, "Cluster")
    spec = cluster.plain["spec"]
    first = spec["bootstrap"]["initdb"]
    named = {first["owner"]: first["secret"]["name"]}
    for role in spec["managed"]["roles"]:
        assert role["ensure"] == "present"
        assert role["login"] is True
        named[role["name"]] = role["passwordSecret"]["name"]
    kept = {each.plain["metadata"]["name"]: each.plain for each in of_kind(objects, "Secret")}
    signed = {role: kept[name]["stringData"] for role, name in named.items()}
    assert signed == {
        role: {"username": role, "password": password}
        for role, password in sample_stack.PASSWORDS.items()
    }
    assert all(kept[name]["type"] == "kubernetes.io/basic-auth" for name in named.values())


def database_keys(pod: dict[str, Any], container: dict[str, Any]) -> list[tuple[str, str]]:
    """What a container reads of Secrets, by variables and as the file of an address."""
    found = [
        (wanted["name"], wanted["key"])
        for variable in container.get("env", ())
        if (wanted := variable.get("valueFrom", {}).get("secretKeyRef"))
        if not wanted.get("optional")
    ]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    volumes = [each["secret"] for each in pod["volumes"] if each["name"] == "database"]
    if "database" in mounted:
        found += [(one["secretName"], item["key"]) for one in volumes for item in one["items"]]
    return found


def test_each_container_signs_in_to_the_database_as_its_own_role(
    objects: list[Registered],
) -> None:
    secrets = {
        (each.plain["metadata"]["namespace"], each.plain["metadata"]["name"]): each.plain
        for each in of_kind(objects, "Secret")
    }
    found: dict[str, str] = {}
    told: list[str] = []
    for each in (*of_kind(objects, "Deployment"), *of_kind(objects, "StatefulSet")):
        pod, place = each.plain["spec"]["template"]["spec"], each.plain["metadata"]["namespace"]
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            # What a container is told to read and nobody made would keep it from starting.
            for secret, key in database_keys(pod, container):
                uri = secrets[place, secret]["stringData"][key]
                assert found.setdefault(container["name"], uri) == uri
                told.append(each.name)
    # Four containers of the platform, and call control beside either SBC.
    assert len(told) == 6
    beside = secrets["callplane-sbc", sbc_pod.DATABASE_SECRET]["stringData"]
    assert beside.keys() == {CALLS_URI_KEY}
    roles = schema_roles()
    host = f"{ledger_database.CLUSTER}-rw.callplane-system:5432/callplane?sslmode=require"
    assert found == {
        name: f"postgresql://{role}:{sample_stack.PASSWORDS[role]}@{host}"
        for name, role in {
            "upgrade-database": ledger_database.OWNER,
            "operator": roles["SERVICE"],
            "callcontrol": roles["CALL"],
            "api": roles["READER"],
        }.items()
    }


def test_the_database_admits_every_pod_that_signs_in_to_it(objects: list[Registered]) -> None:
    made = {each.name: each.plain for each in objects}
    guard = made[f"networkpolicy.callplane-system.{ledger_database.CLUSTER}"]["spec"]
    (sources,) = [
        rule["from"]
        for rule in guard["ingress"]
        if rule["ports"] == [{"port": ledger_database.POSTGRES_PORT, "protocol": "TCP"}]
    ]
    # Pods on the host's network have the addresses of nodes.
    networks = sample_stack.inputs().configuration.networks
    assert {"ipBlock": {"cidr": str(networks.nodes)}} in sources
    (ours,) = [
        source["podSelector"]["matchLabels"]
        for source in sources
        if "app.kubernetes.io/name" in source.get("podSelector", {}).get("matchLabels", {})
    ]
    deployed = of_kind(objects, "Deployment")
    assert {each.plain["metadata"]["name"] for each in deployed} == {
        "callplane-operator",
        "callplane-callcontrol",
        "callplane-api",
    }
    for each in deployed:
        assert each.plain["metadata"]["namespace"] == "callplane-system"
        assert ours.items() <= each.plain["spec"]["template"]["metadata"]["labels"].items()


def test_each_sbc_has_a_node_an_address_a_name_and_a_certificate(
    objects: list[Registered],
) -> None:
    configured = sample_stack.inputs().configuration.sbc
    sets = {each.plain["metadata"]["name"]: each.plain for each in of_kind(objects, "StatefulSet")}
    assert set(sets) == {instance.name for instance in configured.instances}
    for instance in configured.instances:
        pod = sets[instance.name]["spec"]["template"]["spec"]
        assert pod["nodeSelector"] == {sbc_pod.NODE_LABEL: instance.node}
        assert pod["terminationGracePeriodSeconds"] > configured.drain_seconds
        assert all("preStop" in container["lifecycle"] for container in pod["containers"])
    certified = {tuple(each.plain["spec"]["dnsNames"]) for each in of_kind(objects, "Certificate")}
    assert certified == {(instance.host_name,) for instance in configured.instances}
    named = {
        (point["dnsName"], *point["targets"])
        for each in of_kind(objects, "DNSEndpoint")
        for point in each.plain["spec"]["endpoints"]
    }
    assert named == {(each.host_name, str(each.address)) for each in configured.instances}


def test_call_control_runs_beside_each_sbc_and_kamailio_needs_none_of_it(
    objects: list[Registered],
) -> None:
    inputs = sample_stack.inputs()
    sets = {each.plain["metadata"]["name"]: each.plain for each in of_kind(objects, "StatefulSet")}
    for name, values in inputs.sbcs.items():
        pod = sets[name]["spec"]["template"]["spec"]
        # Nothing of it comes before Kamailio, whose start would wait for that.
        assert [each["name"] for each in pod["initContainers"]] == ["firewall", "spool"]
        assert {each["image"] for each in pod["initContainers"]} == {pod["containers"][0]["image"]}
        kamailio, _, calls = pod["containers"]
        assert (kamailio["name"], calls["name"]) == ("kamailio", "callcontrol")
        assert "database" not in {each["name"] for each in kamailio["volumeMounts"]}
        (volume,) = (each for each in pod["volumes"] if each["name"] == "database")
        assert volume["secret"]["optional"] is True
        # The key of the certificate is Kamailio's alone.
        (shown,) = (each for each in pod["volumes"] if each["name"] == "public-certificate")
        (source,) = shown["projected"]["sources"]
        assert [item["key"] for item in source["secret"]["items"]] == ["tls.crt"]
        assert "certificate" not in {each["name"] for each in calls["volumeMounts"]}
        assert calls["image"] == inputs.configuration.platform.image
        assert calls["args"] == ["callcontrol"]
        told = {each["name"]: each.get("value", "somewhere") for each in calls["env"]}
        settings = CallControlSettings.from_environment(told)
        known = {f"{PREFIX}{field.upper()}" for field in CallControlSettings.model_fields}
        assert told.keys() - known == {"TMPDIR"}
        assert settings.sbcs == (str(values.call_control),)
        assert settings.source == f"sbc:{name}"
        assert dict(each.split("=") for each in settings.outside_lines) == {
            each.name: each.outside_line for each in values.trunks if each.outside_line
        }
        assert values.phones is not None
        assert settings.phones_outside_line == values.phones.outside_line
        assert settings.probe_port == calls["ports"][0]["containerPort"]
        assert calls["resources"]["limits"].keys() == {"memory"}


def test_a_pod_that_goes_drains_and_what_serves_kamailio_outlasts_it(
    objects: list[Registered],
) -> None:
    inputs = sample_stack.inputs()
    chosen = inputs.configuration.sbc
    instances = {each.name: each for each in chosen.instances}
    for body in (each.plain for each in of_kind(objects, "StatefulSet")):
        name = body["metadata"]["name"]
        values, pod = inputs.sbcs[name], body["spec"]["template"]["spec"]
        # `tests/sbc` runs the commands of this description beside a real Kamailio.
        described = sbc_pod.pod(sbc.pod(inputs.configuration, instances[name]), values)
        assert pod == described
        hooks = {
            each["name"]: each["lifecycle"]["preStop"]["exec"]["command"]
            for each in pod["containers"]
        }
        socket = f"{values.folders.run}/rpc.sock"
        drain, wait = hooks.pop("kamailio"), hooks.pop("callcontrol")
        assert drain[:4] == ["callplane", "sbc", "drain", socket]
        assert wait[:4] == ["callplane", "sbc", "wait", socket]
        assert hooks == {"rtpengine": wait}
        # Kamailio's hook ends first, then theirs, and Kubernetes last of all.
        limits = [int(each.partition("=")[2].removesuffix("s")) for each in (drain[5], wait[4])]
        assert drain[6:] == [f"--records={sbc_pod.RECORDS_SECONDS}s"]
        assert drain[4] == f"--end-after={chosen.drain_seconds}s"
        assert (
            chosen.drain_seconds
            < chosen.drain_seconds + chosen.services_seconds
            == limits[0]
            < limits[1]
            < pod["terminationGracePeriodSeconds"]
        )


def test_kamailio_is_probed_where_it_listens(objects: list[Registered]) -> None:
    """A pod on the host's network has the node's own address, where nothing of Kamailio listens."""
    values = sample_stack.inputs().sbcs
    for each in of_kind(objects, "StatefulSet"):
        name, pod = each.plain["metadata"]["name"], each.plain["spec"]["template"]["spec"]
        assert f"listen=tls:{values[name].public}" in rendering.render(values[name])["kamailio.cfg"]
        (kamailio,) = (found for found in pod["containers"] if found["name"] == "kamailio")
        for probe in ("livenessProbe", "readinessProbe"):
            asked = kamailio[probe]["tcpSocket"]
            assert f"{asked['host']}:{asked['port']:.0f}" == str(values[name].public)


def test_hooks_and_kamailio_meet_in_one_folder_as_one_user(objects: list[Registered]) -> None:
    inputs = sample_stack.inputs()
    for body in (each.plain for each in of_kind(objects, "StatefulSet")):
        pod = body["spec"]["template"]["spec"]
        run = inputs.sbcs[body["metadata"]["name"]].folders.run
        shared = {"name": "run", "mountPath": run, "readOnly": False}
        for each in pod["containers"]:
            assert {found["name"]: found.get("value") for found in each["env"]}["TMPDIR"] == run
            assert shared in each["volumeMounts"]
        users = {each["securityContext"]["runAsUser"] for each in pod["containers"]}
        assert len(users) == 1
        volumes = {each["name"] for each in pod["volumes"]}
        mounted = {each["name"] for found in pod["containers"] for each in found["volumeMounts"]}
        assert mounted <= volumes


def test_the_spool_outlives_the_pod_and_both_ends_name_one_file(
    objects: list[Registered],
) -> None:
    folders = set()
    for body in (each.plain for each in of_kind(objects, "StatefulSet")):
        pod = body["spec"]["template"]["spec"]
        (volume,) = [each for each in pod["volumes"] if each["name"] == "spool"]
        assert volume["hostPath"]["type"] == "DirectoryOrCreate"
        folders.add(volume["hostPath"]["path"])
        kamailio, _, calls = pod["containers"]
        told = {each["name"]: each.get("value") for each in calls["env"]}
        assert kamailio["command"] == ["callplane-spooled", told["CALLPLANE_SPOOLS"], "kamailio"]
        place = {"name": "spool", "mountPath": sbc_pod.SPOOL_FOLDER, "readOnly": False}
        assert told["CALLPLANE_SPOOLS"].startswith(f"{sbc_pod.SPOOL_FOLDER}/")
        assert all(place in each["volumeMounts"] for each in (kamailio, calls))
    assert folders == {"/var/lib/callplane/sbc1", "/var/lib/callplane/sbc2"}


def test_one_sbc_may_go_at_a_time(objects: list[Registered]) -> None:
    """`tests/stacks/engine` asks the API server for two evictions."""
    (budget,) = [
        each.plain
        for each in of_kind(objects, "PodDisruptionBudget")
        if each.plain["metadata"]["namespace"] == "callplane-sbc"
    ]
    assert budget["spec"]["maxUnavailable"] == 1
    selected = budget["spec"]["selector"]["matchLabels"]
    sets = [each.plain for each in of_kind(objects, "StatefulSet")]
    assert len(sets) == 2
    for body in sets:
        assert selected.items() <= body["spec"]["template"]["metadata"]["labels"].items()
        assert body["spec"]["updateStrategy"] == {"type": "OnDelete"}


def test_the_firewall_admits_the_sbcs_sources_and_its_peers_media_and_nobody_else() -> None:
    inputs = sample_stack.inputs()
    values = inputs.sbcs["sbc1"]
    text = sbc.ruleset(inputs.configuration, values)
    teams, webex = firewall.shipped_peers()
    assert values.teams is not None
    trunks = (*values.carriers, *values.trunks)
    signalling = [*values.teams.sources, *(source for each in trunks for source in each.sources)]
    for network in signalling:
        assert f"saddr {network} tcp dport 5061 accept" in text
    for network in teams.media:
        assert f"saddr {network} udp dport 16384-32767 accept" in text
        assert f"saddr {network} tcp" not in text
    assert not any(str(network) in text for network in webex.media)
    # Metrics are the cluster's; rtpengine takes orders on the same port.
    networks = inputs.configuration.networks
    for port in (sbc_pod.METRICS_PORT, sbc_pod.PROBE_PORT):
        admitted = [line.split()[2] for line in text.splitlines() if f"dport {port} accept" in line]
        assert admitted == [str(networks.pods), str(networks.nodes)]
        (guarded,) = re.findall(r"th dport \{ ([\d, ]+) \} drop", text)
        assert str(port) in guarded.split(", ")
    # The world may register phones, since phones are declared, and nothing else.
    world = [line for line in text.splitlines() if "0.0.0.0/0" in line]
    assert len(world) == 3
    assert all(firewall.PHONES in line for line in world)
    quiet = sbc.ruleset(inputs.configuration, dataclasses.replace(values, phones=None))
    assert "0.0.0.0/0" not in quiet
    assert text.rstrip().endswith("drop\n  }\n}")


def test_kamailio_gets_what_the_renderer_writes_and_digests_are_sealed(
    objects: list[Registered],
) -> None:
    made = {each.name: each for each in objects}
    for name, values in sample_stack.inputs().sbcs.items():
        shown = made[f"configmap.callplane-sbc.{name}"]
        kept = made[f"secret.callplane-sbc.{name}-phones"]
        files = {**shown.plain["data"], **kept.plain["stringData"]}
        del files[sbc_pod.RULESET]
        assert files == rendering.render(values)
        assert values.phones is not None
        for phone in values.phones.phones:
            assert phone.digest not in json.dumps(shown.inputs)
            assert phone.digest in json.dumps(recording.secrets(kept.inputs))


def test_peers_say_where_they_are_from() -> None:
    for peer in firewall.shipped_peers():
        assert peer.source
        assert peer.as_of.year >= 2023
        assert peer.signalling
        assert peer.media


@pytest.mark.parametrize("program", ["Flux", "ArgoCD"])
def test_either_gitops_program_follows_the_repository(program: str) -> None:
    made = recording.record(lambda: sample_stack.declare(gitops={"program": program}))
    text = json.dumps([each.plain for each in made])
    assert "https://git.example.com/voice/tenants" in text
    assert "https://git.example.com/voice/stacks" in text
    kinds = {each.kind.rpartition(":")[2] for each in made}
    wanted: dict[str, set[str]] = {
        "Flux": {"GitRepository", "Kustomization"},
        "ArgoCD": {"Application", "AppProject"},
    }
    assert wanted[program] <= kinds
    assert not kinds & (wanted["Flux"] | wanted["ArgoCD"]) - wanted[program]
    assert "Stack" in kinds


def test_tenants_write_what_is_theirs_and_approve_as_one_account() -> None:
    """`tests/stacks/engine` asks the API server what that account may do."""
    for program, account in gitops.ACCOUNTS.items():
        made = recording.record(
            lambda program=program: sample_stack.declare(gitops={"program": program.value})
        )
        bodies = {each.name: each.plain for each in made if each.kind.startswith("kubernetes:")}
        policies_said = str([each for name, each in bodies.items() if "admissionpol" in name])
        named = r"system:serviceaccount:(?:flux-system|argocd):[\w-]+"
        found = set(re.findall(named, policies_said))
        assert found == {account}
    project = bodies["appproject.argocd.callplane-tenants"]["spec"]
    assert project["sourceRepos"] == ["https://git.example.com/voice/tenants"]
    allowed = {(each["group"], each["kind"]) for each in project["namespaceResourceWhitelist"]}
    assert ("callplane.dev", "TeamsUser") in allowed
    assert ("external-secrets.io", "*") in allowed
    assert ("callplane.dev", "ChangePlan") not in allowed
    assert {group for group, _ in allowed} == {"callplane.dev", "external-secrets.io"}
    assert project["clusterResourceWhitelist"] == [{"group": "", "kind": "Namespace"}]


@pytest.mark.parametrize("program", ["Flux", "ArgoCD"])
@pytest.mark.parametrize(
    ("repository", "place"),
    [
        ("https://git.example.com/voice/stacks", ("accessToken",)),
        ("ssh://git@git.example.com/voice/stacks", ("sshAuth", "sshPrivateKey")),
    ],
)
def test_the_stacks_are_kept_up_from_their_own_repository(
    program: str, repository: str, place: tuple[str, ...]
) -> None:
    stacks = sample_stack.document()["gitops"]["stacks"] | {"repository": repository}
    stacks |= {"branch": "", "commit": "a" * 40}
    chosen = sample_stack.inputs(gitops={"program": program, "stacks": stacks}).configuration
    bodies = {each["kind"]: each for each in pulumi_operator.objects(chosen.gitops)}
    spec = bodies["Stack"]["spec"]
    secret = {"type": "Secret", "secret": {"name": "stacks-repository", "key": "password"}}
    if program == "Flux":
        source = bodies["GitRepository"]
        assert source["metadata"]["namespace"] == bodies["Stack"]["metadata"]["namespace"]
        assert source["spec"]["url"] == repository
        assert source["spec"]["ref"] == {"commit": "a" * 40}
        assert source["spec"]["secretRef"] == {"name": "stacks-repository"}
        assert spec["fluxSource"]["sourceRef"]["name"] == source["metadata"]["name"]
        assert spec["fluxSource"]["dir"] == "stacks/kubernetes"
        assert "projectRepo" not in spec
    else:
        assert "GitRepository" not in bodies
        assert (spec["projectRepo"], spec["commit"]) == (repository, "a" * 40)
        found = spec["gitAuth"]
        for step in place:
            found = found[step]
        assert found == secret
    assert (sample_stack.ROOT / "stacks/kubernetes/Pulumi.yaml").is_file()
    assert spec["envRefs"].keys() == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert all(each["type"] == "Secret" for each in spec["envRefs"].values())
    assert spec["destroyOnFinalize"] is False
    assert not {"config", "secrets", "accessTokenSecret"} & spec.keys()


def test_without_a_repository_of_the_stacks_somebody_runs_them() -> None:
    chosen = sample_stack.inputs(gitops={"stacks": None}).configuration
    assert pulumi_operator.objects(chosen.gitops) == []


def test_every_alert_of_a_stack_has_a_runbook() -> None:
    page = (sample_stack.ROOT / sbc_rules.RUNBOOKS).read_text(encoding="utf-8")
    sections = re.findall(r"^### (Callplane\w+)$", page, re.MULTILINE)
    # What follows are the alarms of clouds (test_clouds.py).
    rules = observability.rules(sample_stack.inputs().configuration)
    alerts = list(dict.fromkeys(rule["alert"] for rule in rules))
    assert sections[: len(alerts)] == alerts


def test_what_takes_calls_or_the_ledger_along_is_protected(objects: list[Registered]) -> None:
    """Another name of a namespace is another namespace: the old one would go, with all in it."""
    kept = [each for each in objects if each.protected]
    kinds = {each.plain["kind"] for each in kept}
    assert kinds == {"Namespace", "CustomResourceDefinition", "Cluster"}
    assert [each for each in objects if each.plain["kind"] in kinds and not each.protected] == []
    assert {each.plain["metadata"]["name"] for each in kept} >= {
        *(
            "callplane-system",
            "callplane-sbc",
            ledger_database.CLUSTER,
            "callingaccounts.callplane.dev",
        )
    }


def test_a_component_knows_its_objects(registered: list[Registered]) -> None:
    components: dict[str, Any] = {
        each.kind: each.name for each in registered if each.kind.startswith("callplane:kubernetes:")
    }
    assert set(components.values()) == {"platform", "database", "sbc", "observability", "gitops"}


def test_one_collector_is_told_to_every_pod_that_traces() -> None:
    collector = "http://collector.example.svc:4318"
    made = recording.record(
        lambda: sample_stack.declare(platform={"traces_endpoint": collector, "traces_ratio": 0.25})
    )
    (chosen,) = (
        each.plain["data"]
        for each in of_kind(made, "ConfigMap")
        if each.plain["metadata"]["name"] == traces.NAME
    )
    assert chosen == {
        "endpoint": collector,
        "sampler": "parentbased_traceidratio",
        "sampler-argument": "0.250000",
    }
    # Beside an SBC, in another namespace, the same is told by its values.
    beside = [
        {entry["name"]: entry.get("value") for entry in container["env"]}
        for each in of_kind(made, "StatefulSet")
        for container in each.plain["spec"]["template"]["spec"]["containers"]
        if container["name"] == "callcontrol"
    ]
    assert len(beside) == 2
    for told in beside:
        assert told.items() >= {name: chosen[key] for name, key in traces.VARIABLES.items()}.items()
