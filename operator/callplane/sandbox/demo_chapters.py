"""The demo's chapters, in their order. Each does one thing a user would do and proves what came of
it; an expectation that is not met ends the demo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from callplane.sandbox import demo_calls, demo_carriers, demo_spreadsheet, demo_webex
from callplane.sandbox.control_plane import ADMINISTRATOR
from callplane.sandbox.demo_stage import TREE, Stage

WAIT_ALL = "kubectl wait --for=condition=Ready --timeout=60s teamsuser --all"
WAIT_ONE = "kubectl wait --for=condition=Ready --timeout=60s"
GRAPH_SECRET = "simulated-secret"
CLUSTER = "--kubeconfig cluster/kubeconfig"
PEOPLE = 40
# An exit code of `callplane plan`.
CHANGES = 2


@dataclass(frozen=True, slots=True)
class Chapter:
    """A headline and what happens under it."""

    headline: str
    play: Callable[[Stage], None]


def repository(stage: Stage) -> None:
    """What lies in git, checked without a cluster."""
    page = stage.page
    page.prose(
        """A platform team owns a Microsoft 365 tenant and two ranges of numbers. Two teams have
        twenty people each. All of it is YAML in a repository; a check needs nothing but the
        files."""
    )
    stage.run(f"cat {TREE}/sales/amy.yaml")
    stage.run(f"callplane validate {TREE}")
    page.gap()
    page.prose("The platform team's part comes first. The client secret never lies in git.")
    stage.run(f"kubectl apply -f {TREE}/00-namespaces.yaml")
    stage.run(
        "kubectl create secret generic example-graph -n platform"
        f" --from-literal=client-secret={GRAPH_SECRET}"
    )
    stage.run(f"kubectl apply -f {TREE}/platform")
    stage.run(f"{WAIT_ONE} teamstenant/example numberrange/london -n platform")


def everybody(stage: Stage) -> None:
    """Forty people get forty numbers."""
    stage.page.prose(
        """One apply. The operator claims a free number for each person in its register, orders it
        at Microsoft, and reports Ready when it sees it there."""
    )
    stage.page.prose("Before anything happens, the plan says what would:")
    stage.run(f"callplane plan {TREE} {CLUSTER}", code=CHANGES, rows=8)
    stage.page.gap()
    began = stage.clock.monotonic()
    stage.run(f"kubectl apply -R -f {TREE}", rows=5)
    stage.run(f"{WAIT_ALL} --all-namespaces", rows=2)
    took = stage.clock.monotonic() - began
    stage.run("kubectl get teamsusers -n sales", rows=5)
    stage.run("kubectl get numberranges -n platform")
    in_use = stage.numbers_in_use()
    stage.expect(
        len(in_use) == PEOPLE == len(set(in_use.values())) == stage.writes(),
        f"{PEOPLE} people, {PEOPLE} numbers, {PEOPLE} writes at Microsoft, {took:.1f} s",
        otherwise=f"{len(in_use)} numbers are in use after {stage.writes()} writes, not {PEOPLE}",
    )


def behind_our_back(stage: Stage) -> None:
    """An administrator's change is found and repaired."""
    number = stage.number_of("cara")
    stage.page.prose(
        f"""In the Teams admin centre, an administrator takes {number} away from Cara. Nobody
        changed git, so this is drift: the next look at the tenant finds it and puts it right."""
    )
    seen = len(stage.graph.changes())
    stage.graph.portal("unassign", number=number)
    stage.until(lambda: stage.number_of("cara"), "Cara has a number again")
    stage.run(
        "kubectl wait teamsuser cara -n sales --for=condition=Ready --timeout=60s", shown=False
    )
    stage.page.note("what the tenant's own log says")
    for change in stage.graph.changes(since=seen):
        if change["aspect"] == "holder":
            who = "administrator" if change["by"] == "portal" else "callplane"
            did = "assigns" if change["after"] else "takes away"
            stage.page.output(f"{who:<14} {did:<11} {change['subject']}")
    stage.run("kubectl get teamsuser cara -n sales")
    stage.expect(
        stage.number_of("cara") == number,
        "Cara has her own number back",
        otherwise=f"Cara has {stage.number_of('cara')}, not {number}",
    )


def joiner(stage: Stage) -> None:
    """A new person is a new file."""
    stage.page.prose("Zoe joins Support. A new person is a new file; no number is typed anywhere.")
    stage.commit("support/zoe.yaml", stage.text("support/uma.yaml").replace("uma", "zoe"))
    stage.run(f"kubectl apply -f {TREE}/support/zoe.yaml")
    stage.run(f"{WAIT_ONE} teamsuser/zoe -n support")
    stage.run("kubectl get teamsuser zoe -n support")
    stage.expect(
        stage.number_of("zoe") is not None,
        "Zoe can be called",
        otherwise="Zoe is Ready and has no number",
    )


