"""ValidatingAdmissionPolicies: what needs the requester to be judged, without a webhook.

`callplane-approvals`: `spec.approvedBy` of a ChangeApproval is the user who makes it. Accounts of
GitOps programs are exempt, for there the commit is the evidence; who they are stands, one account a
line, under `accounts` in the ConfigMap `callplane-gitops-accounts` of the operator's namespace.
Without that ConfigMap every approval is refused.

`callplane-operator-bounds`: the operator changes finalizers and status, never a spec and never the
content of a Secret, whatever its role would allow.
"""

from __future__ import annotations

from callplane.apis import change_approvals
from callplane.apis.model import GROUP, VERSION
from callplane.deployment.options import Body, Options, body

ADMISSION = "admissionregistration.k8s.io/v1"
APPROVALS = "callplane-approvals"
BOUNDS = "callplane-operator-bounds"
ACCOUNTS = "callplane-gitops-accounts"
ACCOUNTS_KEY = "accounts"


def objects(options: Options) -> list[Body]:
    """Both policies with their bindings, and the list of exempt accounts."""
    exempt = "".join(f"{name}\n" for name in options.gitops_accounts)
    return [
        body("v1", "ConfigMap", ACCOUNTS, options.namespace, data={ACCOUNTS_KEY: exempt}),
        _approvals(),
        _binding(
            APPROVALS,
            paramRef={
                "name": ACCOUNTS,
                "namespace": options.namespace,
                "parameterNotFoundAction": "Deny",
            },
        ),
        _bounds(options),
        _binding(BOUNDS),
    ]


def _approvals() -> Body:
    return body(
        *(ADMISSION, "ValidatingAdmissionPolicy", APPROVALS),
        spec={
            "failurePolicy": "Fail",
            "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
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
            "variables": [
                {
                    "name": "exempt",
                    "expression": (
                        f"has(params.data) && '{ACCOUNTS_KEY}' in params.data && "
                        f"params.data['{ACCOUNTS_KEY}'].split('\\n').exists(line, "
                        "line.trim() != '' && line.trim() == request.userInfo.username)"
                    ),
                }
            ],
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


def _binding(name: str, **fields: Body) -> Body:
    return body(
        *(ADMISSION, "ValidatingAdmissionPolicyBinding", name),
        spec={"policyName": name, "validationActions": ["Deny"], **fields},
    )
