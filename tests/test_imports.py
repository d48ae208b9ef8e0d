"""The arrows of the design: who may import whom. Read from the syntax trees, not from the text.

views → operations → audit → models; views and operations → milvus; nothing points back.
"""

import ast
from collections.abc import Callable, Iterator
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
SDK = {"pymilvus", "grpc"}
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


def imports_of(module: str) -> set[str]:
    """Every module that this one imports, dotted and absolute; also inside functions."""
    return {name for node in ast.walk(OURS[module]) for name in _imported(module, node)}


def _imported(module: str, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        base = _base(module, node)
        for alias in node.names:
            full = f"{base}.{alias.name}"
            yield full if full in OURS else base


def _base(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    is_package = (ROOT / module.replace(".", "/") / "__init__.py").exists()
    up = node.level - 1 if is_package else node.level
    parts = module.split(".")[: len(module.split(".")) - up]
    return ".".join([*parts, *(node.module or "").split(".")]).rstrip(".")


def ours_in(module: str) -> set[str]:
    """What it imports of ours, without the name of the app."""
    found = (name for name in imports_of(module) if name.split(".")[0] in {APP, PROJECT})
    return {name.removeprefix(f"{APP}.") for name in found}


def foreign_in(module: str) -> set[str]:
    """The top level of what it imports that is not ours."""
    return {name.split(".")[0] for name in imports_of(module)} - {APP, PROJECT}


def under(package: str) -> list[str]:
    found = [name for name in OURS if name == package or name.startswith(f"{package}.")]
    assert found, f"there is no {package}: this test would prove nothing"
    return sorted(found)


def test_the_reader_of_imports_reads_all_forms() -> None:
    """It must see what it is to forbid."""
    assert "milvus.sdk" in ours_in(f"{APP}.milvus.destroy"), "from .sdk import pb"
    assert "milvus.translate" in ours_in(f"{APP}.milvus.destroy"), "from . import translate"
    assert "milvus.gateway" in ours_in(f"{APP}.clusters"), "inside a function, or for types only"
    assert "clusters" in ours_in(f"{APP}.views.http"), "from .. import clusters"
    assert "operations" in ours_in(f"{APP}.views.operations"), "from ..operations import OPERATIONS"
    assert "views.http" in ours_in(f"{APP}.views.audit"), "from .http import needs"
    assert f"{PROJECT}.env" in ours_in(f"{PROJECT}.config"), "an absolute one"
    assert {"grpc", "pymilvus"} <= foreign_in(f"{APP}.milvus.sdk")


def test_one_file_imports_the_sdk() -> None:
    assert [name for name in OURS if foreign_in(name) & SDK] == [f"{APP}.milvus.sdk"]


@pytest.mark.parametrize("module", under(f"{APP}.milvus"))
def test_the_service_layer_knows_no_django_and_nothing_above_it(module: str) -> None:
    assert "django" not in foreign_in(module)
    assert not foreign_in(module) & {"django_htmx", "rest_framework"}
    assert all(name.startswith("milvus") for name in ours_in(module))


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("models", set()),
        ("names", set()),
        ("actors", set()),
        ("triggers", set()),
        ("access", {"actors", "milvus.types"}),
        ("private", set()),
        ("search", set()),
        ("turns", {"private"}),
        ("quotas", {"actors", "audit", "models", "turns"}),
        ("audit", {"actors", "models", "turns"}),
        ("verification", {"audit", "models"}),
        ("custody", {"audit", "models", "verification"}),
        ("safeguards", {"audit", "models", "triggers", "verification"}),
        (
            "segments",
            {"actors", "audit", "exports", "history", "models", "safeguards", "verification"},
        ),
        ("history", {"access", "actors", "audit", "models", "names"}),
        ("exports", {"actors", "audit", "models", "names"}),
        ("milvus.types", set()),
        ("milvus.errors", set()),
        ("code_forms", set()),
    ],
)
def test_low_modules_import_only_lower_ones(module: str, allowed: set[str]) -> None:
    assert ours_in(f"{APP}.{module}") <= allowed


