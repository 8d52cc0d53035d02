"""A machine's scripts in a folder of their own, with stand-ins for what only a machine has."""

from __future__ import annotations

import itertools
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from callplane.settings import CallControlSettings
from callplane_stacks import cloud_init

#: Stand-ins by name. Each writes down that it was called; what changes owners does nothing.
PROGRAMS = {
    "aws": 'cp "$STORE/$(basename "$4")" "$5"',
    "curl": """case "$*" in
        *169.254.169.254*) echo '{"access_token":"a-token","expires_in":"1"}' ;;
        *"Bearer a-token"*) cp "$STORE/$(basename "${@: -1}")" "$7" ;;
        *) exit 22 ;;
    esac""",
    "kamailio": '! grep -q refused "$3"',
    "openssl": 'echo key > "${11}"; echo own > "${13}"',
    "lego": 'mkdir -p "$KEPT"; echo issued | tee "$KEPT/$HOST.crt" > "$KEPT/$HOST.key"',
    "kamcmd": "true",
    "podman": "true",
    "id": "echo 1",
    "systemctl": "true",
    "chgrp": "true",
    "chown": "true",
    "install": 'cp "${@: -2:1}" "${@: -1}" || touch "${@: -1}"',
}


@dataclass(frozen=True, slots=True)
class Workbench:
    """The folders of a machine, its store and its stand-ins."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "etc/sbc"

    def run(self, script: str, *arguments: str, **settings: str) -> int:
        """The exit code of a script."""
        told = {
            "MACHINE_CLOUD": "aws",
            "MACHINE_HOST_NAME": "sbc1.example.com",
            "MACHINE_FILES": "s3://files/sbc1",
            "MACHINE_STATE": str(self.root / "state"),
            "MACHINE_CONFIG": str(self.config),
            "MACHINE_CERTIFICATES": str(self.root / "tls"),
            "MACHINE_RUN": str(self.root),
            "MACHINE_ACME_EMAIL": "voice@example.com",
            "MACHINE_ACME_DIRECTORY": "https://acme.example.com",
            "MACHINE_DNS": "route53",
            "AZURE_CLIENT_ID": "a-client",
            **settings,
        }
        (self.root / "machine.env").write_text(cloud_init.environment(told))
        done = subprocess.run(
            ["bash", "-s", *arguments],
            input=cloud_init.text(script),
            env={
                "MACHINE_SETTINGS": str(self.root / "machine.env"),
                "PATH": f"{self.root / 'programs'}:{os.environ['PATH']}",
                "STORE": str(self.root / "store"),
                "HOST": "sbc1.example.com",
                "CALLED": str(self.root / "called"),
                "KEPT": str(self.root / "state/lego/certificates"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode

    def store(self, **files: str) -> None:
        """Put files into the store, and their names into its index."""
        folder = self.root / "store"
        for name, content in files.items():
            (folder / name.replace("_", ".")).write_text(content)
        names = sorted(each.name for each in folder.iterdir() if each.name != "index")
        (folder / "index").write_text("".join(f"{name}\n" for name in names))

    def called(self, program: str) -> list[str]:
        """The arguments with which a stand-in was called."""
        lines = (self.root / "called").read_text().splitlines()
        return [line.partition(" ")[2] for line in lines if line.startswith(f"{program} ")]


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """A machine that was never started."""
    for name in ("programs", "store", "etc", "tls"):
        (tmp_path / name).mkdir()
    (tmp_path / "called").touch()
    for name, line in PROGRAMS.items():
        path = tmp_path / "programs" / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >> "$CALLED"\n{line}\n')
        path.chmod(0o755)
    return Workbench(tmp_path)


@pytest.mark.parametrize("cloud", ["aws", "azure"])
def test_a_machine_takes_its_files(bench: Workbench, cloud: str) -> None:
    bench.store(kamailio_cfg="first", callcontrol_env="secret=1")
    assert bench.run("callplane-fetch", MACHINE_CLOUD=cloud) == 0
    assert {each.name: each.read_text() for each in bench.config.iterdir()} == {
        "kamailio.cfg": "first"
    }
    told = bench.config.parent / "callcontrol.env"
    assert told.read_text() == "secret=1"
    assert len(bench.called("systemctl")) == 1
    # The same again changes nothing for call control.
    bench.store(kamailio_cfg="second")
    assert bench.run("callplane-fetch", MACHINE_CLOUD=cloud) == 0
    assert (bench.config / "kamailio.cfg").read_text() == "second"
    assert len(bench.called("systemctl")) == 1


@pytest.mark.parametrize("cloud", ["aws", "azure"])
def test_what_it_has_stays_where_the_store_is_away(bench: Workbench, cloud: str) -> None:
    bench.store(kamailio_cfg="first", numbers_cfg="numbers", callcontrol_env="secret=1")
    assert bench.run("callplane-fetch", MACHINE_CLOUD=cloud) == 0
    bench.store(kamailio_cfg="second")
    (bench.root / "store/numbers.cfg").unlink()
    assert bench.run("callplane-fetch", MACHINE_CLOUD=cloud) != 0
    assert (bench.config / "kamailio.cfg").read_text() == "first"
    assert (bench.config / "numbers.cfg").read_text() == "numbers"
    assert [each.name for each in (bench.root / "state").iterdir()] == []


def test_what_it_has_stays_where_kamailio_refuses_what_is_new(bench: Workbench) -> None:
    bench.store(kamailio_cfg="first", callcontrol_env="secret=1")
    assert bench.run("callplane-fetch") == 0
    bench.store(kamailio_cfg="refused")
    assert bench.run("callplane-fetch") == 1
    assert (bench.config / "kamailio.cfg").read_text() == "first"
    bench.store(kamailio_cfg="third")
    assert bench.run("callplane-fetch") == 0
    assert (bench.config / "kamailio.cfg").read_text() == "third"


@pytest.mark.parametrize("cloud", ["aws", "azure"])
def test_who_was_stopped_between_two_sets_of_files_starts_with_the_older(
    bench: Workbench, cloud: str
) -> None:
    """The store may be away when the machine comes up again, and Kamailio has to start."""
    bench.store(kamailio_cfg="first", callcontrol_env="secret=1")
    assert bench.run("callplane-fetch", MACHINE_CLOUD=cloud) == 0
    bench.config.rename(bench.config.with_name("sbc.before"))
    for each in (bench.root / "store").iterdir():
        each.unlink()
    (bench.root / "programs/curl").write_text("#!/bin/bash\nexit 7\n")
    assert bench.run("callplane-fetch", MACHINE_CLOUD=cloud) != 0
    assert (bench.config / "kamailio.cfg").read_text() == "first"


def test_kamailio_has_a_certificate_before_anybody_issued_one(bench: Workbench) -> None:
    assert bench.run("callplane-certificate", "placeholder") == 0
    assert (bench.root / "tls/tls.crt").read_text() == "own\n"
    assert (bench.root / "tls/ca.pem").exists()
    assert bench.called("lego") == []


def test_call_control_sees_the_certificate_that_is_used_and_no_key(bench: Workbench) -> None:
    public = bench.root / "state/public"
    for argument, content in (("placeholder", "own\n"), ("", "issued\n")):
        assert bench.run("callplane-certificate", argument) == 0
        assert [each.name for each in public.iterdir()] == ["tls.crt"]
        assert (public / "tls.crt").read_text() == content


def test_call_control_is_given_kamailios_socket_and_the_certificate(bench: Workbench) -> None:
    assert bench.run("callplane-callcontrol", MACHINE_IMAGE="callplane:1") == 0
    (line,) = bench.called("podman")
    words = line.split()
    given = dict(itertools.pairwise(words))
    told = dict(
        words[place + 1].split("=", 1) for place, word in enumerate(words) if word == "--env"
    )
    mounted = {words[place + 1] for place, word in enumerate(words) if word == "--volume"}
    run, public = str(bench.root), f"{bench.root}/state/public"
    # Kamailio answers on a socket of the asker's own, in the folder that both see.
    assert told.pop("TMPDIR") == run
    settings = CallControlSettings.from_environment({**told, "CALLPLANE_SBCS": "127.0.0.1:8448"})
    assert settings.rpc_sockets == (f"{run}/rpc.sock",)
    assert settings.certificates == (f"{public}/tls.crt",)
    assert {f"{run}:{run}", f"{public}:{public}:ro"} <= mounted
    assert given["--user"] == "1:1"


def test_a_certificate_is_asked_for_once_and_then_renewed(bench: Workbench) -> None:
    for verb in (" run", " renew --days 30"):
        assert bench.run("callplane-certificate") == 0
        assert (bench.root / "tls/tls.crt").read_text() == "issued\n"
        assert (bench.root / "tls/tls.key").read_text() == "issued\n"
        assert bench.called("lego")[-1].endswith(verb)
        # Loaded when there is a new one, and not at every look for one.
        (loaded,) = bench.called("kamcmd")
        assert loaded.endswith("tls.reload")
    assert "--key-type rsa2048" in bench.called("lego")[0]
