"""Addresses of pages that are about a thing in Milvus."""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote, urlencode

from django.urls import get_script_prefix, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from ..access.policy import Action
from ..milvus.types import Kind, Target
from ..operations.kinds.acts import ACTS


@lru_cache(maxsize=4096)
def _path(view: str, cluster: str, prefix: str) -> str:
    """The path of a page of a cluster, found once below each prefix: a list needs a hundred."""
    return reverse(view, args=[cluster])


def _page(view: str, cluster: str, query: Mapping[str, str | int]) -> str:
    return f"{_path(view, cluster, get_script_prefix())}?{urlencode(query)}"


def collections(cluster: str, database: str, **view: str | int) -> str:
    """The list, with its view: q, sort, page."""
    query = {"database": database, **{k: v for k, v in view.items() if v}}
    return _page("collections", cluster, query)


def collection(cluster: str, database: str, name: str, **view: str | int) -> str:
    """The page of a collection, with the view of its partitions: q, sort, page."""
    query = {"database": database, "name": name, **{k: v for k, v in view.items() if v}}
    return _page("collection", cluster, query)


def recycle_bin(cluster: str, database: str, **view: str | int) -> str:
    """The recycle bin of a database, with its view: q, sort, page."""
    query = {"database": database, **{k: v for k, v in view.items() if v}}
    return _page("recycle-bin", cluster, query)


def page_of(target: Target) -> str:
    """Where a collection, a partition, or a collection in the recycle bin is shown."""
    if target.kind is Kind.BINNED:
        return recycle_bin(target.cluster, target.database, q=target.collection)
    return collection(target.cluster, target.database, target.collection)


def switch(kind: str, *cluster: str, **view: str) -> str:
    """The menu of a crumb: `kind` is cluster, database or collection."""
    return f"{reverse(f'switch-{kind}', args=cluster)}?{urlencode(view)}"


def act(action: Action, target: Target, then: str = "") -> str:
    """The dialog of an act. `then` names the drop that the act clears the way for."""
    query = {"database": target.database, "collection": target.collection}
    if target.kind is not Kind.COLLECTION:
        query["name"] = target.name
    if then:
        query["then"] = then
    return _page(ACTS[action].slug, target.cluster, query)


def operation(operation_id: str) -> str:
    return reverse("operation", args=[operation_id])


def plan(number: int) -> str:
    return reverse("plan", args=[number])


def is_ours(address: str) -> bool:
    """Whether it is a path of this dashboard, so that nobody is led elsewhere."""
    local = url_has_allowed_host_and_scheme(address, allowed_hosts=None)
    return local and address.startswith(reverse("home")) and not _goes_up(address)


def _goes_up(address: str) -> bool:
    """Whether a browser would leave the folder: it resolves `..`, encoded ones and `\\`, too.

    So do some proxies once more, after decoding.
    """
    path = address.partition("#")[0].partition("?")[0]
    for _ in range(3):
        path = unquote(path)
    if any(ord(character) < 0x20 or character == "\x7f" for character in path):
        return True  # browsers drop some of them: `.<tab>.` is `..`
    return any(segment in {".", ".."} for segment in path.replace("\\", "/").split("/"))
