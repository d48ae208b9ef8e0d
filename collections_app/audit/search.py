"""Searching text without regard to case, the same on both databases.

SQLite's LIKE folds the case of A to Z only: "ZOË" did not find "Zoë" there, and does on PostgreSQL.
"""

from typing import Any

from django.db.backends.signals import connection_created
from django.db.models import CharField, TextField
from django.db.models.lookups import IContains


class Holds(IContains):
    """`name__holds="ZOË"`: `icontains`, with all letters folded on SQLite, too."""

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        if str(self.rhs).isascii():
            return super().as_sql(compiler, connection)  # SQLite can, and much faster
        column, parameters = self.process_lhs(compiler, connection)
        return f"milvusadmin_holds({column}, %s)", [*parameters, str(self.rhs)]


def register() -> None:
    """Make the lookup known, and the function to each connection."""
    for field in (CharField, TextField):
        field.register_lookup(Holds, "holds")
    connection_created.connect(_teach, dispatch_uid="milvusadmin_holds")


def _teach(connection: Any, **kwargs: Any) -> None:
    if connection.vendor == "sqlite":
        connection.connection.create_function("milvusadmin_holds", 2, holds, deterministic=True)


def holds(text: str | None, part: str) -> bool:
    """Whether the part is in the text, upper case for upper case as PostgreSQL has it."""
    return _upper(part) in _upper(text or "")


def _upper(text: str) -> str:
    return "".join(c if len(c.upper()) > 1 else c.upper() for c in text)  # ß stays ß
