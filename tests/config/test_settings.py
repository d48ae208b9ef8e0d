"""The real settings in their own processes: safe by default, and explicit about mistakes."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.infra import forked

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET, SEAL = "s" * 25 + "1aB-" * 10, "z" * 25 + "2cD-" * 10
PRODUCTION = {
    "SECRET_KEY": SECRET,
    "AUDIT_KEY": SEAL,
    "SIGN_IN": "local",
    "MILVUS_URI": "https://milvus.example:19530",
    "MILVUS_TOKEN": "root:a-token",
    "ALLOWED_HOSTS": "admin.example",
    "DATABASE_URL": "postgres://admin:a-password@db.example/admin",
}
LOOPBACK = {**PRODUCTION, "LOOPBACK_ONLY": "1", "DATABASE_URL": ""}
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """run(environment, *arguments of python) is the finished process; its folder is fresh."""

    def finish(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return forked.run(
            *arguments,
            cwd=ROOT,
            env={
                **inherited,
                "DJANGO_SETTINGS_MODULE": "milvusadmin.settings",
                "DATA_DIR": str(tmp_path),
                **environment,
            },
        )

    return finish


BAD_HOSTS = [
    "https://milvus.example.com",
    "milvus.example.com:443",
    "milvus.example.com/",
    "milvus.example.com milvus",
    "fe80::1",
    "*.example.com",
]


@pytest.mark.parametrize("value", BAD_HOSTS)
def test_allowed_hosts_that_cannot_work_stop_the_start(value: str, run: Run) -> None:
    done = run({**PRODUCTION, "ALLOWED_HOSTS": f"admin.example,{value}"}, "manage.py", "check")
    assert done.returncode != 0
    assert (
        f"ALLOWED_HOSTS has {value!r}, which is not a host name. Leave out protocol" in done.stderr
    )


def test_allowed_hosts_of_every_valid_kind_are_accepted(run: Run) -> None:
    value = "admin.example,.example.com,10.0.0.1,[fe80::1],localhost,my_host"
    done = run({**PRODUCTION, "ALLOWED_HOSTS": value}, "manage.py", "check")
    assert done.returncode == 0, done.stderr


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in PRODUCTION.items() if name not in names}


def load(run: Run, environment: dict[str, str], *expressions: str) -> list[str]:
    """What these expressions over the settings are, printed."""
    code = "from django.conf import settings\nimport milvusadmin.settings\n" + "\n".join(
        f"print(repr(settings.{expression}))" for expression in expressions
    )
    done = run(environment, "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def complaint(run: Run, environment: dict[str, str]) -> str:
    """The sentence with which the settings refuse to load."""
    done = run(environment, "-c", "import milvusadmin.settings")
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("django.core.exceptions.ImproperlyConfigured: "), done.stderr
    return last.partition(": ")[2]


# --- what is missing ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SECRET_KEY", "SECRET_KEY is not set, nor is SECRET_KEY_FILE. It signs sessions"),
        ("AUDIT_KEY", "AUDIT_KEY is not set, nor is AUDIT_KEY_FILE. It seals the audit log"),
        ("MILVUS_URI", "No Milvus is configured. Set MILVUS_URI (and MILVUS_TOKEN), or"),
    ],
)
def test_settings_without_a_required_key_stop_with_its_remedy(
    name: str, words: str, run: Run
) -> None:
    said = complaint(run, without(name))
    assert said.startswith(words)
    if name.endswith("_KEY"):
        assert said.endswith("make one with: openssl rand -hex 32")


@pytest.mark.parametrize("name", ["SECRET_KEY", "AUDIT_KEY", "METRICS_TOKEN"])
def test_key_too_short_is_refused_and_not_repeated(name: str, run: Run) -> None:
    said = complaint(run, {**PRODUCTION, name: "hunter2-hunter2"})
    assert said.startswith(f"{name} is shorter than 32 characters.")
    assert "hunter2" not in said


def test_manage_py_without_a_key_stops_with_its_remedy(run: Run) -> None:
    done = run(without("AUDIT_KEY"), "manage.py", "check")
    assert done.returncode != 0
    assert "AUDIT_KEY is not set" in done.stderr


@pytest.mark.parametrize(
    "name",
    [
        "SECRET_KEY",
        "AUDIT_KEY",
        "AUDIT_RETIRED_KEYS",
        "MILVUS_TOKEN",
        "METRICS_TOKEN",
        "DATABASE_URL",
    ],
)
def test_secret_settings_can_come_from_files(name: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    value = {"DATABASE_URL": "postgres://from-a-file.example/admin"}.get(name, "f" * 40)
    path.write_text(f"{value}\n")
    expression = {
        "AUDIT_RETIRED_KEYS": "AUDIT_RETIRED_KEYS[0]",
        "MILVUS_TOKEN": "CLUSTERS['main'].token",
        "DATABASE_URL": "DATABASES['default']['HOST']",
    }.get(name, name)
    [found] = load(run, {**without(name), f"{name}_FILE": str(path)}, expression)
    assert found == repr("from-a-file.example" if name == "DATABASE_URL" else value)
    both = complaint(run, {name: "x" * 40, **PRODUCTION, f"{name}_FILE": str(path)})
    assert both == f"Both {name} and {name}_FILE are set. Keep one of them."


def test_audit_key_that_is_also_retired_is_refused(run: Run) -> None:
    said = complaint(run, {**PRODUCTION, "AUDIT_RETIRED_KEYS": f"an-older-one {SEAL}"})
    assert (
        said == "AUDIT_KEY is also in AUDIT_RETIRED_KEYS. Remove it there, or make a new AUDIT_KEY."
    )
    found = load(run, {**PRODUCTION, "AUDIT_RETIRED_KEYS": "b-key\n a-key "}, "AUDIT_RETIRED_KEYS")
    assert found == [repr(["b-key", "a-key"])], "in the order given: oldest first"


def test_key_file_unreadable_is_named(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "nosuch")
    said = complaint(run, {**without("AUDIT_KEY"), "AUDIT_KEY_FILE": path})
    assert said == f"AUDIT_KEY_FILE can't be read: No such file or directory: {path}"


# --- production -----------------------------------------------------------------------------------


def test_deployment_check_in_production_finds_nothing(run: Run) -> None:
    done = run(PRODUCTION, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize(
    ("change", "id_"),
    [
        ({"AUDIT_KEY": SECRET}, "milvusadmin.W001"),
        ({"MILVUS_URI": "./demo.db"}, "milvusadmin.W002"),
        ({"DEBUG": "1"}, "security.W018"),
        ({"ALLOWED_HOSTS": ""}, "security.W020"),
    ],
    ids=str,
)
def test_deployment_check_names_an_unsafe_setting(
    change: dict[str, str], id_: str, run: Run
) -> None:
    code = (
        "import sys, django; django.setup(); from django.core import checks;"
        "print([m.id for m in checks.run_checks(include_deployment_checks=True)])"
    )
    done = run({**PRODUCTION, **change}, "-c", code)
    assert id_ in done.stdout, done.stderr


def test_settings_by_default_are_closed(run: Run) -> None:
    found = load(
        run,
        without("ALLOWED_HOSTS"),
        "DEBUG",
        "ALLOWED_HOSTS",
        "SECURE_SSL_REDIRECT",
        "SECURE_PROXY_SSL_HEADER",
        "SESSION_EXPIRE_AT_BROWSER_CLOSE",
    )
    assert found == ["False", "[]", "True", "None", "True"]


HTTPS = """
import django; django.setup()
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
call_command("collectstatic", verbosity=0, interactive=False)
get_user_model().objects.create_user("ada", password="correct horse battery")
client = Client(headers={"Host": "admin.example"})
plain = client.get("/sign-in/?next=/audit/")
print(plain.status_code, plain.headers["Location"])
page = client.get("/sign-in/", secure=True)
print(page.status_code, page.headers["Strict-Transport-Security"])
form = {"username": "ada", "password": "correct horse battery"}
print(client.post("/sign-in/", form, secure=True).status_code)
for cookie in client.cookies.values():
    print(cookie.OutputString())
