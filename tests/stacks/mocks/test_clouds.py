"""The whole program of each cloud over a mock: what holds for all of them."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

import cloud_stack
import machine_view
import recording
from callplane.deployment import platform_objects
from callplane.sbc import rendering
from callplane.settings import PREFIX, CallControlSettings
from callplane_stacks import (
    cloud_init,
    database_roles,
    firewall,
    given_cluster,
    platform_component,
    policies,
)
from callplane_stacks.objects import IN_PLACE, resource_name
from cloud_stack import Cloud
from machine_view import Machine
from recording import Registered


@pytest.fixture(scope="module", params=cloud_stack.CLOUDS, ids=lambda cloud: cloud.name)
def cloud(request: pytest.FixtureRequest) -> Cloud:
    """Each target in its turn."""
    found: Cloud = request.param
    return found


@pytest.fixture(scope="module")
def registered(cloud: Cloud) -> list[Registered]:
    """Everything the program registers."""
    return recording.record(cloud.declare)


@pytest.fixture(scope="module")
def machines(registered: list[Registered]) -> dict[str, Machine]:
    """Each SBC's machine, with what it is born with and reads from its store."""
    return machine_view.machines(registered)


def objects(registered: list[Registered]) -> Iterator[Registered]:
    return (each for each in registered if each.kind.startswith("kubernetes:"))


def test_no_policy_finds_anything(registered: list[Registered]) -> None:
    found = [
        f"{each.name}: {reason}"
        for each in registered
        for reason in policies.violations(each.kind, each.plain)
    ]
    assert found == []
    everything = [(each.kind, each.name, each.plain) for each in registered]
    for check in policies.STACK_POLICIES.values():
        assert list(check(everything)) == []


def test_every_database_firewall_and_machine_is_guarded(registered: list[Registered]) -> None:
    guarded = machine_view.watched(registered)
    assert len(guarded) >= 5
    assert [each.name for each in guarded if not policies.guards(each.kind, each.plain)] == []


def test_names_are_there_once(registered: list[Registered]) -> None:
    seen = [(each.kind, each.name) for each in registered]
    assert len(set(seen)) == len(seen) > 100


def test_every_secret_is_sealed_wherever_it_is(registered: list[Registered]) -> None:
    secrets = [*cloud_stack.PASSWORDS.values(), cloud_stack.KUBECONFIG]
    secrets += [database_uri_password(each) for each in cloud_stack.PASSWORDS.values()]
    digest = "0123456789abcdef0123456789abcdef"
    found = 0
    for each in registered:
        sealed = json.dumps(recording.secrets(each.inputs), default=machine_view.plain)
        shown = json.dumps(each.plain, default=machine_view.plain)
        for secret in (*secrets, digest):
            count = shown.count(json.dumps(secret)[1:-1])
            assert count == sealed.count(json.dumps(secret)[1:-1]), each.name
            found += count
    assert found > 10


def database_uri_password(password: str) -> str:
    """A password as it stands in an address."""
    return password.replace("/", "%2F").replace(" ", "%20")


def test_the_platform_is_the_operators_description_object_by_object(
    cloud: Cloud, registered: list[Registered]
) -> None:
    made = {each.name: each.plain for each in objects(registered)}
    options = platform_component.options(cloud.inputs().configuration)
    described = platform_objects.objects(options)
    assert len(described) > 20
    for body in described:
        assert made[resource_name(body)] == body


def test_every_role_signs_in_to_the_server_that_was_made(registered: list[Registered]) -> None:
    made = {each.name: each.plain for each in objects(registered)}
    host = machine_view.database_host(registered)
    kept = made["secret.callplane-system.callplane-database"]["stringData"]
    assert len(kept) == len(database_roles.ROLES)
    for key, role in {
        "uri": database_roles.SERVICE,
        "owner-uri": database_roles.OWNER,
        "calls-uri": database_roles.CALLS,
        "reader-uri": database_roles.READER,
    }.items():
        uri = urlsplit(kept[key])
        assert (uri.hostname, uri.port, uri.path) == (host, 5432, "/callplane")
        assert uri.query == "sslmode=require"
        assert (uri.username, unquote(uri.password or "")) == (role, cloud_stack.PASSWORDS[role])


