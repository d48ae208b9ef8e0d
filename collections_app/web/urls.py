"""One name per page. Names of collections and partitions travel in the query string.

A path would have to survive proxies that decode %2F and fold `..`; a query string does.
"""

from django.urls import path

from ..operations.kinds.acts import ACTS
from . import access, collections, confirm, operations
from . import audit as log

urlpatterns = [
    path("", collections.home, name="home"),
    path("clusters/<slug:cluster>/", collections.databases, name="databases"),
    path("clusters/<slug:cluster>/collections/", collections.listing, name="collections"),
    path("clusters/<slug:cluster>/collection/", collections.detail, name="collection"),
    *(
        path(
            f"clusters/<slug:cluster>/{act.slug}/",
            confirm.confirm,
            {"action": act.action},
            name=act.slug,
        )
        for act in ACTS.values()
        if act.slug
    ),
    path("operations/<uuid:operation_id>/", operations.story, name="operation"),
    path("operations/<uuid:operation_id>/look/", operations.look_again, name="operation-look"),
    path(
        "operations/<uuid:operation_id>/snapshot.json",
        operations.snapshot,
        name="operation-snapshot",
    ),
    path("audit/", log.log, name="audit"),
    path("audit/export/", log.export, name="audit-export"),
    path("audit/verify/", log.verify, name="audit-verify"),
    path("access/", access.mine, name="access"),
]
