"""What Milvus says about our account: its name, its roles, and what they were granted.

Everybody may read their own roles, and what these were granted (read in `privilege_interceptor.go`,
`isSelectMyRoleGrants`). 2.3.5 forgets who has which role once a user was deleted who had one, and
remembers it when a password is changed: in between, the grants need `SelectOwnership` (seen there).
"""

from dataclasses import dataclass

from .connection import Connection
from .sdk import pb

PUBLIC, ADMIN = "public", "admin"
ANY = "*"


@dataclass(frozen=True, slots=True)
class Grant:
    """One right: `kind` is the type of object ("Global", "Collection"), `on` its name or "*"."""

    kind: str
    on: str
    right: str


def token(connection: Connection, database: str) -> str:
    """What the connection signs in with, also when it stands in the address; may be empty."""
    return str(connection.client(database)._config.token)


def account(connection: Connection, database: str) -> str:
    """The user of the token; empty for an API key, and for none."""
    user, colon, _ = token(connection, database).partition(":")
    return user if colon else ""


def roles(connection: Connection, database: str, user: str) -> tuple[str, ...]:
    """The roles of a user, without `public`, which everybody has. Raises MilvusError."""
    entity = {"user": {"name": user}, "include_role_info": True}
    reply = connection.read(database, "SelectUser", pb.SelectUserRequest(**entity))
    names = (role.name for result in reply.results for role in result.roles)
    return tuple(name for name in names if name != PUBLIC)


def granted(connection: Connection, database: str, role: str) -> set[Grant]:
    """What a role may do in a database, there or everywhere. Raises MilvusError."""
    entity = {"role": {"name": role}, "db_name": database}
    reply = connection.read(database, "SelectGrant", pb.SelectGrantRequest(entity=entity))
    return {
        Grant(entity.object.name, entity.object_name, entity.grantor.privilege.name)
        for entity in reply.entities
        if entity.db_name in {"", ANY, database}
    }
