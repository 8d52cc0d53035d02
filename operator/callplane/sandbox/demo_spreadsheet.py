"""The demo's chapter about what was there before: a spreadsheet becomes manifests."""

from __future__ import annotations

from callplane.sandbox.demo_stage import DOMAIN, Stage

# People who got their numbers by hand, and the numbers: of a range that git declares already.
PEOPLE = {"walt": "+441614960190", "xena": "+441614960191", "yves": "+441614960192"}
SHEET = "warehouse.csv"
INTO = "warehouse"
CLUSTER = "--kubeconfig cluster/kubeconfig"


def spreadsheet(stage: Stage) -> None:
    """People with numbers that nobody declared are stated, and nothing is changed for them."""
    for name, number in PEOPLE.items():
        stage.graph.portal("add_user", user_principal_name=f"{name}@{DOMAIN}")
        stage.graph.portal("assign", number=number, user=f"{name}@{DOMAIN}")
    writes, before = stage.writes(), stage.numbers_in_use()
    stage.page.prose(
        """The warehouse has had its numbers for years, given by hand and kept in a spreadsheet. It
        becomes manifests; a row that cannot be used would be named with its reason. The plan of
        what was written must be empty, and applying it must change nothing at Microsoft."""
    )
    rows = [f"{name.title()},{name}@{DOMAIN},{_local(number)}" for name, number in PEOPLE.items()]
    sheet = "\n".join(("Name,Mail,DDI", *rows))
    (stage.sandbox.folder / SHEET).write_text(sheet + "\n")
    stage.run(f"cat {SHEET}")
    stage.run(
        f'callplane import --csv {SHEET} --columns "userPrincipalName=Mail,number=DDI"'
        f" --country GB --tenant platform/example --namespace support --into {INTO}"
    )
    stage.run(f"callplane plan {INTO} {CLUSTER}")
    stage.run(f"kubectl apply -R -f {INTO}")
    stage.run(
        "kubectl wait --for=condition=Ready --timeout=60s -n support "
        + " ".join(f"teamsuser/{name}-{DOMAIN.replace('.', '-')}" for name in PEOPLE)
    )
    stage.expect(
        stage.writes() == writes and stage.numbers_in_use() == before,
        f"{len(PEOPLE)} people are declared as they were; writes at Microsoft: 0",
        otherwise=f"{stage.writes() - writes} writes followed from an import",
    )


def _local(number: str) -> str:
    """As the spreadsheet has it: the way people dial it."""
    return f"0{number[3:6]} {number[6:9]} {number[9:]}"
