"""One name per page. Names of collections and partitions travel in the query string.

A path would have to survive proxies that decode %2F and fold `..`; a query string does.
"""

from django.urls import path

from ..access.policy import Action
from . import access, collections, operations
from . import audit as log

ACTS = (
    ("drop-collection", Action.DROP_COLLECTION),
    ("drop-partition", Action.DROP_PARTITION),
    ("drop-alias", Action.DROP_ALIAS),
    ("release-collection", Action.RELEASE_COLLECTION),
    ("release-partition", Action.RELEASE_PARTITION),
)

urlpatterns = [
    path("", collections.home, name="home"),
    path("clusters/<slug:cluster>/", collections.databases, name="databases"),
    path("clusters/<slug:cluster>/collections/", collections.listing, name="collections"),
    path("clusters/<slug:cluster>/collection/", collections.detail, name="collection"),
    *(
        path(f"clusters/<slug:cluster>/{slug}/", operations.confirm, {"action": action}, name=slug)
        for slug, action in ACTS
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