ABOVE_OPERATIONS = {"forms", "urls", "links", "exports", "history", "code_forms", "templatetags"}


@pytest.mark.parametrize("module", under(f"{APP}.operations"))
def test_operations_do_not_know_who_shows_them(module: str) -> None:
    tops = {name.split(".")[0] for name in ours_in(module)}
    assert not tops & (ABOVE_OPERATIONS | {"views", "management"})


def test_views_are_imported_by_urls_and_views_only() -> None:
    outside = set(OURS) - {f"{APP}.urls", *under(f"{APP}.views")}
    assert [m for m in outside if {n.split(".")[0] for n in ours_in(m)} & {"views"}] == []


@pytest.mark.parametrize("module", under(f"{APP}.views"))
def test_views_go_through_operations_and_never_to_the_destroyer(module: str) -> None:
    banned = {"milvus.gateway", "milvus.destroy", "milvus.connection", "milvus.sdk", "models"}
    assert not ours_in(module) & banned
    attributes = {n.attr for n in ast.walk(OURS[module]) if isinstance(n, ast.Attribute)}
    assert "destroyer" not in attributes


def test_only_destroy_sends_what_destroys() -> None:
    """Neither by the name of the call nor by its message."""
    names = DESTROYING | {f"{rpc}Request" for rpc in DESTROYING}
    found = {module: words_in(module) & names for module in OURS}
    assert {m for m, words in found.items() if words} == {f"{APP}.milvus.destroy"}


def words_in(module: str) -> set[str]:
    """Strings and attributes; a class's own name is neither."""
    nodes = list(ast.walk(OURS[module]))
    strings = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return strings | {n.attr for n in nodes if isinstance(n, ast.Attribute)}


def test_only_operations_call_the_destroyer() -> None:
    """`code_forms` makes text, in functions of the same names."""
    acts = {name for name in vars(Destroyer) if not name.startswith("_")}
    assert len(acts) >= 5
    found = {module: calls_in(module) & acts for module in OURS}
    callers = {m for m, calls in found.items() if calls}
    operations = {m for m in callers if m.startswith(f"{APP}.operations.")}
    assert len(operations) == 6
    # A rehearsal sends them to things that it created itself, by the same destroyer.
    rehearsal = {f"{APP}.rehearsal.{name}" for name in ("reading", "dropping", "cleaning")}
    assert callers - operations - rehearsal <= {f"{APP}.views.operations"}
    assert "code_forms" in ours_in(f"{APP}.views.operations")


MAKING = ("create_", "load_", "insert", "upsert", "drop_database")


def test_only_scratch_and_the_demo_create_something() -> None:
    """By pymilvus' own methods. The names that scratch takes are those of rehearsals only."""
    models = {f"{APP}.management.commands.create_account"}  # Django's create_user
    found = {m: {w for w in words_in(m) if w.startswith(MAKING)} for m in OURS}
    makers = {m for m, words in found.items() if words & PYMILVUS} - models
    assert makers == {
        f"{APP}.milvus.scratch",
        f"{APP}.milvus.sample",
        f"{APP}.rehearsal.scratch",
    } | {f"{APP}.rehearsal.cleaning"}
    through_maker = found[f"{APP}.rehearsal.scratch"] | found[f"{APP}.rehearsal.cleaning"]
    assert through_maker & PYMILVUS == {"drop_database"}, "the maker's, which takes no other name"


def test_only_commands_and_views_know_rehearsals() -> None:
    outside = set(OURS) - set(under(f"{APP}.rehearsal"))
    knowing = {m for m in outside if any(n.startswith("rehearsal") for n in ours_in(m))}
    assert {m.split(".")[1] for m in knowing} == {"management", "views"}
    assert not ours_in(f"{APP}.rehearsal.record") & {"milvus.scratch", "milvus.sdk"}, "for views"


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
