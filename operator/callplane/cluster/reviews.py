"""Who somebody is and what they may do, as the API server answers it: TokenReview and
SubjectAccessReview.

Used by the admin API. Nothing here is remembered, and an answer that is not plainly yes is no.
Errors of the API server pass through: whoever asks decides what it means that nobody answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from callplane.cluster import ports
from callplane.cluster.resource_kinds import ACCESS_REVIEWS, CALLPLANE_GROUP, TOKEN_REVIEWS


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody by the name, groups and further facts that roles are bound to."""

    user: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """May somebody do this to resources of our group? Without a namespace: in all of them."""

    verb: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        where = f"namespace {self.namespace}" if self.namespace else "all namespaces"
        return f"{self.verb} {what} in {where}"


async def whose_token(objects: ports.ObjectWriter, token: str, *, audience: str) -> Subject | None:
    """Whose token this is, None when it is nobody's or was made for another audience.

    A server that knows nothing of audiences names none in its answer, and would accept a token
    that was made for itself: that is refused too.
    """
    body = {
        "apiVersion": TOKEN_REVIEWS.api_version,
        "kind": "TokenReview",
        "metadata": {},
        "spec": {"token": token, "audiences": [audience]},
    }
    status = _status(await objects.create(TOKEN_REVIEWS, body=body))
    if status.get("authenticated") is not True or status.get("error"):
        return None
    if audience not in (status.get("audiences") or ()):
        return None
    user = status.get("user") or {}
    if not user.get("username"):
        return None
    return Subject(
        user=str(user["username"]),
        groups=tuple(map(str, user.get("groups") or ())),
        uid=str(user.get("uid") or ""),
        extra={
            str(name): tuple(map(str, values)) for name, values in (user.get("extra") or {}).items()
        },
    )


async def is_allowed(objects: ports.ObjectWriter, subject: Subject, question: Question) -> bool:
    """Whether roles in the cluster let them."""
    attributes = {
        "group": CALLPLANE_GROUP,
        "verb": question.verb,
        "resource": question.resource,
        "subresource": question.subresource,
        "namespace": question.namespace,
        "name": question.name,
    }
    body = {
        "apiVersion": ACCESS_REVIEWS.api_version,
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {
            "resourceAttributes": {name: value for name, value in attributes.items() if value},
            "user": subject.user,
            "groups": list(subject.groups),
            "uid": subject.uid,
            "extra": {name: list(values) for name, values in subject.extra.items()},
        },
    }
    status = _status(await objects.create(ACCESS_REVIEWS, body=body))
    return status.get("allowed") is True and status.get("denied") is not True


def _status(body: ports.Body) -> Mapping[str, Any]:
    status = body.get("status")
    return status if isinstance(status, dict) else {}
