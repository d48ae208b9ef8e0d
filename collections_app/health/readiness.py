"""Whether this process could do its work now.

The questions to the database are for threads of their own: they close their connection.
"""

import sys

from django.db import connection

from .. import clusters
from ..audit import log
from . import heartbeat


def database_answers() -> bool:
    """True, or raises DatabaseError."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()
    return True


def log_is_writable() -> bool:
    """True, or raises DatabaseError. No event is written: see `audit.check_writable`.

    Then something is committed after all: the row that says when this was.
    """
    try:
        log.check_writable()
        heartbeat.record_run(heartbeat.READY)
    finally:
        connection.close()
    return True


def clusters_answer() -> bool:
    """False if this process has stopped asking a cluster, because it did not answer.

    Nobody is asked. Before anybody was, all is well, and pymilvus need not be loaded to know that.
    """
    if "collections_app.milvus.connection" not in sys.modules:
        return True
    keys = [cluster.key for cluster in clusters.all_clusters()]
    return not any(clusters.get(key).breaker.cooldown_left for key in keys)
