"""Minimal shapes of the kinds that others define and our stacks use: what we set, and no more.

Nothing is kept that is not declared, so that a field we misspell is refused as the real definition
would refuse it. Sources: CloudNativePG 1.30, Barman Cloud plugin 0.14, cert-manager 1.17,
external-dns, Prometheus operator 0.80, Flux 2.6, Argo CD 3.1, Pulumi Kubernetes Operator 2.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
Body = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}


def fields(*required: str, **properties: Any) -> Schema:
    """An object of exactly these fields; a dict is a schema, a one-item list a list of it."""
    made: Schema = {
        "type": "object",
        "properties": {
            name: {"type": "array", "items": each[0]} if isinstance(each, list) else each
            for name, each in properties.items()
        },
    }
    if required:
        made["required"] = list(required)
    return made


NAMED = fields("name", name=TEXT)
KEY = fields("name", "key", name=TEXT, key=TEXT)
STORAGE = fields(size=TEXT, storageClass=TEXT, resizeInUseVolumes=FLAG)
SELECTOR = fields(matchLabels=TEXTS)
ENDPOINT = fields(port=TEXT, path=TEXT, interval=TEXT)
GROUP_KIND = fields("group", "kind", group=TEXT, kind=TEXT)
FROM_SECRET = fields("type", type=TEXT, secret=fields("name", "key", name=TEXT, key=TEXT))
HEALTH = fields(
    "apiVersion", "kind", apiVersion=TEXT, kind=TEXT, inProgress=TEXT, failed=TEXT, current=TEXT
)
ALERT = fields("expr", alert=TEXT, expr=TEXT, labels=TEXTS, annotations=TEXTS, **{"for": TEXT})

SPECS: dict[tuple[str, str, str], Schema] = {
    ("postgresql.cnpg.io", "v1", "Cluster"): fields(
        "instances",
        instances={"type": "integer", "minimum": 1},
        imageName=TEXT,
        storage=STORAGE,
        walStorage=STORAGE,
        enableSuperuserAccess=FLAG,
        enablePDB=FLAG,
        primaryUpdateStrategy={"type": "string", "enum": ["unsupervised", "supervised"]},
        primaryUpdateMethod={"type": "string", "enum": ["restart", "switchover"]},
        bootstrap=fields(
            initdb=fields(
                database=TEXT, owner=TEXT, secret=NAMED, dataChecksums=FLAG, postInitSQL=[TEXT]
            )
        ),
        managed=fields(
            roles=[fields("name", name=TEXT, ensure=TEXT, login=FLAG, passwordSecret=NAMED)]
        ),
        postgresql=fields(
            synchronous=fields(
                "method",
                "number",
                method={"type": "string", "enum": ["any", "first"]},
                number=NUMBER,
                dataDurability={"type": "string", "enum": ["required", "preferred"]},
            ),
            parameters=TEXTS,
        ),
        plugins=[fields("name", name=TEXT, isWALArchiver=FLAG, enabled=FLAG, parameters=TEXTS)],
        affinity=fields(podAntiAffinityType=TEXT, topologyKey=TEXT),
        resources=fields(requests=TEXTS, limits=TEXTS),
    ),
    ("postgresql.cnpg.io", "v1", "ScheduledBackup"): fields(
        "cluster",
        "schedule",
        cluster=NAMED,
        schedule={"type": "string", "pattern": r"^\S+ \S+ \S+ \S+ \S+ \S+$"},
        method={"type": "string", "enum": ["barmanObjectStore", "volumeSnapshot", "plugin"]},
        pluginConfiguration=NAMED,
        backupOwnerReference={"type": "string", "enum": ["none", "self", "cluster"]},
        immediate=FLAG,
    ),
    ("postgresql.cnpg.io", "v1", "Pooler"): fields(
        "cluster",
        "pgbouncer",
        cluster=NAMED,
        instances=NUMBER,
        type={"type": "string", "enum": ["rw", "ro", "r"]},
        pgbouncer=fields(
            poolMode={"type": "string", "enum": ["session", "transaction"]}, parameters=TEXTS
        ),
    ),
    ("barmancloud.cnpg.io", "v1", "ObjectStore"): fields(
        "configuration",
        retentionPolicy={"type": "string", "pattern": "^[1-9][0-9]*[dwm]$"},
        configuration=fields(
            "destinationPath",
            destinationPath=TEXT,
            s3Credentials=fields(accessKeyId=KEY, secretAccessKey=KEY),
            wal=fields(compression=TEXT),
            data=fields(compression=TEXT),
        ),
    ),
    ("cert-manager.io", "v1", "Certificate"): fields(
        "secretName",
        "issuerRef",
        secretName=TEXT,
        dnsNames=[TEXT],
        privateKey=fields(algorithm=TEXT, size=NUMBER, rotationPolicy=TEXT),
        usages=[TEXT],
        renewBefore=TEXT,
        issuerRef=fields("name", name=TEXT, kind=TEXT),
    ),
    ("externaldns.k8s.io", "v1alpha1", "DNSEndpoint"): fields(
        endpoints=[fields(dnsName=TEXT, recordType=TEXT, recordTTL=NUMBER, targets=[TEXT])]
    ),
    ("monitoring.coreos.com", "v1", "ServiceMonitor"): fields(
        "endpoints", "selector", selector=SELECTOR, endpoints=[ENDPOINT]
    ),
    ("monitoring.coreos.com", "v1", "PodMonitor"): fields(
        "selector", selector=SELECTOR, podMetricsEndpoints=[ENDPOINT]
    ),
    ("monitoring.coreos.com", "v1", "PrometheusRule"): fields(
        groups=[fields("name", name=TEXT, rules=[ALERT])]
    ),
    ("source.toolkit.fluxcd.io", "v1", "GitRepository"): fields(
        "url",
        "interval",
        url=TEXT,
        ref=fields(branch=TEXT, commit=TEXT),
        interval=TEXT,
        timeout=TEXT,
        secretRef=NAMED,
    ),
    ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization"): fields(
        "interval",
        "prune",
        "sourceRef",
        sourceRef=fields("kind", "name", kind=TEXT, name=TEXT),
        path=TEXT,
        interval=TEXT,
        retryInterval=TEXT,
        timeout=TEXT,
        prune=FLAG,
        wait=FLAG,
        healthCheckExprs=[HEALTH],
        serviceAccountName=TEXT,
    ),
    ("argoproj.io", "v1alpha1", "AppProject"): fields(
        description=TEXT,
        sourceRepos=[TEXT],
        destinations=[fields(server=TEXT, namespace=TEXT, name=TEXT)],
        clusterResourceWhitelist=[GROUP_KIND],
        namespaceResourceWhitelist=[GROUP_KIND],
    ),
    ("pulumi.com", "v1", "Stack"): fields(
        "stack",
        stack=TEXT,
        projectRepo=TEXT,
        repoDir=TEXT,
        branch=TEXT,
        commit=TEXT,
        gitAuth=fields(
            accessToken=FROM_SECRET, sshAuth=fields("sshPrivateKey", sshPrivateKey=FROM_SECRET)
        ),
        fluxSource=fields(
            "sourceRef",
            sourceRef=fields(
                *("apiVersion", "kind", "name"), apiVersion=TEXT, kind=TEXT, name=TEXT
            ),
            dir=TEXT,
        ),
        backend=TEXT,
        secretsProvider=TEXT,
        envRefs={"type": "object", "additionalProperties": FROM_SECRET},
        serviceAccountName=TEXT,
        refresh=FLAG,
        preview=FLAG,
        continueResyncOnCommitMatch=FLAG,
        resyncFrequencySeconds=NUMBER,
        useLocalStackOnly=FLAG,
        destroyOnFinalize=FLAG,
        workspaceTemplate=fields(
            spec=fields(
                image=TEXT,
                securityProfile={"type": "string", "enum": ["baseline", "restricted"]},
                resources=fields(requests=TEXTS, limits=TEXTS),
            )
        ),
    ),
    ("argoproj.io", "v1alpha1", "Application"): fields(
        "project",
        "destination",
        project=TEXT,
        source=fields(repoURL=TEXT, targetRevision=TEXT, path=TEXT, directory=fields(recurse=FLAG)),
        destination=fields(server=TEXT),
        syncPolicy=fields(automated=fields(prune=FLAG, selfHeal=FLAG), syncOptions=[TEXT]),
    ),
}


def definitions() -> list[Body]:
    """A CustomResourceDefinition of each kind."""
    return [_definition(*names, spec) for names, spec in SPECS.items()]


def _definition(group: str, version: str, kind: str, spec: Schema) -> Body:
    singular = kind.lower()
    plural = f"{singular[:-1]}ies" if singular.endswith("ry") else f"{singular}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            # The API server asks for it in groups of the Kubernetes project.
            "annotations": {"api-approved.kubernetes.io": "unapproved, a shape for tests"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": singular},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "required": ["spec"],
                            "properties": {"spec": spec},
                        }
                    },
                }
            ],
        },
    }
