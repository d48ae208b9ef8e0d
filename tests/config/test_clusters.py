"""Clusters from the environment or a file: a mistake is named with its remedy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from collections_app.milvus.types import Cluster
from milvusadmin.config import clusters, env
from milvusadmin.config.clusters import COLORS, config_from

URI = "http://milvus.example:19530"
SETTINGS = [
    "MILVUSADMIN_CONFIG",
    "MILVUS_URI",
    "MILVUS_TOKEN",
    "MILVUS_TOKEN_FILE",
    "MILVUS_LABEL",
    "MILVUS_COLOR",
    "MILVUS_PROTECTED",
    "MILVUS_REAUTH",
    "MILVUS_USER",
    "MILVUS_PASSWORD",
    "MILVUS_PASSWORD_FILE",
    "MILVUS_CA_FILE",
    "MILVUS_SERVER_NAME",
    "MILVUS_CLIENT_CERT_FILE",
    "MILVUS_CLIENT_KEY_FILE",
]
Load = Callable[..., dict[str, Cluster]]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing about Milvus."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """load(text) is what a file with that text gives."""

    def write_and_load(text: str | bytes) -> dict[str, Cluster]:
        path = tmp_path / "clusters.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        monkeypatch.setenv("MILVUSADMIN_CONFIG", str(path))
        return clusters.load().clusters

    return write_and_load


# --- one cluster, from the environment ------------------------------------------------------------


def test_clusters_from_an_address_alone_are_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILVUS_URI", URI)
    assert clusters.load().clusters == {"main": Cluster(key="main", label="Milvus", uri=URI)}


def test_clusters_from_the_environment_take_all_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("root:from-a-file\n")
    monkeypatch.setenv("MILVUS_URI", URI)
    monkeypatch.setenv("MILVUS_LABEL", "Production")
    monkeypatch.setenv("MILVUS_COLOR", "red")
    monkeypatch.setenv("MILVUS_TOKEN_FILE", str(tmp_path / "token"))
    expected = Cluster(
        key="main", label="Production", uri=URI, color="red", token="root:from-a-file"
    )
    assert clusters.load().clusters == {"main": expected}


def test_clusters_without_an_address_name_both_remedies() -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        clusters.load()
    for word in ("No Milvus is configured", "MILVUS_URI", "MILVUSADMIN_CONFIG", "[clusters.NAME]"):
        assert word in str(caught.value)


def test_cluster_colour_in_the_environment_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MILVUS_URI", URI)
    monkeypatch.setenv("MILVUS_COLOR", "pink")
    with pytest.raises(ImproperlyConfigured, match="color must be one of red, amber"):
        clusters.load()


# --- many, from a file ----------------------------------------------------------------------------


def test_clusters_in_the_file_keep_order_and_settings(load: Load, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("  secret-of-prod \n")
    found = load(f"""
        [clusters.prod]
        label = "Production"
        uri = "{URI}"
        token_file = "{tmp_path / "token"}"
        color = "red"
        read_timeout = 2
        drop_timeout = 20.5
        unknown_timeout = 90

        [clusters.a-2]
        uri = "./lite.db"
    """)
    assert list(found) == ["prod", "a-2"]
    assert found["prod"] == Cluster(
        key="prod",
        label="Production",
        uri=URI,
        token="secret-of-prod",
        color="red",
        read_timeout=2,
        drop_timeout=20.5,
        unknown_timeout=90,
    )
    assert found["a-2"] == Cluster(key="a-2", label="a-2", uri="./lite.db")


def test_clusters_in_the_file_override_the_environment(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILVUS_URI", "http://elsewhere:1")
    assert list(load(f'[clusters.a]\nuri = "{URI}"')) == ["a"]


def test_rules_in_the_file_leave_the_cluster_to_the_environment(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILVUS_URI", URI)
    assert list(load('[[access]]\ngroups = ["g"]\nclusters = ["main"]\nactions = ["view"]')) == [
        "main"
    ]
    (rule,) = clusters.load().access
    assert (rule.source, set(rule.groups)) == ("[[access]] rule 1", {"g"})


def test_protected_and_reauth_belong_to_a_cluster(load: Load) -> None:
    found = load(f"""
        [clusters.prod]
        uri = "{URI}"
        protected = ["billing_*", "db1/users"]
        reauth = "10m"

        [clusters.test]
        uri = "{URI}"
        protected = []
    """)
    assert found["prod"].protected == ("billing_*", "db1/users")
    assert found["prod"].reauth == 600.0
    assert found["test"].protected == ()
    assert found["test"].reauth is None


def test_breaker_cooldown_of_zero_is_taken(load: Load) -> None:
    found = load(f'[clusters.a]\nuri = "{URI}"\nmax_concurrent = 2\nbreaker_cooldown = 0')["a"]
    assert (found.max_concurrent, found.breaker_cooldown) == (2, 0.0)


def test_protected_and_reauth_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MILVUS_URI", URI)
    monkeypatch.setenv("MILVUS_PROTECTED", "billing_*, db1/users")
    monkeypatch.setenv("MILVUS_REAUTH", "90s")
    main = clusters.load().clusters["main"]
    assert (main.protected, main.reauth) == (("billing_*", "db1/users"), 90.0)


@pytest.mark.parametrize("color", COLORS)
def test_cluster_colour_of_each_name_is_taken(color: str) -> None:
    found = config_from({"clusters": {"a": {"uri": URI, "color": color}}}).clusters
    assert found["a"].color == color


WRONG = {
    "not TOML": ("clusters = [", "MILVUSADMIN_CONFIG: "),
    "not UTF-8": (b"\xff\xfe", "MILVUSADMIN_CONFIG: "),
    "empty": ("", "No Milvus is configured. Set MILVUS_URI"),
    "no cluster in it": ("[clusters]", "No Milvus is configured."),
    "clusters is no table": ("clusters = 1", "clusters must be tables: [clusters.NAME]."),
    "another table": (
        "[cluster.a]\n",
        "Unknown table [cluster]. Known: [clusters.NAME] and [[access]].",
    ),
    "another table first": (
        f'[clusters.a]\nuri = "{URI}"\n[zebra]\n[acess]',
        "Unknown table [acess].",
    ),
    "rules are no list": (
        f'[clusters.a]\nuri = "{URI}"\n[access]\ngroups = ["g"]',
        "access must be a list of rules: write [[access]].",
    ),
    "no uri": ('[clusters.a]\nlabel = "A"', '[clusters.a] has no uri. Add uri = "http://HOST'),
    "empty uri": ('[clusters.a]\nuri = ""', "[clusters.a] has no uri."),
    "uri without a scheme": (
        '[clusters.a]\nuri = "root:pass-word@milvus.example:19530"',
        "[clusters.a] uri is not an address. Use http://HOST:19530, or a path that ends in .db",
    ),
    "uri of nothing": ('[clusters.a]\nuri = "http://"', "[clusters.a] uri is not an address."),
    "upper case": (f'[clusters.Prod]\nuri = "{URI}"', "[clusters.Prod]: use lower-case letters"),
    "slash": (f'[clusters."a/b"]\nuri = "{URI}"', "[clusters.a/b]: use lower-case letters"),
    "dash first": (f'[clusters.-a]\nuri = "{URI}"', "[clusters.-a]: use lower-case letters"),
    "line break": (f'[clusters."a\\n"]\nuri = "{URI}"', "use lower-case letters"),
    "41 characters": (f'[clusters.{"a" * 41}]\nuri = "{URI}"', "use lower-case letters"),
    "no name": (f'[clusters.""]\nuri = "{URI}"', "use lower-case letters"),
    "no table": ("[clusters]\na = 1", "[clusters.a] must be a table."),
    "unknown setting": (
        '[clusters.a]\nurl = "x"',
        "[clusters.a] url is not a setting. Known: approval_expires, approvals, approvals_for, "
        "breaker_cooldown, ca_file, client_cert_file, client_key_file, color, drop_timeout, "
        "drops_per_hour, execution_expires, label, max_concurrent, password, password_file, "
        "plan_at_once, plan_items_at_most, protected, read_timeout, reauth, recycle_bin, "
        "server_name, strict_drop, token, token_file, unknown_timeout, unprotect_delay, uri, user.",
    ),
    "the key itself": ('[clusters.a]\nkey = "b"', "[clusters.a] key is not a setting."),
    "number for a string": ("[clusters.a]\nuri = 19530", "[clusters.a] uri must be a string."),
    "list for a string": ('[clusters.a]\ntoken = ["x"]', "[clusters.a] token must be a string."),
    "number for a file": ("[clusters.a]\ntoken_file = 1", "token_file must be a string."),
    "no time": ('[clusters.a]\nread_timeout = "5"', "read_timeout must be a number of seconds"),
    "no time at all": ("[clusters.a]\ndrop_timeout = 0", "drop_timeout must be a number of"),
    "time backwards": (
        "[clusters.a]\nunknown_timeout = -1.0",
        "unknown_timeout must be a number of",
    ),
    "endless": ("[clusters.a]\nread_timeout = inf", "read_timeout must be a number of seconds"),
    "fraction of a request": (
        "[clusters.a]\nmax_concurrent = 1.5",
        "max_concurrent must be a whole number above 0",
    ),
    "no request": (
        "[clusters.a]\nmax_concurrent = 0",
        "max_concurrent must be a whole number above 0",
    ),
    "cooldown backwards": (
        "[clusters.a]\nbreaker_cooldown = -1",
        "breaker_cooldown must be a number of seconds, or 0",
    ),
    "yes for a time": ("[clusters.a]\nread_timeout = true", "read_timeout must be a number of"),
    "colour": (
        '[clusters.a]\ncolor = "pink"',
        "[clusters.a] color must be one of red, amber, green, blue, violet, grey, not 'pink'.",
    ),
    "a lock as text": ('[clusters.a]\nprotected = "x"', "[clusters.a] protected must be a list of"),
    "a lock of numbers": (
        "[clusters.a]\nprotected = [1]",
        "[clusters.a] protected must be a list of",
    ),
    "an empty lock": ('[clusters.a]\nprotected = [""]', "none empty or with spaces at its ends."),
    "a lock with a space": (
        '[clusters.a]\nprotected = ["x "]',
        "none empty or with spaces at its ends.",
    ),
    "a lock with brackets": (
        '[clusters.a]\nprotected = ["[ab]*"]',
        "[clusters.a] protected: '[ab]*' is not a pattern. Use * for any text, ? for one character",
    ),
    "a lock too deep": (
        '[clusters.a]\nprotected = ["a/b/c"]',
        "[clusters.a] protected: 'a/b/c' is not a pattern. Use name or database/name.",
    ),
    "a lock on nothing": (
        '[clusters.a]\nprotected = ["db/"]',
        "protected: 'db/' is not a pattern.",
    ),
    "reauth in seconds": ("[clusters.a]\nreauth = 600", "[clusters.a] reauth must be a string."),
    "reauth without unit": (
        '[clusters.a]\nreauth = "600"',
        "[clusters.a] reauth is '600'. Use a duration such as 30s, 10m, 8h.",
    ),
}


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=WRONG.keys())
def test_clusters_invalid_in_the_file_are_named_with_place(
    text: str | bytes, words: str, load: Load
) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        load(text)
    assert words in str(caught.value)
    assert "pass-word" not in str(caught.value)


def test_config_file_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MILVUSADMIN_CONFIG", str(tmp_path / "nosuch.toml"))
    with pytest.raises(ImproperlyConfigured, match=r"MILVUSADMIN_CONFIG: .*nosuch\.toml"):
        clusters.load()


def test_config_file_error_repeats_no_secret(load: Load) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        load('[clusters.a]\nuri = "http://x"\ntoken = "root:S3cr3t\n')
    assert "S3cr3t" not in str(caught.value)


def test_token_file_missing_is_named(load: Load, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        load(f'[clusters.a]\nuri = "{URI}"\ntoken_file = "{tmp_path / "nosuch"}"')
    assert "[clusters.a] token_file can't be read: No such file" in str(caught.value)


# --- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "endpoint"),
    [
        (URI, URI),
        ("https://ada:secret@milvus.example:19530", "https://milvus.example:19530"),
        ("http://ada:se@cret@milvus.example", "http://milvus.example"),
        ("http://token@milvus.example:1/path", "http://milvus.example:1/path"),
        ("./demo.db", "./demo.db"),
    ],
)
def test_cluster_endpoint_has_no_credentials(uri: str, endpoint: str) -> None:
    assert Cluster(key="a", label="A", uri=uri).endpoint == endpoint


@pytest.mark.parametrize(
    ("uri", "token", "secrets"),
    [
        (URI, "", set()),
        (URI, "root:pass", {"root:pass", "pass"}),
        (URI, "a:b:c", {"a:b:c", "b:c"}),
        (URI, "api-key", {"api-key"}),
        ("http://ada:inside@h:1", "root:pass", {"root:pass", "pass", "inside"}),
        ("http://ada@h:1", "", set()),
    ],
)
def test_cluster_secrets_are_token_and_passwords(uri: str, token: str, secrets: set[str]) -> None:
    assert set(Cluster(key="a", label="A", uri=uri, token=token).secrets) == secrets


def test_cluster_printed_shows_no_secret() -> None:
    cluster = Cluster(key="a", label="A", uri="http://ada:inside@h:1", token="root:pass")
    for text in (repr(cluster), str(cluster), f"{[cluster]}"):
        assert "inside" not in text
        assert "pass" not in text


# --- the environment ------------------------------------------------------------------------------


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    return monkeypatch.setenv


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, True) for text in ("1", "true", "TRUE", "yes", "on")],
        *[(text, False) for text in ("0", "false", "No", "off", "")],
    ],
)
def test_flag_is_yes_or_no(text: str, value: bool, put: Any) -> None:
    put("A_FLAG", text)
    assert env.flag("A_FLAG", default=not value) is value


def test_flag_that_is_neither_stops_the_start(put: Any) -> None:
    put("A_FLAG", "maybe")
    with pytest.raises(ImproperlyConfigured, match=r"A_FLAG is 'maybe'\. Use 1 or 0\."):
        env.flag("A_FLAG")


@pytest.mark.parametrize("default", [True, False])
def test_flag_not_set_is_its_default(default: bool) -> None:
    assert env.flag("A_FLAG_NOBODY_SETS", default=default) is default


@pytest.mark.parametrize(
    ("text", "items"), [("", []), (" ,", []), ("a", ["a"]), (" a, b ,,c", ["a", "b", "c"])]
)
def test_listing_has_no_empty_items(text: str, items: list[str], put: Any) -> None:
    put("A_LIST", text)
    assert env.listing("A_LIST") == items


def test_secret_comes_from_the_environment_or_its_file(put: Any, tmp_path: Path) -> None:
    assert env.secret("A_SECRET") is None
    put("A_SECRET", "")
    assert env.secret("A_SECRET") is None
    path = tmp_path / "secret"
    path.write_text("in the file\n")
    put("A_SECRET_FILE", str(path))
    assert env.secret("A_SECRET") == "in the file"
    put("A_SECRET_FILE", "")
    put("A_SECRET", "in the environment")
    assert env.secret("A_SECRET") == "in the environment"


def test_secret_set_twice_is_refused_without_showing_it(put: Any, tmp_path: Path) -> None:
    put("A_SECRET", "hush")
    put("A_SECRET_FILE", str(tmp_path / "hush-too"))
    with pytest.raises(ImproperlyConfigured) as caught:
        env.secret("A_SECRET")
    assert str(caught.value) == "Both A_SECRET and A_SECRET_FILE are set. Keep one of them."


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "A_SECRET_FILE can't be read: No such file or directory"),
        (b"", "A_SECRET_FILE names an empty file"),
        (b" \n\n", "A_SECRET_FILE names an empty file"),
        (b"\xff\xfe\x00binary", "A_SECRET_FILE can't be read"),
    ],
    ids=["missing", "empty", "blank", "binary"],
)
def test_secret_file_without_a_secret_stops_the_start(
    content: bytes | None, words: str, put: Any, tmp_path: Path
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    put("A_SECRET_FILE", str(path))
    with pytest.raises(ImproperlyConfigured) as caught:
        env.secret("A_SECRET")
    assert words in str(caught.value)
    assert "secret" in str(caught.value), "the path says which file"


def test_secret_file_that_is_a_folder_is_refused(put: Any, tmp_path: Path) -> None:
    put("A_SECRET_FILE", str(tmp_path))
    with pytest.raises(ImproperlyConfigured, match="can't be read: Is a directory"):
        env.secret("A_SECRET")
