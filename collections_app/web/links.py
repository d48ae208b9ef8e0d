"""Addresses of pages that are about a thing in Milvus."""

from urllib.parse import unquote, urlencode

from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from ..access.policy import Action
from ..milvus.types import Kind, Target
from ..operations.kinds.acts import ACTS


def collections(cluster: str, database: str, **view: str | int) -> str:
    """The list, with its view: q, sort, page."""
    query = urlencode({"database": database, **{k: v for k, v in view.items() if v}})
    return f"{reverse('collections', args=[cluster])}?{query}"


def collection(cluster: str, database: str, name: str, **view: str | int) -> str:
    """The page of a collection, with the view of its partitions: q, sort, page."""
    query = urlencode({"database": database, "name": name, **{k: v for k, v in view.items() if v}})
    return f"{reverse('collection', args=[cluster])}?{query}"


def recycle_bin(cluster: str, database: str, **view: str | int) -> str:
    """The recycle bin of a database, with its view: q, sort, page."""
    query = urlencode({"database": database, **{k: v for k, v in view.items() if v}})
    return f"{reverse('recycle-bin', args=[cluster])}?{query}"


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
    return f"{reverse(ACTS[action].slug, args=[target.cluster])}?{urlencode(query)}"


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
