"""Every benchmark runs to its end with a few people, and its last line says what was promised.

Figures of so few people mean little; what is held here are counts, which a slow machine has too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]


def last_line(name: str, *arguments: str) -> dict[str, Any]:
    """Run a benchmark as `make bench` does; its last line as JSON."""
    done = subprocess.run(
        [sys.executable, f"benchmarks/{name}.py", *arguments],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_converge() -> None:
    found = last_line("converge", "--smoke")
    assert found["users"] == 100
    assert found["users_per_second"] > 0
    assert found["operator_cpu_ms_per_user"] > 0
    assert found["operator_rss_mb"] < 400
    # The finalizer and the end; what takes longer than five seconds says so in between, once. The
    # Lease and the tenant's status are a few writes more, however many people there are.
    assert 2 <= found["apiserver_writes_per_user"] <= 3 + 10 / found["users"]
    assert found["provider_reads_per_user"] <= 1
    # The provider's own burst makes the beginning free.
    assert found["throttle_bound_ratio"] > 0.4
    assert found["ratio_to_bare_loop"] > 0


def test_size() -> None:
    found = last_line("size", "--smoke")
    assert found["calls"] == 1_700
    assert found["numbers"] == 100
    # What rows are at the least; how full their pages are is nobody's promise.
    assert found["record_bytes"] > 300
    assert found["reserved_call_bytes"] > found["dump_bytes_per_call"] > 50
    assert found["number_bytes"] > 500


def test_steady() -> None:
    found = last_line("steady", "--smoke")
    assert found["users"] == 100
    assert found["provider_calls"] <= found["provider_pages"]
    assert found["provider_writes"] == 0
    assert found["apiserver_writes"] == 0
    assert found["connection_status_writes"] <= found["checks"]


def test_edit() -> None:
    found = last_line("edit", "--smoke")
    # That all of them arrive, and none before its time, is what the benchmark itself insists on.
    assert 0 < found["edit_p50_seconds"] <= found["edit_p99_seconds"]
    assert 0 < found["leaver_p50_seconds"] <= found["leaver_p99_seconds"]


def test_failover() -> None:
    found = last_line("failover", "--smoke")
    assert found["first_edit_seconds"] > 0
    assert found["redundant_writes"] == 0


def test_move() -> None:
    found = last_line("move", "--smoke")
    assert found["moves"] == 40
    # The number leaves Teams, joins the inventory of Webex and gets its person there, once each.
    assert found["teams_writes_per_move"] == 1
    assert found["webex_writes_per_move"] == 2
    # Both systems' own bursts make the beginning free.
    assert found["throttle_bound_ratio"] > 0.4


def test_plan() -> None:
    found = last_line("plan", "--users=200", "--runs=1", "--no-cluster")
    assert found["manifests"] > 200
    assert found["plan_seconds"] > 0
    assert found["ratio"] > 0


def test_stacks() -> None:
    found = last_line("stacks")
    assert found["resources"] > 60
    assert found["unguarded_databases_firewalls_pods_machines"] == 0
    assert found["preview_seconds"] > 0
    assert found["no_change_up_seconds"] > 0


def test_authorise() -> None:
    found = last_line("authorise", "--smoke")
    assert found["sql_p50_ms"] > 0
    assert found["p99_ms"] > 0
    assert found["closed_loop_per_second"] > 0
    assert found["closed_loop_hot_per_second"] > 0
    assert found["full_calls_per_second"] > 0
    assert found["decisions_per_second"] > 0


def test_rate() -> None:
    found = last_line("rate", "--smoke")
    assert found["records"] == 20_000
    assert found["unrated"] == 0
    assert found["mismatches"] == 0
    assert found["compared"] >= 4_000
    assert found["batch_per_second"] > 0
    assert found["drawdown_per_second"] > 0
    assert found["single_per_second"] > 0
    # What a call costs to rate does not grow with its length.
    assert found["rated_three_hours_per_second"] > found["rated_per_second"] / 3


def test_intake() -> None:
    found = last_line("intake", "--smoke")
    assert found["cdrs_per_second"] > 0
    assert found["bare_sql_per_second"] > 0
    assert found["beside_cdrs_per_second"] > 0
    assert 0 < found["beside_reserve_p50_ms"] <= found["beside_reserve_p99_ms"]


def test_import() -> None:
    found = last_line("import", "--smoke")
    assert (found["users"], found["numbers"]) == (200, 500)
    assert found["changes"] == 0
    assert found["import_seconds"] > 0
    assert found["replan_seconds"] > 0
    assert 0 < found["rss_mb"] < 600


def test_deck() -> None:
    """A large deck is not held in memory: as objects its rows would be 100 MB."""
    found = last_line("deck", "--rows=200000")
    assert found["rows"] == 200_000
    assert found["changes"] == {"dearer": 40_000, "same": 160_000}
    assert found["grown_megabytes"] < 30


@pytest.mark.timeout(900)
def test_a_deck_of_a_million_rows() -> None:
    """As objects its rows would be 500 MB."""
    found = last_line("deck", "--rows=1000000", "--once")
    assert found["rows"] == 1_000_000
    assert found["grown_megabytes"] < 30
