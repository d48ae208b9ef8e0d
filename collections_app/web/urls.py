"""One name per page. Names of collections and partitions travel in the query string.

A path would have to survive proxies that decode %2F and fold `..`; a query string does.
"""

from django.urls import path

from ..operations.kinds.acts import ACTS
from . import (
    access,
    approvals,
    collections,
    confirm,
    home,
    jump,
    language,
    operations,
    plans,
    preferences,
    recycle_bin,
    switcher,
)
from . import audit as log

urlpatterns = [
    path("", home.home, name="home"),
    path("switch-cluster/", switcher.clusters, name="switch-cluster"),
    path("clusters/<slug:cluster>/databases/", switcher.databases, name="switch-database"),
    path(
        "clusters/<slug:cluster>/collections/switch/",
        switcher.collections,
        name="switch-collection",
    ),
    path("clusters/<slug:cluster>/overview/", home.overview, name="overview"),
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
    ),
    path("clusters/<slug:cluster>/recycle-bin/", recycle_bin.listing, name="recycle-bin"),
    path("clusters/<slug:cluster>/recycle-bin/pause/", recycle_bin.pause_purging, name="bin-pause"),
    path("operations/", log.own, name="own-operations"),
    path("operations/<uuid:operation_id>/", operations.story, name="operation"),
    path("operations/<uuid:operation_id>/look/", operations.look_again, name="operation-look"),
    path(
        "operations/<uuid:operation_id>/snapshot.json",
        operations.snapshot,
        name="operation-snapshot",
    ),
    path("clusters/<slug:cluster>/plans/new/", plans.create, name="plan-new"),
    path("plans/", plans.listing, name="plans"),
    path("plans/<int:number>/", plans.detail, name="plan"),
    path("plans/<int:number>/confirm/", plans.confirm, name="plan-confirm"),
    path("plans/<int:number>/take-out/", plans.take_out, name="plan-take-out"),
    path("plans/<int:number>/items.csv", plans.export, name="plan-export"),
    *(
        path(f"plans/<int:number>/{slug}/", plans.decide, {"decision": slug}, name=f"plan-{slug}")
        for slug in ("pause", "resume", "cancel")
    ),
    path("approvals/", approvals.listing, name="approvals"),
    path("plans/<int:number>/restore/", plans.restore, name="plan-restore"),
    path("plans/<int:number>/approve/", approvals.approve, name="plan-approve"),
    path("plans/<int:number>/reject/", approvals.reject, name="plan-reject"),
    path("plans/<int:number>/run/", approvals.run, name="plan-run"),
    path("audit/", log.log, name="audit"),
    path("audit/export/", log.export, name="audit-export"),
    path("audit/verify/", log.verify, name="audit-verify"),
    path("jump/", jump.jump, name="jump"),
    path("clusters/<slug:cluster>/jump/", jump.names, name="jump-names"),
    path("access/", access.mine, name="access"),
    path("language/", language.choose, name="language"),
    path("view/", preferences.choose_view, name="choose-view"),
    path("clusters/<slug:cluster>/pin/", preferences.pin, name="pin"),
    path("places/forget/", preferences.forget_places, name="forget-places"),
]
