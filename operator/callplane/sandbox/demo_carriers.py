"""The demo's chapters about carriers."""

from __future__ import annotations

from callplane.sandbox.components import SIMWOOD
from callplane.sandbox.demo_stage import ACCOUNT, TREE, Stage
from callplane.sandbox.simulator_control import SimulatorControl

CARRIER_SECRET = "simulated-secret"
CARRIER_USER = "simulated-user"
NUMBER = "+441134960007"

CARRIER = """\
apiVersion: callplane.dev/v1alpha1
kind: Carrier
metadata: {{name: simwood, namespace: platform}}
spec:
  type: Simwood
  account: "{account}"
  credentials: {{user: {user}, secretRef: {{name: simwood, key: password}}}}
  endpoint: {{url: "{url}"}}
  trunk: {{endpoints: ["%e164@sbc1.example.com:5061;transport=tls"]}}
  purchasing: {{enabled: true, limit: {{numbers: 10}}}}
  writesPerSecond: 20
  driftInterval: 2s
"""
PHONE = f"""\
apiVersion: callplane.dev/v1alpha1
kind: PhoneNumber
metadata: {{name: leeds, namespace: platform}}
spec: {{e164: "{NUMBER}", acquisition: Order, carrierRef: {{name: simwood}}, route: DirectRouting}}
"""


def lost_answer(stage: Stage) -> None:
    """A number is bought once although the carrier's answer to the order never comes."""
    address = stage.sandbox.addresses[f"{SIMWOOD}/http"]
    control = SimulatorControl(f"{address}/_simulator")
    stage.page.prose(
        """Leeds needs a number, which has to be bought. Buying is off until a Carrier switches it
        on, and limited. This carrier takes the order and loses its answer: whoever sends it again
        on a guess may buy twice."""
    )
    stage.run(
        "kubectl create secret generic simwood -n platform"
        f" --from-literal=password={CARRIER_SECRET}"
    )
    carrier = CARRIER.format(account=ACCOUNT, user=CARRIER_USER, url=f"{address}/v3")
    stage.commit("platform/carrier.yaml", carrier)
    stage.commit("platform/leeds.yaml", PHONE)
    control.add_fault(effect="drop-after", kinds=["buyNumber"], times=1)
    stage.run(f"kubectl apply -f {TREE}/platform/carrier.yaml -f {TREE}/platform/leeds.yaml")
    stage.run("kubectl wait --for=condition=Ready --timeout=60s phonenumber/leeds -n platform")
    # The account's listing comes every two seconds; before it, the carrier shows what it had.
    stage.run(
        "kubectl wait --for=jsonpath={.status.owned}=1 --timeout=60s carrier/simwood -n platform",
        shown=False,
    )
    stage.run("kubectl get carriers,phonenumbers -n platform")
    stage.run(f"callplane numbers history {NUMBER}")
    orders, owned = control.writes(kind="buyNumber"), list(control.state()["numbers"])
    stage.expect(
        len(orders) == 1 and owned == [NUMBER],
        "the order was looked for and found: sent once, paid once, pointed at the SBC",
        otherwise=f"{len(orders)} orders were sent, and the account owns {len(owned)} numbers",
    )
