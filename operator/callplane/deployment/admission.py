"""ValidatingAdmissionPolicies: what needs the requester to be judged, without a webhook.

`callplane-approvals`: `spec.approvedBy` of a ChangeApproval is the user who makes it. Accounts of
GitOps programs are exempt, for there the commit is the evidence; who they are stands in the
policy's variable `exempt`. Not in a ConfigMap that the policy names as its parameter: whoever edits
the operator's namespace could then exempt themselves, and an API server (1.37) that saw the
binding go and come again reads no change of it any more.

`callplane-operator-bounds`: the operator changes finalizers and status, never a spec and never the
content of a Secret, whatever its role would allow.
"""

from __future__ import annotations

from collections.abc import Iterable

from callplane.apis import change_approvals
from callplane.apis.model import GROUP, VERSION
from callplane.deployment.options import Body, Options, body

ADMISSION = "admissionregistration.k8s.io/v1"
APPROVALS = "callplane-approvals"
BOUNDS = "callplane-operator-bounds"


def objects(options: Options) -> list[Body]:
    """Both policies with their bindings."""
    return [_approvals(options), _binding(APPROVALS), _bounds(options), _binding(BOUNDS)]


def exemption(accounts: Iterable[str]) -> str:
    """The expression that is true for exempt users.

    >>> exemption(["system:serviceaccount:flux-system:kustomize-controller"])
    "request.userInfo.username in ['system:serviceaccount:flux-system:kustomize-controller']"
    """
    listed = ", ".join(f"'{account}'" for account in accounts)
    return f"request.userInfo.username in [{listed}]"


def _approvals(options: Options) -> Body:
    return body(
        *(ADMISSION, "ValidatingAdmissionPolicy", APPROVALS),
        spec={
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [GROUP],
                        "apiVersions": [VERSION],
                        # A spec cannot change once it is there, so its making is the moment.
                        "operations": ["CREATE"],
                        "resources": [change_approvals.KIND.plural],
                    }
                ]
            },
            "variables": [{"name": "exempt", "expression": exemption(options.gitops_accounts)}],
            "validations": [
                {
                    "expression": (
                        "variables.exempt || object.spec.approvedBy == request.userInfo.username"
                    ),
                    "messageExpression": (
                        "'spec.approvedBy must be the user who approves, ' + "
                        "request.userInfo.username"
                    ),
                    "reason": "Forbidden",
                }
            ],
        },
    )


def _bounds(options: Options) -> Body:
    return body(
        *(ADMISSION, "ValidatingAdmissionPolicy", BOUNDS),
        spec={
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["UPDATE"],
                        "resources": ["secrets"],
                    },
                    {
                        "apiGroups": [GROUP],
                        "apiVersions": [VERSION],
                        "operations": ["UPDATE"],
                        # Not their subresources: status is the operator's to write.
                        "resources": ["*"],
                    },
                ]
            },
            "matchConditions": [
                {
                    "name": "by-the-operator",
                    "expression": f"request.userInfo.username == '{options.account}'",
                }
            ],
            "validations": [
                {
                    "expression": " && ".join(
                        f"object.?{field} == oldObject.?{field}"
                        for field in (
                            "spec",
                            "data",
                            "type",
                            "immutable",
                            "metadata.?labels",
                            "metadata.?annotations",
                            "metadata.?ownerReferences",
                        )
                    ),
                    "message": "the operator changes finalizers and status only",
                    "reason": "Forbidden",
                }
            ],
        },
    )


def _binding(name: str) -> Body:
    return body(
        *(ADMISSION, "ValidatingAdmissionPolicyBinding", name),
        spec={"policyName": name, "validationActions": ["Deny"]},
    )
