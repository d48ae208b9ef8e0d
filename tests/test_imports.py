"""Import rules that layers can't express: destructive calls, and clients in templates.

Read from the syntax trees, not from the text.
"""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.test.signals import template_rendered
from pymilvus import MilvusClient

from collections_app import clusters
from collections_app.milvus.destroy import Destroyer
from collections_app.milvus.gateway import Gateway
from tests.fakes import FakeMilvus

ROOT = Path(__file__).resolve().parents[1]
APP, PROJECT = "collections_app", "milvusadmin"
PYMILVUS = set(dir(MilvusClient))
DESTROYING = {
    "DropCollection",
    "DropPartition",
    "DropAlias",
    "DropDatabase",
    "ReleaseCollection",
    "ReleasePartitions",
    "RenameCollection",
    "TruncateCollection",
    "Delete",
}


def modules(*packages: str) -> dict[str, ast.Module]:
    """Dotted name → syntax tree, for every module of ours."""
    paths = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    return {_dotted(path): ast.parse(path.read_text()) for path in paths}


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


OURS = modules(APP, PROJECT)


def under(package: str) -> list[str]:
    found = [name for name in OURS if name == package or name.startswith(f"{package}.")]
    assert found, f"there is no {package}: this test would prove nothing"
    return sorted(found)


@pytest.mark.parametrize("module", under(f"{APP}.web"))
def test_page_modules_never_use_the_destroyer(module: str) -> None:
    attributes = {n.attr for n in ast.walk(OURS[module]) if isinstance(n, ast.Attribute)}
    assert "destroyer" not in attributes


def test_destroy_alone_sends_destructive_requests() -> None:
    """Neither by the name of the call nor by its message."""
    names = DESTROYING | {f"{rpc}Request" for rpc in DESTROYING}
    found = {module: words_in(module) & names for module in OURS}
    assert {m for m, words in found.items() if words} == {f"{APP}.milvus.destroy"}


def words_in(module: str) -> set[str]:
    """Strings and attributes; a class's own name is neither."""
    nodes = list(ast.walk(OURS[module]))
    strings = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return strings | {n.attr for n in nodes if isinstance(n, ast.Attribute)}


def test_operations_alone_call_the_destroyer() -> None:
    """`snippets` makes text, in functions of the same names."""
    acts = {name for name in vars(Destroyer) if not name.startswith("_")}
    assert len(acts) >= 5
    found = {module: calls_in(module) & acts for module in OURS}
    callers = {m for m, calls in found.items() if calls}
    operations = {m for m in callers if m.startswith(f"{APP}.operations.")}
    assert len(operations) == 11
    # A rehearsal sends them to things that it created itself, by the same destroyer.
    rehearsal = {f"{APP}.rehearsal.{name}" for name in ("reading", "dropping", "cleaning")}
    demo = {f"{APP}.milvus.demo_data"}  # pymilvus' method of the same name
    assert callers - operations - rehearsal - demo <= {f"{APP}.web.confirm"}


MAKING = ("create_", "load_", "insert", "upsert", "drop_database")


def test_scratch_and_the_demo_alone_create_something() -> None:
    """By pymilvus' own methods. The names that scratch takes are those of rehearsals only.

    After a restore two operations put back what was there before: an alias, and the load state. A
    third one creates what was dropped, from its snapshot.
    """
    models = {f"{APP}.management.commands.create_account"}  # Django's create_user
    found = {m: {w for w in words_in(m) if w.startswith(MAKING)} for m in OURS}
    again = {f"{APP}.operations.kinds.{name}" for name in ("set_alias", "load_collection")}
    again |= {f"{APP}.operations.creation"}
    makers = {m for m, words in found.items() if words & PYMILVUS} - models - again
    assert makers == {
        f"{APP}.milvus.scratch",
        f"{APP}.milvus.demo_data",
        f"{APP}.rehearsal.scratch",
    } | {f"{APP}.rehearsal.cleaning"}
    through_maker = found[f"{APP}.rehearsal.scratch"] | found[f"{APP}.rehearsal.cleaning"]
    assert through_maker & PYMILVUS == {"drop_database"}, "the maker's, which takes no other name"


def calls_in(module: str) -> set[str]:
    """The names of the methods that it calls."""
    calls = [n.func for n in ast.walk(OURS[module]) if isinstance(n, ast.Call)]
    return {f.attr for f in calls if isinstance(f, ast.Attribute)}


# --- templates ------------------------------------------------------------------------------------

KEEP_OUT = (FakeMilvus, Gateway, Destroyer, clusters.Milvus)


@pytest.mark.django_db
@pytest.mark.parametrize("htmx", [False, True])
def test_templates_get_no_client(
    signed_in: Callable[..., Client], fake: FakeMilvus, htmx: bool
) -> None:
    fake.add("book", partitions=["novel"], aliases=["tome"], rows=3)
    fake.add("bare")
    query = "database=default&collection=book"
    addresses = (
        "/clusters/main/",
        "/clusters/main/collections/?database=default&details=1",
        "/clusters/main/collection/?database=default&name=book",
        f"/clusters/main/drop-collection/?{query}",
        f"/clusters/main/drop-partition/?{query}&name=novel",
    )
    seen: list[Any] = []
    collect = lambda **sent: seen.append(sent["context"].flatten())  # noqa: E731
    template_rendered.connect(collect, weak=False)
    try:
        browser = signed_in("operator", htmx=htmx)
        statuses = [browser.get(address).status_code for address in addresses]
    finally:
        template_rendered.disconnect(collect)
    assert statuses == [200] * len(addresses)
    given = [value for context in seen for value in context.values()]
    assert len(given) > 50
    assert not [value for value in given if isinstance(value, KEEP_OUT)]
