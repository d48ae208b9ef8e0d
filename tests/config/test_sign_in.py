"""Sign-in settings from the environment: what is missing or unsafe stops the start."""

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from collections_app.access.roles import ROLES
from milvusadmin.config import env, sign_in
from milvusadmin.config.sign_in import Proxy
from tests.config.test_settings import LOOPBACK, PRODUCTION, Run, complaint, load, run, without

__all__ = ["run"]  # the fixture

SECRET = "p" * 32
ACCESS = """
[[access]]
groups = ["ml"]
clusters = ["main"]
actions = ["view"]
"""
OIDC = {
    "SIGN_IN": "oidc",
    "OIDC_ISSUER": "https://login.example/realms/one",
    "OIDC_CLIENT_ID": "milvus-admin",
    "OIDC_CLIENT_SECRET": "client-s3cret",
}
PROXY = {"SIGN_IN": "proxy", "PROXY_SECRET": SECRET, "PROXY_TRUSTED": "10.0.3.7"}
Put = Callable[[dict[str, str]], None]


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Put:
    """put(environment) is all that the environment says about sign-in."""
    for name in [*OIDC, *PROXY, "OIDC_SCOPES", "OIDC_GRACE", "OIDC_RECHECK", "PROXY_USER_HEADER"]:
        monkeypatch.delenv(name, raising=False)

    def do(environment: dict[str, str]) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return do


def refused(read: Callable[[], Any]) -> str:
    with pytest.raises(ImproperlyConfigured) as caught:
        read()
    return str(caught.value)


# --- which way ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["oidc", "proxy", "local"])
@pytest.mark.parametrize("here", [True, False])
def test_sign_in_mode_is_the_configured_one(mode: str, here: bool, put: Put) -> None:
    put({"SIGN_IN": mode})
    assert sign_in.mode(this_machine_only=here) == mode


def test_sign_in_mode_defaults_to_local_on_loopback_only(put: Put) -> None:
    put({})
    assert sign_in.mode(this_machine_only=True) == "local"
    said = refused(lambda: sign_in.mode(this_machine_only=False))
    assert said.startswith("SIGN_IN is not set. Use oidc (")
    assert "local (local accounts, for emergencies)" in said


@pytest.mark.parametrize("value", ["OIDC", "saml", "local ", "none", "0"])
def test_sign_in_mode_unknown_is_refused(value: str, put: Put) -> None:
    put({"SIGN_IN": value})
    assert refused(lambda: sign_in.mode(this_machine_only=True)).startswith(
        f"SIGN_IN is {value!r}. Use oidc"
    )


# --- the company's provider -----------------------------------------------------------------------


def test_oidc_with_issuer_and_client_is_complete(put: Put) -> None:
    put(OIDC)
    found = sign_in.oidc()
    assert (found.issuer, found.client_id) == (OIDC["OIDC_ISSUER"], "milvus-admin")
    assert found.client_secret == "client-s3cret"
    assert (found.scopes, found.groups_claim) == ("openid profile email", "groups")
    assert (found.recheck, found.grace, found.grace_for_drops) == (300.0, 1800.0, False)
    assert "client-s3cret" not in repr(found)


@pytest.mark.parametrize("name", ["OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"])
def test_oidc_without_a_required_setting_is_refused(name: str, put: Put) -> None:
    put({**OIDC, name: ""})
    said = refused(sign_in.oidc)
    assert said.startswith(f"{name} is not set. ")
    assert "client-s3cret" not in said


def test_oidc_client_secret_can_come_from_a_file(put: Put, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-a-file\n")
    put({**OIDC, "OIDC_CLIENT_SECRET": "", "OIDC_CLIENT_SECRET_FILE": str(tmp_path / "secret")})
    assert sign_in.oidc().client_secret == "from-a-file"


@pytest.mark.parametrize(
    "issuer",
    [
        "http://login.example",
        "http://10.0.0.1/",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example",
        "http://localhost@evil.example/",
        "login.example",
        "//login.example",
        "ftp://login.example",
    ],
)
def test_issuer_without_https_is_refused(issuer: str, put: Put) -> None:
    put({**OIDC, "OIDC_ISSUER": issuer})
    said = refused(sign_in.oidc)
    assert said == f"OIDC_ISSUER is {issuer!r}. Use an https:// address."


@pytest.mark.parametrize(
    "issuer",
    ["https://login.example", "http://127.0.0.1:8080/a", "http://localhost/", "http://[::1]:1"],
)
def test_issuer_is_kept_unchanged(issuer: str, put: Put) -> None:
    put({**OIDC, "OIDC_ISSUER": issuer})
    assert sign_in.oidc().issuer == issuer


def test_issuer_that_is_the_discovery_document_is_refused(put: Put) -> None:
    put({**OIDC, "OIDC_ISSUER": "https://id.example/realms/a/.well-known/openid-configuration"})
    with pytest.raises(ImproperlyConfigured, match=r"probably https://id.example/realms/a$"):
        sign_in.oidc()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROXY_USER_HEADER", "X_User"),
        ("PROXY_GROUPS_HEADER", "X-Groups:"),
        ("PROXY_SECRET_HEADER", "X Secret"),
        ("PROXY_SIGN_OUT_URL", "id.example/logout"),
    ],
)
def test_proxy_setting_that_cannot_work_is_refused(name: str, value: str, put: Put) -> None:
    put({**PROXY, name: value})
    with pytest.raises(ImproperlyConfigured, match=f"^{name} is "):
        sign_in.proxy()


