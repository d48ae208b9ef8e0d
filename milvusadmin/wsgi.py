"""The door for gunicorn. Workers load it after the fork, and so make their own Milvus clients."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from milvusadmin.middleware.forwarded import with_url_prefix

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "milvusadmin.settings")

application = with_url_prefix(settings.URL_PREFIX, get_wsgi_application())


def run_tasks_beside() -> None:
    """Only this process may open the file of an embedded Milvus Lite."""
    from collections_app.management.background import start_beside  # noqa: PLC0415 (needs the apps)

    start_beside()


def record_configuration() -> None:
    """A changed rule of approvals is on the record before the first request is answered."""
    from collections_app.plans.rule_watch import try_record_changes  # noqa: PLC0415 (needs the apps)

    try_record_changes()


record_configuration()
run_tasks_beside()