def leaver(stage: Stage) -> None:
    """The number of somebody who leaves rests."""
    number = stage.number_of("ben")
    stage.page.prose(
        """Ben leaves Sales. Taking a number away is gated: it waits three seconds for company, so
        that what belongs together is judged together. One leaver is within the limits. His number
        rests for 90 days before anybody else can get it."""
    )
    stage.run(f"kubectl delete -f {TREE}/sales/ben.yaml")
    stage.commit("sales/ben.yaml", "")
    _wait_resting(stage, 1)
    stage.run("kubectl get numberranges -n platform")
    state = _register(stage, f"select state from register.numbers where number = '{number}'")
    stage.expect(
        state == "Quarantined" and stage.number_of("ben") is None,
        f"{number} is nobody's at Microsoft and Quarantined in the register",
        otherwise=f"{number} is {state} in the register, Ben has {stage.number_of('ben')}",
    )


def swap(stage: Stage) -> None:
    """Two people exchange their numbers in one commit."""
    ines, omar = stage.number_of("ines"), stage.number_of("omar")
    assert ines is not None
    assert omar is not None
    stage.page.prose(
        """Ines and Omar swap numbers in one commit. Neither number may rest, nobody may get the
        other's in between, and whatever happens half-way, both end with what git says."""
    )
    stage.commit("sales/ines.yaml", stage.text("sales/ines.yaml").replace(ines, omar))
    stage.commit("sales/omar.yaml", stage.text("sales/omar.yaml").replace(omar, ines))
    stage.run(f"kubectl apply -f {TREE}/sales/ines.yaml -f {TREE}/sales/omar.yaml")
    stage.until(
        lambda: (stage.number_of("ines"), stage.number_of("omar")) == (omar, ines),
        "each has the other's number",
    )
    stage.run(f"{WAIT_ONE} teamsuser/ines teamsuser/omar -n sales", shown=False)
    stage.run("kubectl get teamsusers ines omar -n sales")
    stage.expect(
        (stage.number_of("ines"), stage.number_of("omar")) == (omar, ines),
        "each has the other's number",
        otherwise=f"Ines has {stage.number_of('ines')}, Omar {stage.number_of('omar')}",
    )


def wrong(stage: Stage) -> None:
    """Mistakes are refused where they are made."""
    stage.page.prose(
        """Two mistakes: a person with two answers to one question, and a number with a digit too
        few. The check in the pull request names file and line; the API server refuses the rest of
        the world's mistakes before anybody acts on them."""
    )
    text = stage.text("sales/tess.yaml")
    stage.commit("sales/tess.yaml", text + '    e164: "+44207946005"\n')
    stage.run(f"callplane validate {TREE}", code=1)
    stage.run(f"kubectl apply -f {TREE}/sales/tess.yaml", code=1)
    (stage.tree / "sales/tess.yaml").write_text(text)
    stage.expect(
        stage.number_of("tess") is not None,
        "refused, with the field and the reason; Tess keeps her number",
        otherwise="Tess lost her number",
    )


def mistake(stage: Stage) -> None:
    """A namespace deleted by mistake: held, answered with no."""
    before, writes = stage.numbers_in_use(), stage.writes()
    people = len(stage.items("teamsusers", "support"))
    stage.page.prose(
        f"""Somebody deletes the namespace of Support: {people} people would lose their numbers.
        That is over the limit, so nothing is taken away. The batch waits as a ChangePlan, with a
        digest that stands for exactly these changes."""
    )
    stage.run("kubectl delete namespace support --wait=false")
    plan = _held_plan(stage)
    stage.run("kubectl get changeplans -n platform")
    stage.run(f"callplane plan show {_digest(stage, plan)} {CLUSTER}", rows=7)
    stage.page.gap()
    stage.page.prose(
        """The answer is no. Detach lets the objects go and writes nothing to Microsoft; what git
        still says is then applied again."""
    )
    _answer(stage, plan, decision="Detach", reason="The namespace was deleted by mistake")
    stage.until(lambda: not _exists(stage, "support"), "the namespace is gone")
    stage.run(f"kubectl apply -R -f {TREE}", rows=3)
    stage.run(f"{WAIT_ALL} -n support", rows=2)
    stage.expect(
        stage.numbers_in_use() == before and stage.writes() == writes,
        f"{people} people have the numbers they had; writes at Microsoft since the deletion: "
        f"{stage.writes() - writes}",
        otherwise=f"{stage.writes() - writes} writes followed from a deletion answered with no",
    )


