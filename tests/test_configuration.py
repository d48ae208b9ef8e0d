"""docs/configuration.md is the code's configuration: all of it, nothing else, with its defaults."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from collections_app.milvus.types import Cluster
from milvusadmin.config import env, languages, peers, sign_in
from milvusadmin.config.clusters import COLORS, SETTABLE
from tests.documents import ROOT, read

PAGE = read("docs/configuration.md")
# Not ours to explain: Django's own, gunicorn's, one of the Makefile, and two that we set ourselves.
ELSEWHERE = {
    "DJANGO_SETTINGS_MODULE",
    "WEB_CONCURRENCY",
    "DEMO_PASSWORD",
    "PYTHON_DOTENV_DISABLED",
    "PROMETHEUS_MULTIPROC_DIR",
}


def readers(*modules: ModuleType) -> set[str]:
    """Functions that are given a variable's name."""
    functions = [f for m in modules for f in inspect.getmembers(m, inspect.isfunction)]
    return {name for name, function in functions if _first(function) == "name"}


def _first(function: Callable[..., object]) -> str:
    return next(iter(inspect.signature(function).parameters), "")


BY = "|".join(sorted(readers(env, languages, peers) | {"required_secret"}))
NAMED = r"""\s*"([A-Z][A-Z0-9_]+)\""""
READ = re.compile(rf"\b(?:environ(?:\.get\(|\[)|(?:{BY})\(){NAMED}")
SECRET = re.compile(rf"\b(?:secret|required_secret)\({NAMED}|required\({NAMED}")
DEFAULT = re.compile(rf"""\b(?:environ\.get\(|duration\(){NAMED}(?:, |\) or )"([^"]+)\"""")


def sources() -> list[str]:
    folders = ("milvusadmin", "collections_app", "deploy")
    paths = [path for folder in folders for path in ROOT.glob(f"{folder}/**/*.py")]
    return [path.read_text(encoding="utf-8") for path in paths]


def found(pattern: re.Pattern[str]) -> set[str]:
    names = {name for source in sources() for name in pattern.findall(source)}
    return {"".join(name) for name in names}


def rows(heading: str) -> dict[str, list[str]]:
    """The rows of the table that begins so: first cell → the others."""
    table = PAGE[PAGE.index(f"| {heading} |") :].split("\n\n", maxsplit=1)[0]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {first.strip("`"): rest for first, *rest in cells}


VARIABLES, SETTINGS = rows("Variable"), rows("Setting")


def test_reader_of_the_code_reads_all_forms() -> None:
    """The comparison below relies on it."""
    assert {"flag", "listing", "secret", "duration", "required", "peers"} <= set(BY.split("|"))
    for name in (
        "DEBUG",
        "MILVUS_PROTECTED",
        "SECRET_KEY",
        "OIDC_GRACE",
        "OIDC_ISSUER",
        "DATA_DIR",
    ):
        assert name in found(READ)


def test_variables_documented_are_those_that_the_code_reads() -> None:
    assert set(VARIABLES) == found(READ) - ELSEWHERE


def test_defaults_of_variables_are_those_of_the_code() -> None:
    given = {name: default for source in sources() for name, default in DEFAULT.findall(source)}
    given = {name: default for name, default in given.items() if name not in ELSEWHERE}
    assert len(given) > 8
    shown = {name: VARIABLES[name][1].strip("`") for name in given}
    assert shown == given


def test_flags_are_off_by_default() -> None:
    flags = found(re.compile(rf"\bflag\({NAMED}"))
    assert {VARIABLES[name][1] for name in flags} == {"0"}
    assert not found(re.compile(rf"\bflag\({NAMED}, (?:default=)?True"))


def test_secrets_on_the_page_have_their_file() -> None:
    secrets = found(SECRET) - {"OIDC_ISSUER", "OIDC_CLIENT_ID"}  # no secrets, though it would do
    assert len(secrets) > 7
    shown = set(re.findall(r"`([A-Z_]+)_FILE`", PAGE.split("| Variable |", maxsplit=1)[0]))
    assert shown == secrets


@pytest.mark.parametrize(
    ("mode", "name", "others"),
    [
        (
            "oidc",
            "OIDC_CLIENT_SECRET",
            {"OIDC_ISSUER": "https://id.example", "OIDC_CLIENT_ID": "x"},
        ),
        ("proxy", "PROXY_SECRET", {"PROXY_TRUSTED": "10.0.3.7"}),
    ],
)
def test_secrets_of_sign_in_come_from_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: str, name: str, others: dict[str, str]
) -> None:
    (tmp_path / "secret").write_text("from-a-file-" * 4 + "\n")
    for variable, value in others.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    configured: object = getattr(sign_in, mode)()
    assert "from-a-file-" * 4 in {
        getattr(configured, "client_secret", ""),
        getattr(configured, "secret", ""),
    }


# --- clusters -------------------------------------------------------------------------------------


def test_cluster_settings_documented_are_those_of_the_code() -> None:
    assert set(SETTINGS) == SETTABLE
    assert all(color in VARIABLES["MILVUS_COLOR"][0] for color in COLORS)


def test_defaults_of_settings_are_those_of_the_code() -> None:
    plain = Cluster(key="the key", label="the key", uri="required")
    for name, (_, shown, _) in SETTINGS.items():
        default = getattr(plain, name, None)
        expected = str(default).lower() if isinstance(default, bool) else default
        if isinstance(default, float):
            expected = f"{default:g}"
        assert shown.partition(":")[0] == str(expected or "none"), name


def test_variables_of_a_cluster_are_those_on_the_page() -> None:
    """Each MILVUS_… variable is one setting; a variable with _FILE is none of the other table."""
    named = {cells[2].strip("`") for cells in SETTINGS.values()} - {"–"}
    of_files = {"MILVUS_TOKEN_FILE", "MILVUS_PASSWORD_FILE"}
    assert named - of_files == {name for name in VARIABLES if name.startswith("MILVUS_")}
    for name, (_, _, variable) in SETTINGS.items():
        assert variable in {"–", f"`MILVUS_{name.upper()}`"}