def test_a_job_makes_the_roles_and_runs_again_when_passwords_change(
    cloud: Cloud, registered: list[Registered]
) -> None:
    (job,) = [each.plain for each in objects(registered) if each.kind.endswith(":Job")]
    made = {each.name: each.plain for each in objects(registered)}
    told = made["secret.callplane-system.callplane-database-roles"]["stringData"]
    assert told == {
        "PGHOST": machine_view.database_host(registered),
        "PGPASSWORD": cloud_stack.PASSWORDS[database_roles.ADMINISTRATOR],
        **{
            f"{role.upper()}_PASSWORD": cloud_stack.PASSWORDS[role] for role in database_roles.ROLES
        },
    }
    script = made["configmap.callplane-system.callplane-database-roles"]["data"]["roles.sql"]
    read = set(re.findall(r"^\\getenv \w+ (\w+)$", script, re.MULTILINE))
    assert read == told.keys() - {"PGHOST", "PGPASSWORD"}
    configured = cloud.inputs(database={"roles": {"passwords_version": 2}}).configuration
    roles = configured.database.roles
    # The server is nowhere in the names.
    server: Any = machine_view.NoServer()
    again = database_roles.objects(configured, roles, server)
    (other,) = [body for body in again if body["kind"] == "Job"]
    assert other["metadata"]["name"] != job["metadata"]["name"]


def test_user_data_are_yaml_and_every_script_is_one(machines: dict[str, Machine]) -> None:
    assert machines.keys() == {"sbc1", "sbc2"}
    for machine in machines.values():
        assert machine.user_data.startswith("#cloud-config\n")
        assert len(machine.user_data.encode()) < 16_384
        scripts = {
            path: content for path, content in machine.files.items() if content.startswith("#!")
        }
        assert len(scripts) == len(cloud_init.SCRIPTS)
        for path, content in scripts.items():
            done = subprocess.run(
                ["bash", "-n"], input=content, capture_output=True, text=True, check=False
            )
            assert (done.returncode, done.stderr) == (0, ""), path


def test_every_setting_that_a_script_or_unit_reads_is_set(machines: dict[str, Machine]) -> None:
    for machine in machines.values():
        read = {
            name
            for content in machine.files.values()
            for name in re.findall(r"\$\{?((?:MACHINE|AWS|AZURE)_\w+)", content)
        } - {"MACHINE_SETTINGS"}
        # What only the other cloud's branch reads.
        other = "AZURE_" if machine.settings["MACHINE_CLOUD"] == "aws" else "AWS_"
        assert {name for name in read if not name.startswith(other)} <= machine.settings.keys()
        assert all(machine.settings.values())
        assert "@" not in machine.files["/etc/systemd/system/callplane-kamailio.service"]


def test_a_machine_drains_before_kamailio_stops_and_keeps_the_rest_until_then(
    cloud: Cloud, machines: dict[str, Machine]
) -> None:
    chosen = cloud.inputs().configuration.sbc
    seconds = chosen.drain_seconds + chosen.services_seconds
    for machine in machines.values():
        unit = machine.unit("callplane-kamailio.service")
        assert unit["ExecStop"] == "+/usr/local/sbin/callplane-drain"
        assert (
            int(unit["TimeoutStopSec"]) > seconds == int(machine.settings["MACHINE_LIMIT_SECONDS"])
        )
        # What a unit comes after is stopped after it.
        first = unit["After"].split()
        assert {"callplane-rtpengine.service", "callplane-callcontrol.service"} <= set(first)
        # It starts without call control, and with the files it has where the store is away.
        assert "Requires" not in unit
        assert unit["ExecStartPre"].startswith("-")
        masked = [command for command in machine.cloud_init["bootcmd"] if "mask" in command]
        assert {"kamailio.service", "rtpengine-daemon.service"} <= set(masked[0])
        for name in cloud_init.STARTED:
            assert f"/etc/systemd/system/{name}" in machine.files


def test_kamailio_gets_what_the_renderer_writes(cloud: Cloud, machines: dict[str, Machine]) -> None:
    inputs = cloud.inputs()
    for name, machine in machines.items():
        files = dict(machine.stored)
        assert sorted(files.pop("index").split()) == sorted(files)
        del files["callcontrol.env"]
        # It listens on a private address and is reached at the public one.
        outside = machine.settings["MACHINE_PUBLIC_ADDRESS"]
        values = dataclasses.replace(inputs.sbcs[name], advertised=outside)
        assert files == rendering.render(values)
        assert f"listen=udp:{values.core} advertise {outside}:5060" in files["kamailio.cfg"]
        assert machine.settings["MACHINE_CONFIG"] == inputs.sbcs[name].folders.config


