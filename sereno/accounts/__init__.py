"""Accounts: roles, passwords, sessions, one-time links, tokens, the audit log (docs/accounts.md).

Rules are pure; what touches the store takes an open connection, so that an act and its line in the audit log are one
transaction.
"""

from sereno.accounts.audit import Act, note
from sereno.accounts.names import AccountError
from sereno.accounts.roles import MAY, MEANS, PERMISSIONS, ROLES, SCOPES, Permission, Role, Scope

__all__ = [
    "MAY",
    "MEANS",
    "PERMISSIONS",
    "ROLES",
    "SCOPES",
    "AccountError",
    "Act",
    "Permission",
    "Role",
    "Scope",
    "note",
]
