"""Who may do what: roles of people, scopes of programs' tokens, and what each of them means."""

from typing import Literal, get_args

Role = Literal["viewer", "operator", "manager", "admin"]
Permission = Literal["read", "incidents", "act", "maintenance", "forensics", "reports", "users", "audit"]
Scope = Literal["read", "incidents", "maintenance", "reports", "forensics", "metrics", "alerts", "users"]

ROLES: tuple[Role, ...] = get_args(Role)
PERMISSIONS: frozenset[Permission] = frozenset(get_args(Permission))
SCOPES: tuple[Scope, ...] = get_args(Scope)

MAY: dict[Role, frozenset[Permission]] = {
    "viewer": frozenset({"read", "incidents"}),
    "operator": frozenset({"read", "incidents", "act", "maintenance", "forensics", "reports"}),
    "manager": frozenset({"incidents", "reports"}),  # of their customers: see `Person.sees`
    "admin": PERMISSIONS,
}
MEANS: dict[Scope, frozenset[Permission]] = {  # what a token with this scope may ask of the pages' own routes
    "read": frozenset({"read"}),
    "incidents": frozenset({"incidents", "act"}),
    "maintenance": frozenset({"maintenance"}),
    "reports": frozenset({"reports"}),
    "forensics": frozenset({"forensics"}),
    "metrics": frozenset(),
    "alerts": frozenset(),
    "users": frozenset({"users", "audit"}),
}
LOOKING: frozenset[Permission] = frozenset({"read", "incidents", "forensics", "reports"})  # before there are accounts


def meaning(scopes: frozenset[Scope]) -> frozenset[Permission]:
    """Everything that these scopes allow."""
    return frozenset(permission for scope in scopes for permission in MEANS[scope])