def test_call_control_is_told_what_it_knows(cloud: Cloud, machines: dict[str, Machine]) -> None:
    inputs = cloud.inputs()
    for name, machine in machines.items():
        lines = machine.stored["callcontrol.env"].splitlines()
        told = dict(line.split("=", 1) for line in lines)
        known = {f"{PREFIX}{field.upper()}" for field in CallControlSettings.model_fields}
        assert told.keys() <= known
        settings = CallControlSettings.from_environment(told)
        assert settings.sbcs == (str(inputs.sbcs[name].call_control),)
        assert settings.source == f"sbc:{name}"
        assert settings.spools == ("/var/spool/callplane/sbc.log",)
        assert urlsplit(settings.database_url).username == database_roles.CALLS
        # One that waits for the spool's folder would never see it.
        started = machine.files["/usr/local/sbin/callplane-callcontrol"]
        assert "--volume /var/spool/callplane:/var/spool/callplane" in started
        assert machine.settings["MACHINE_IMAGE"] == inputs.configuration.platform.image


def test_each_sbc_has_an_address_and_a_name_of_its_own(
    registered: list[Registered], machines: dict[str, Machine]
) -> None:
    addresses = {machine.settings["MACHINE_PUBLIC_ADDRESS"] for machine in machines.values()}
    assert len(addresses) == len(machines)
    named = machine_view.names(registered)
    assert named == {
        machine.settings["MACHINE_HOST_NAME"]: machine.settings["MACHINE_PUBLIC_ADDRESS"]
        for machine in machines.values()
    }
    for machine in machines.values():
        media = machine.unit("callplane-rtpengine.service")["ExecStart"]
        assert "--interface=${MACHINE_ADDRESS}!${MACHINE_PUBLIC_ADDRESS}" in media


def test_the_firewall_admits_the_table_of_peers_and_nobody_else(
    cloud: Cloud, registered: list[Registered]
) -> None:
    inputs = cloud.inputs()
    chosen = inputs.configuration
    for name, values in inputs.sbcs.items():
        peers = [each for each in firewall.shipped_peers() if each.name in chosen.sbc.peers]
        wanted = {
            (str(rule.network), rule.protocol, rule.first_port, rule.last_port)
            for rule in firewall.rules(values, peers, rtp=chosen.sbc.rtp_ports)
        }
        cluster = str(chosen.network.cluster)
        wanted |= {(cluster, "tcp", port, port) for port in (8081, 9494)}
        wanted |= {(str(each), "tcp", 22, 22) for each in chosen.network.administrators}
        found = machine_view.admitted(registered, name)
        assert found == wanted
        world = {rule for rule in found if rule[0] == "0.0.0.0/0"}
        assert {rule[2] for rule in world} == {5080, chosen.sbc.rtp_ports[0]}


def test_only_the_cluster_and_the_sbcs_reach_the_database(
    cloud: Cloud, registered: list[Registered]
) -> None:
    network = cloud.inputs().configuration.network
    sbcs = machine_view.networks_of_sbcs(network)
    wanted = {(str(each), "tcp", 5432, 5432) for each in (network.cluster, *sbcs)}
    if cloud.name == "azure":
        # There a standby follows through the firewall of the subnet.
        wanted.add((str(network.database), "tcp", 5432, 6432))
    assert machine_view.admitted(registered, "database") == wanted


def test_prometheus_on_the_cluster_is_told_where_the_machines_are(
    cloud: Cloud, registered: list[Registered]
) -> None:
    (found,) = [each.plain for each in objects(registered) if each.kind.endswith(":ScrapeConfig")]
    instances = cloud.inputs().configuration.sbc.instances
    assert {target for each in found["spec"]["staticConfigs"] for target in each["targets"]} == {
        f"{each.address}:{port}" for each in instances for port in (8081, 9494)
    }


def test_a_drained_machine_may_be_replaced_and_no_other(cloud: Cloud) -> None:
    made = recording.record(lambda: cloud.declare(sbc=cloud.instances(drained=True)))
    held = machine_view.held(made)
    assert held == {"sbc1": False, "sbc2": True}
    machines = {each.name: each for each in made if each.kind in machine_view.MACHINES}
    assert {name: each.protected for name, each in machines.items()} == held
    # A new image, size or script changes no machine that carries calls.
    assert machines["sbc1"].ignored == ()
    assert len(machines["sbc2"].ignored) == 3
    everything = [(each.kind, each.name, each.plain) for each in made]
    assert not any(policies.violations(each.kind, each.plain) for each in made)
    assert not any(list(check(everything)) for check in policies.STACK_POLICIES.values())