print(Client(headers={"Host": "127.0.0.1"}).get("/sign-in/", secure=True).status_code)
forwarded = {"Host": "admin.example", "X-Forwarded-Proto": "https"}
print(Client(headers=forwarded).get("/sign-in/").status_code)
"""


@pytest.mark.parametrize("trusted", [False, True], ids=["direct", "behind a trusted proxy"])
def test_https_mode_has_secure_cookies_and_redirects(trusted: bool, run: Run) -> None:
    """Migrates, collects the static files and signs in, as a new deployment does."""
    trust = {"TRUST_PROXY": "127.0.0.1"} if trusted else {}
    done = run({**PRODUCTION, "DATABASE_URL": "", **trust}, "-c", HTTPS)
    assert done.returncode == 0, done.stderr
    plain, page, posted, *cookies, foreign, forwarded = done.stdout.splitlines()
    assert plain == "301 https://admin.example/sign-in/?next=/audit/"
    assert page == "200 max-age=31536000; includeSubDomains; preload"
    assert posted == "302"
    assert sorted(cookie.partition("=")[0] for cookie in cookies) == [
        "__Host-csrf",
        "__Host-session",
    ]
    for cookie in cookies:
        assert {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
    assert foreign == "400", "not even this machine's own address was allowed"
    assert forwarded == ("200" if trusted else "301"), "anybody can send that header"


# --- on this machine only -------------------------------------------------------------------------

HOSTS = """
import sys
import django; django.setup()
from django.core.management import call_command
from django.test import Client
call_command("collectstatic", verbosity=0, interactive=False)
for host in sys.argv[1:]:
    print(Client(headers={"Host": host}).get("/sign-in/").status_code)