@pytest.mark.parametrize("scopes", ["profile", "OpenID profile", "openidprofile", "profile,openid"])
def test_oidc_scopes_without_openid_are_refused(scopes: str, put: Put) -> None:
    put({**OIDC, "OIDC_SCOPES": scopes})
    assert refused(sign_in.oidc) == "OIDC_SCOPES has no openid. Use: openid profile email"


@pytest.mark.parametrize("name", ["OIDC_RECHECK", "OIDC_GRACE"])
@pytest.mark.parametrize(
    "value", ["5", "5 m", "-5m", "m", "1.5h", "5M", "1h30m", "5m\n", "99999999d"]
)
def test_duration_without_a_unit_is_refused(name: str, value: str, put: Put) -> None:
    put({**OIDC, name: value})
    said = refused(sign_in.oidc)
    assert said == f"{name} is {value!r}. Use a duration such as 30s, 10m, 8h."


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("30s", 30), ("10m", 600), ("8h", 28800), ("1d", 86400)]
)
def test_duration_is_kept_in_seconds(text: str, seconds: float, put: Put) -> None:
    assert env.seconds(text, "X") == seconds
    put({**OIDC, "OIDC_GRACE": text, "OIDC_RECHECK": text})
    assert sign_in.oidc().grace == seconds
    assert sign_in.oidc().recheck == max(seconds, 1), "not at every image of a page"


def test_grace_for_drops_is_off_unless_set(put: Put) -> None:
    put({**OIDC, "OIDC_GRACE_FOR_DROPS": "1"})
    assert sign_in.oidc().grace_for_drops
    put({"OIDC_GRACE_FOR_DROPS": "perhaps"})
    assert refused(sign_in.oidc).startswith("OIDC_GRACE_FOR_DROPS is 'perhaps'.")


# --- a proxy --------------------------------------------------------------------------------------


def test_proxy_with_secret_and_peer_is_complete(put: Put) -> None:
    put(PROXY)
    assert sign_in.proxy() == Proxy(secret=SECRET, networks=(ip_network("10.0.3.7/32"),))
    assert SECRET not in repr(sign_in.proxy())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"PROXY_SECRET": ""}, "PROXY_SECRET is not set. Make one with: openssl rand -hex 32"),
        ({"PROXY_SECRET": "q" * 31}, "PROXY_SECRET is shorter than 32 characters."),
        ({"PROXY_TRUSTED": ""}, "PROXY_TRUSTED is not set. List the proxy's addresses"),
        ({"PROXY_TRUSTED": " , "}, "PROXY_TRUSTED is not set."),
        ({"PROXY_TRUSTED": "0.0.0.0/0"}, "PROXY_TRUSTED: 0.0.0.0/0 matches every address."),
        ({"PROXY_TRUSTED": "::/0"}, "PROXY_TRUSTED: ::/0 matches every address."),
        ({"PROXY_TRUSTED": "10.0.3.7, ::/0"}, "PROXY_TRUSTED: ::/0 matches every address."),
        ({"PROXY_TRUSTED": "proxy.example"}, "PROXY_TRUSTED: 'proxy.example' is not an address"),
        ({"PROXY_TRUSTED": "*"}, "PROXY_TRUSTED: '*' is not an address"),
        ({"PROXY_TRUSTED": "10.0.3.7/28"}, "PROXY_TRUSTED: '10.0.3.7/28' is not an address"),
        ({"PROXY_TRUSTED": "10.0.3.7:80"}, "PROXY_TRUSTED: '10.0.3.7:80' is not an address"),
        ({"PROXY_TRUSTED": "Unix"}, "PROXY_TRUSTED: 'Unix' is not an address"),
    ],
    ids=str,
)
def test_proxy_that_is_unsafe_is_refused(change: dict[str, str], words: str, put: Put) -> None:
    put({**PROXY, **change})
    said = refused(sign_in.proxy)
    assert said.startswith(words)
    assert SECRET not in said
    assert "q" * 31 not in said