def on_purpose(stage: Stage) -> None:
    """A namespace deleted on purpose: held, approved, everything rests."""
    people = len(stage.items("teamsusers", "sales"))
    stage.page.prose(
        f"""Sales is sold, with its {people} people. The same deletion, the same question, another
        answer: one approval of this digest lets these changes run, and no others."""
    )
    stage.run("kubectl delete namespace sales --wait=false")
    plan = _held_plan(stage)
    _answer(stage, plan, decision="Approve", reason="Sales has moved to the buyer")
    stage.until(
        lambda: not any(stage.number_of(name) for name in ("amy", "ines", "tess")),
        "the people of Sales have no numbers",
    )
    stage.until(lambda: not stage.items("teamsusers", "sales"), "the objects of Sales are gone")
    resting = "select count(*) from register.numbers where state = 'Quarantined'"
    _wait_resting(stage, people + 1)
    stage.run("kubectl get numberranges -n platform")
    stage.expect(
        _register(stage, resting) == str(people + 1),
        f"{people} numbers joined Ben's in quarantine; Support noticed nothing",
        otherwise=f"{_register(stage, resting)} numbers rest, not {people + 1}",
    )


def history(stage: Stage) -> None:
    """One number's life."""
    number = "+442079460050"
    stage.page.prose(
        """Each step of each number was written down in the transaction that made it, and chained,
        so that nothing can be changed afterwards without being noticed."""
    )
    told = stage.run(f"callplane numbers history {number}")
    stage.page.gap()
    stage.run("callplane numbers verify")
    stage.expect(
        "omar" in told and "ines" in told,
        "both of its holders are there, from the first claim to its rest",
        otherwise="the history does not name both of its holders",
    )


CHAPTERS = (
    Chapter("What lies in git", repository),
    Chapter("Forty people get their numbers", everybody),
    Chapter("An administrator changes something behind our back", behind_our_back),
    Chapter("Somebody joins", joiner),
    Chapter("Somebody leaves", leaver),
    Chapter("Two people swap numbers", swap),
    Chapter("A wrong manifest", wrong),
    Chapter("A namespace deleted by mistake", mistake),
    Chapter("A namespace deleted on purpose", on_purpose),
    Chapter("A carrier loses its answer", demo_carriers.lost_answer),
    Chapter("A person goes from Teams to Webex", demo_webex.to_webex),
    Chapter("A pool of minutes runs dry", demo_calls.calls),
    Chapter("A spreadsheet becomes manifests", demo_spreadsheet.spreadsheet),
    Chapter("The life of a number", history),
)


def _held_plan(stage: Stage) -> str:
    """The name of the one ChangePlan that waits for an answer."""

    def held() -> str:
        for plan in stage.items("changeplans", "platform"):
            if plan.get("status", {}).get("state") == "Held":
                return str(plan["metadata"]["name"])
        return ""

    return stage.until(held, "a ChangePlan is held")


def _digest(stage: Stage, plan: str) -> str:
    return next(
        str(each["spec"]["digest"])
        for each in stage.items("changeplans", "platform")
        if each["metadata"]["name"] == plan
    )


def _answer(stage: Stage, plan: str, *, decision: str, reason: str) -> None:
    expires = (stage.clock.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = f"platform/{decision.lower()}.yaml"
    stage.commit(
        path,
        f"""\
apiVersion: callplane.dev/v1alpha1
kind: ChangeApproval
metadata:
  name: {decision.lower()}-{plan}
  namespace: platform
spec:
  connectionRef: {{kind: TeamsTenant, name: example}}
  digest: {_digest(stage, plan)}
  decision: {decision}
  approvedBy: {ADMINISTRATOR}
  expiresAt: "{expires}"
  reason: {reason}
""",
    )
    stage.run(f"kubectl apply -f {TREE}/{path}")


def _wait_resting(stage: Stage, count: int) -> None:
    stage.run(
        "kubectl wait numberrange/london -n platform --timeout=60s"
        f" --for=jsonpath='{{.status.quarantined}}'={count}",
        shown=False,
    )


def _exists(stage: Stage, namespace: str) -> bool:
    return stage.sandbox.kubectl("get", "namespace", namespace, check=False).returncode == 0


def _register(stage: Stage, statement: str) -> str:
    return stage.sql(statement)