for peer in ("127.0.0.1", "::1", "127.8.9.1", "", "10.0.0.1", "fe80::1"):
    print(Client(headers={"Host": "localhost"}, REMOTE_ADDR=peer).get("/sign-in/").status_code)
print(Client(headers={"Host": "localhost"}).get("/sign-in/").headers)
"""


def test_loopback_mode_answers_this_machine_without_https(run: Run) -> None:
    """Whatever ALLOWED_HOSTS says: for other hosts cookies would travel in clear text."""
    own = ["127.0.0.1:8000", "localhost", "[::1]:8000"]
    foreign = ["admin.example", "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil.example"]
    done = run(LOOPBACK, "-c", HOSTS, *own, *foreign)
    assert done.returncode == 0, done.stderr
    *statuses, headers = done.stdout.splitlines()
    peers = ["200"] * 4 + ["403"] * 2
    assert statuses == ["200"] * len(own) + ["400"] * len(foreign) + peers
    assert "Strict-Transport-Security" not in headers


def test_loopback_mode_has_no_secure_cookies(run: Run) -> None:
    found = load(run, LOOPBACK, "SESSION_COOKIE_SECURE", "SESSION_COOKIE_NAME", "ALLOWED_HOSTS")
    assert found == ["False", "'session'", "['127.0.0.1', 'localhost', '[::1]']"]


# --- the database and the log ---------------------------------------------------------------------


def test_settings_without_a_database_url_use_a_sqlite_file(run: Run, tmp_path: Path) -> None:
    name, mode, init = load(
        run,
        LOOPBACK,
        "DATABASES['default']['NAME']",
        "DATABASES['default']['OPTIONS']['transaction_mode']",
        "DATABASES['default']['OPTIONS']['init_command']",
    )
    assert str(tmp_path) in name
    assert mode == "'IMMEDIATE'"
    assert "synchronous=FULL" in init, "a committed intent survives a power cut"


def test_audit_lines_go_to_their_own_file(run: Run, tmp_path: Path) -> None:
    lines = tmp_path / "audit.jsonl"
    code = (
        "import django, logging; django.setup();"
        "logging.getLogger('audit').info('{}'); logging.getLogger('other').info('noise')"
    )
    done = run({**LOOPBACK, "AUDIT_LOG_FILE": str(lines)}, "-c", code)
    assert done.returncode == 0, done.stderr
    assert lines.read_text() == "{}\n"
    assert "noise" in done.stderr
    assert "{}" not in done.stderr


def test_flag_invalid_in_the_settings_stops_the_start(run: Run) -> None:
    assert complaint(run, {**PRODUCTION, "DEBUG": "maybe"}) == "DEBUG is 'maybe'. Use 1 or 0."