def test_what_calls_and_books_depend_on_is_protected(registered: list[Registered]) -> None:
    ends = (":Eip", ":PublicIPAddress", ":Server", "rds/instance:Instance", ":VirtualMachine")
    found = [each for each in registered if each.kind.endswith((*ends, "ec2/instance:Instance"))]
    assert len(found) == 5
    # Nobody reads a ledger or a disk without its key.
    found += [each for each in registered if each.kind.endswith(":Key")]
    assert all(each.protected for each in found)


#: What a machine with calls needs, by the ends of their kinds: its place in the network and in DNS,
#: whoever is let in to it, and what it reads when it starts.
NEEDED = (
    *(":NetworkInterface", ":Eip", ":PublicIPAddress", ":Record", ":RecordSet"),
    *(":SecurityGroup", ":SecurityGroupIngressRule", ":SecurityGroupEgressRule"),
    *(":NetworkSecurityGroup", ":BucketObjectv2", ":Blob", ":RoleAssignment", ":RolePolicy"),
)


def test_what_a_machine_needs_goes_after_it(registered: list[Registered]) -> None:
    """Its deletion is refused while it is held, and the engine deletes nothing before that which
    the machine came after: an SBC that left the configuration by mistake keeps its calls.
    """
    known = {(each.kind, each.name): each for each in registered}
    for machine in (each for each in registered if each.kind in machine_view.MACHINES):
        needed, left = set(machine.after), set(machine.after)
        while left:
            more = known[left.pop()].after - needed
            needed, left = needed | more, left | more
        own = {
            key
            for key in known
            if key[0].endswith(NEEDED) and f"{key[1]}-".startswith(f"{machine.name}-")
        }
        assert len(own) > 10
        assert own - needed == set()


def test_the_interface_of_a_machine_with_calls_is_its_own(cloud: Cloud) -> None:
    """An address would follow another interface before anybody looked at the machine."""
    made = recording.record(lambda: cloud.declare(sbc=cloud.instances(drained=True)))
    faces = {each.name: each for each in made if each.kind.endswith(":NetworkInterface")}
    assert {name: each.protected for name, each in faces.items()} == {"sbc1": False, "sbc2": True}
    assert faces["sbc1"].ignored == ()


def test_everything_goes_to_the_cloud_and_the_cluster_that_are_configured(
    registered: list[Registered],
) -> None:
    for each in registered:
        package = each.kind.partition(":")[0]
        if package in ("aws", "azure-native", "kubernetes"):
            name = "cluster" if package == "kubernetes" else package.partition("-")[0]
            assert f"pulumi:providers:{package}::{name}::" in each.provider, each.name


def test_the_plugin_changes_files_and_addresses_where_they_are(
    registered: list[Registered],
) -> None:
    (plugin,) = [each for each in registered if each.kind == "pulumi:providers:kubernetes"]
    assert {name: plugin.plain[name] for name in IN_PLACE} == dict.fromkeys(IN_PLACE, "true")


def test_every_alarm_has_a_runbook(cloud: Cloud, registered: list[Registered]) -> None:
    page = (machine_view.ROOT / "docs/stacks.md").read_text(encoding="utf-8")
    alarms = machine_view.alarms(registered)
    assert len(alarms) == 3
    for name, text in alarms.items():
        runbook = name.split("-")[0]
        assert re.search(rf"^### {runbook}$", page, re.MULTILINE), runbook
        assert f"docs/stacks.md#{runbook.lower()}" in text


def test_settings_survive_a_shell(tmp_path: Any) -> None:
    wanted = {"MACHINE_A": "two words", "MACHINE_B": "$HOME 'quoted'", "MACHINE_C": "a=b"}
    path = tmp_path / "machine.env"
    path.write_text(cloud_init.environment(wanted))
    script = f". {shlex.quote(str(path))}; printf '%s\\n' " + " ".join(f'"${n}"' for n in wanted)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == list(wanted.values())


def test_the_roles_are_those_that_the_schema_grants_to() -> None:
    schema = (machine_view.ROOT / "operator/callplane/store/schema.py").read_text(encoding="utf-8")
    granted = re.findall(r'^\w+_ROLE = "(\w+)"$', schema, re.MULTILINE)
    assert list(database_roles.ROLES) == [database_roles.OWNER, *granted]
    script = database_roles.script()
    for role in database_roles.ROLES:
        assert f"alter role {role} login password" in script


def test_every_password_that_is_asked_for_is_used() -> None:
    assert set(given_cluster.PASSWORDS) == {database_roles.ADMINISTRATOR, *database_roles.ROLES}