@pytest.mark.parametrize(
    ("trusted", "peer", "is_it"),
    [
        ("10.0.3.7", "10.0.3.7", True),
        ("10.0.3.7", "10.0.3.8", False),
        ("10.0.3.7", "", False),
        ("10.0.3.0/28", "10.0.3.15", True),
        ("10.0.3.0/28", "10.0.3.16", False),
        ("10.0.3.7, fd00::1", "fd00::1", True),
        ("fd00::/64", "fd00:0:0:1::1", False),
        ("unix", "", True),
        ("unix", "127.0.0.1", False),
        ("unix,127.0.0.1", "127.0.0.1", True),
        ("10.0.3.7", "unix", False),
        ("10.0.3.7", "10.0.3.7, 10.0.3.7", False),
    ],
)
def test_proxy_trusts_the_peer_of_the_socket(
    trusted: str, peer: str, is_it: bool, put: Put
) -> None:
    put({**PROXY, "PROXY_TRUSTED": trusted})
    assert sign_in.proxy().trusts(peer) is is_it


# --- the settings together, in processes of their own ---------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """config(text) names a file with that text."""

    def write(text: str) -> dict[str, str]:
        (tmp_path / "config.toml").write_text(text)
        return {"MILVUSADMIN_CONFIG": str(tmp_path / "config.toml")}

    return write


def test_settings_in_production_require_sign_in(run: Run) -> None:
    assert complaint(run, without("SIGN_IN")).startswith("SIGN_IN is not set. Use oidc")
    assert load(run, {**LOOPBACK, "SIGN_IN": ""}, "SIGN_IN") == ["'local'"]


@pytest.mark.parametrize("mode", [OIDC, PROXY], ids=["oidc", "proxy"])
def test_sign_in_without_an_access_rule_stops_the_start(mode: dict[str, str], run: Run) -> None:
    said = complaint(run, {**PRODUCTION, **mode})
    assert said.startswith(f"SIGN_IN is {mode['SIGN_IN']}, and there is no [[access]] rule")
    assert "MILVUSADMIN_CONFIG" in said


@pytest.mark.parametrize(
    ("mode", "missing"), [(OIDC, "OIDC_CLIENT_SECRET"), (PROXY, "PROXY_TRUSTED")], ids=str
)
def test_sign_in_without_a_setting_of_its_mode_stops_the_start(
    mode: dict[str, str], missing: str, config: Any, run: Run
) -> None:
    said = complaint(run, {**PRODUCTION, **mode, **config(ACCESS), missing: ""})
    assert said.startswith(f"{missing} is not set.")


@pytest.mark.parametrize(
    ("mode", "backend"),
    [
        (OIDC, "milvusadmin.sso.backends.OidcBackend"),
        (PROXY, "milvusadmin.sso.backends.ProxyBackend"),
    ],
    ids=["oidc", "proxy"],
)
def test_company_sign_in_uses_rules_of_the_file_alone(
    mode: dict[str, str], backend: str, config: Any, run: Run
) -> None:
    """No local password signs anybody in, and the built-in rules grant nothing."""
    rules, backends = load(
        run,
        {**PRODUCTION, **mode, **config(ACCESS)},
        "ACCESS[0].source + str(len(settings.ACCESS))",
        "AUTHENTICATION_BACKENDS",
    )
    assert rules == "'[[access]] rule 11'"
    assert backends == repr([backend])


def test_local_sign_in_has_roles_and_rules_of_the_file(config: Any, run: Run) -> None:
    [found] = load(run, {**PRODUCTION, **config(ACCESS)}, "ACCESS")
    assert found.count("Rule(") == 1 + len(ROLES)
    assert "the built-in rule of the role viewer" in found


def test_reauth_with_proxy_sign_in_stops_the_start(config: Any, run: Run) -> None:
    text = f'{ACCESS}\n[clusters.main]\nuri = "http://m:1"\nreauth = "10m"\n'
    said = complaint(run, {**PRODUCTION, **PROXY, **config(text)})
    assert said.startswith("reauth needs SIGN_IN=oidc or local")
    assert load(run, {**PRODUCTION, **OIDC, **config(text)}, "CLUSTERS['main'].reauth") == ["600.0"]


def test_rule_with_a_mistake_stops_the_start(config: Any, run: Run) -> None:
    said = complaint(run, {**PRODUCTION, **config(ACCESS.replace('"main"', '"mian"'))})
    assert said == "[[access]] rule 1 clusters: 'mian' matches no cluster. Known: main."


@pytest.mark.parametrize("mode", [OIDC, PROXY], ids=["oidc", "proxy"])
def test_sign_in_settings_printed_show_no_secret(
    mode: dict[str, str], config: Any, run: Run
) -> None:
    [found] = load(run, {**PRODUCTION, **mode, **config(ACCESS)}, mode["SIGN_IN"].upper())
    assert "secret" not in found.replace("X-Proxy-Secret", "").replace("secret_header", "")
    assert SECRET not in found


def test_deployment_check_with_company_sign_in_finds_nothing(config: Any, run: Run) -> None:
    done = run(
        {**PRODUCTION, **OIDC, **config(ACCESS)},
        *["manage.py", "check", "--deploy", "--fail-level", "WARNING"],
    )
    assert done.returncode == 0, done.stderr
