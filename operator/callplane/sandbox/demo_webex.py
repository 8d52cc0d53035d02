"""The demo's chapter about Webex: a person changes platforms and keeps the number."""

from __future__ import annotations

from callplane.sandbox.components import WEBEX
from callplane.sandbox.demo_stage import DOMAIN, TREE, Stage
from callplane.sandbox.simulator_control import SimulatorControl

ORGANISATION_ID = "5d0f2a61-7c1e-4b8e-9d35-2f4c8a1b6e90"
PERSON = "ada"
# What the simulated service app signs in with; samples, as the simulator itself says.
CLIENT_ID = "C1e57000000000000000000000000009"
SECRET = "simulated-secret"
REFRESH_TOKEN = "simulated-refresh-token-of-the-demo"

ORGANIZATION = """\
apiVersion: callplane.dev/v1alpha1
kind: WebexOrganization
metadata: {{name: webex, namespace: platform}}
spec:
  orgId: {organisation}
  credentials:
    serviceApp:
      clientId: {client}
      clientSecretRef: {{name: webex, key: client-secret}}
      refreshTokenRef: {{name: webex, key: refresh-token}}
  endpoint: {{api: "{url}/v1"}}
  writesPerSecond: 10
  driftInterval: 10s
  allowedNamespaces: [{{name: support}}]
"""
IN_WEBEX = """\
apiVersion: callplane.dev/v1alpha1
kind: WebexUser
metadata: {{name: {person}, namespace: support}}
spec:
  organizationRef: {{name: webex, namespace: platform}}
  email: {person}@{domain}
  location: London
  phoneNumber: {{e164: "{number}"}}
"""


def to_webex(stage: Stage) -> None:
    """A person's number goes from Teams to Webex; at no moment is it nobody's to keep."""
    number = stage.number_of(PERSON)
    assert number is not None
    control = _organisation(stage)
    stage.page.prose(
        f"""Ada moves from Teams to Webex Calling and keeps {number}. One commit says both: in Teams
        no number any more, in Webex this one. The register keeps the number for her; Webex gets it
        once Teams has let go."""
    )
    url = stage.sandbox.addresses[f"{WEBEX}/http"]
    stage.run(
        "kubectl create secret generic webex -n platform"
        f" --from-literal=client-secret={SECRET} --from-literal=refresh-token={REFRESH_TOKEN}"
    )
    stage.commit(
        "platform/webex.yaml",
        ORGANIZATION.format(organisation=ORGANISATION_ID, client=CLIENT_ID, url=url),
    )
    stage.run(f"kubectl apply -f {TREE}/platform/webex.yaml")
    stage.run(
        "kubectl wait --for=condition=Ready --timeout=60s webexorganization/webex -n platform"
    )
    given, wanted = f"support/{PERSON}.yaml", f"support/{PERSON}-webex.yaml"
    head, _, _ = stage.text(given).partition("  phoneNumber:")
    stage.commit(wanted, IN_WEBEX.format(person=PERSON, domain=DOMAIN, number=number))
    stage.commit(given, head + "  phoneNumber: {none: {}}\n")
    stage.run(f"kubectl apply -f {TREE}/{wanted} -f {TREE}/{given}")
    stage.until(lambda: _has_it(control, number), "the number is in Webex")
    stage.run(
        f"kubectl wait --for=condition=Ready --timeout=60s -n support webexuser/{PERSON}"
        f" teamsuser/{PERSON}"
    )
    stage.run(f"kubectl get teamsuser/{PERSON} webexuser/{PERSON} -n support")
    stage.run(f"callplane numbers history {number}")
    stage.expect(
        stage.number_of(PERSON) is None and _has_it(control, number),
        f"{number} is Ada's in Webex and nobody's in Teams, and it never rested in between",
        otherwise=f"Ada has {stage.number_of(PERSON)} in Teams, and Webex says "
        f"{control.state()['numbers'].get(number)}",
    )


def _has_it(control: SimulatorControl, number: str) -> bool:
    state = control.state()
    holder = state["numbers"].get(number, {"holder": None})["holder"]
    return holder is not None and state["users"][holder]["email"] == f"{PERSON}@{DOMAIN}"


def _organisation(stage: Stage) -> SimulatorControl:
    """An organisation that knows the person, without a number and without a licence for calls."""
    address = f"{stage.sandbox.addresses[f'{WEBEX}/http']}/_simulator"
    SimulatorControl(address).add_tenant(
        id=ORGANISATION_ID,
        domain=DOMAIN,
        people=[{"email": f"{PERSON}@{DOMAIN}"}],
        ranges=[{"first": "+441134960500"}],
        service_apps=[
            {
                "client_id": CLIENT_ID,
                "client_secret": SECRET,
                "refresh_token": REFRESH_TOKEN,
            }
        ],
    )
    return SimulatorControl(address, tenant=ORGANISATION_ID)
