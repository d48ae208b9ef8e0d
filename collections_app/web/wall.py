"""What keeps Milvus accounts from removing a collection, as code: a protection binds none of them.

Facts: the protocol grants DropCollection, RenameCollection and DropAlias as Global, without the
name of a collection, and DropPartition on a collection (read: `privilege_ext_obj` of the requests
in milvus.proto). A role that they were revoked from can't drop (seen: 2.3.5).
"""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .snippets import TEXTS, Snippet, code_point_literal, server_of

REVOKE = _(
    "Milvus has no lock for one collection. It grants DropCollection, RenameCollection and "
    "DropAlias on the whole database, so revoking them protects all its collections (seen on "
    "2.3.5; read in milvus.proto). DropCollection also permits TruncateCollection on 2.6.11 and "
    "later (read: pull request 47308). Revoke nothing from the role of Milvus Admin if it shall "
    "go on dropping."
)
DENY = _(
    "On Milvus 2.5 and later (read: constants of pkg/common, pull request 40785; not run). It also "
    "stops creating, loading and releasing in the database. It does not stop renaming and "
    'truncating. Set them to "false" to end it.'
)


def wall(endpoint: str, database: str, collection: str) -> tuple[Snippet, ...]:
    """The forms for a collection; none for a local file, which has no accounts."""
    server = server_of(endpoint)
    if server is None:
        return ()
    values = {"uri": server, "database": database, "collection": collection}
    quoted = {key: code_point_literal(value) for key, value in values.items()}
    forms = (
        ("wall", gettext("Revoke the privileges"), REVOKE),
        ("deny", gettext("Lock the database"), DENY),
    )
    return tuple(
        Snippet(
            key=key,
            label=label,
            code=str(TEXTS.render_to_string(f"{key}.txt", quoted)).removesuffix("\n"),
            note=str(note),
        )
        for key, label, note in forms
    )
