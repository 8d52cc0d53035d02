"""How GitOps programs tell whether our objects are fine: Lua for Argo CD, CEL for Flux.

Both read the conditions of `status.conditions` as `status.conditions` writes them, in the order of
kstatus: an old generation, Reconciling, Stalled, Ready. Flux needs an entry a kind; Argo CD takes a
wildcard under the one key `resource.customizations`.
"""

from __future__ import annotations

from callplane.apis import registry
from callplane.apis.model import API_VERSION, GROUP
from callplane.deployment.options import Body

# Suspended comes before Stalled and Ready: what they say is from before, and stays so on purpose.
ARGO_CD_LUA = """\
local health = { status = "Progressing", message = "waiting for the first pass" }
local status = obj.status
if status == nil or status.conditions == nil then
  return health
end
local found = {}
for _, condition in ipairs(status.conditions) do
  found[condition.type] = condition
end
local function says(name, wanted)
  return found[name] ~= nil and found[name].status == wanted
end
if status.observedGeneration ~= nil and obj.metadata.generation ~= nil
    and status.observedGeneration ~= obj.metadata.generation then
  health.message = "the newest generation has not been looked at"
elseif says("Suspended", "True") then
  health = { status = "Suspended", message = found.Suspended.message }
elseif says("Reconciling", "True") then
  health.message = found.Reconciling.message
elseif says("Stalled", "True") then
  health = { status = "Degraded", message = found.Stalled.message }
elseif says("Ready", "True") then
  health = { status = "Healthy", message = found.Ready.message }
elseif found.Ready ~= nil then
  health.message = found.Ready.message
end
return health
"""

_SEEN = (
    "has(status.observedGeneration) && has(metadata.generation)"
    " && status.observedGeneration == metadata.generation && has(status.conditions)"
)


def _says(condition: str) -> str:
    return f"status.conditions.exists(c, c.type == '{condition}' && c.status == 'True')"


#: Flux waits while `inProgress` holds, fails at once on `failed`, and is content with `current`.
FLUX_EXPRESSIONS: dict[str, str] = {
    "inProgress": f"!({_SEEN}) || {_says('Reconciling')}",
    "failed": f"{_SEEN} && {_says('Stalled')}",
    "current": (f"{_SEEN} && {_says('Ready')} && !{_says('Reconciling')} && !{_says('Stalled')}"),
}


def argo_cd() -> Body:
    """A patch for the ConfigMap `argocd-cm`."""
    lines = "".join(f"    {line}\n" if line else "\n" for line in ARGO_CD_LUA.splitlines())
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "argocd-cm",
            "namespace": "argocd",
            "labels": {
                "app.kubernetes.io/name": "argocd-cm",
                "app.kubernetes.io/part-of": "argocd",
            },
        },
        "data": {"resource.customizations": f'"{GROUP}/*":\n  health.lua: |\n{lines}'},
    }


def flux() -> Body:
    """A patch for a Flux `Kustomization` that applies objects of ours."""
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "callplane-tenants", "namespace": "flux-system"},
        "spec": {
            "wait": True,
            "timeout": "10m",
            "healthCheckExprs": [
                {"apiVersion": API_VERSION, "kind": kind.name, **FLUX_EXPRESSIONS}
                for kind in registry.KINDS
            ],
        },
    }
