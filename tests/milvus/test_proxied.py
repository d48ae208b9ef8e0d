"""An HTTP proxy of the environment on the way to Milvus is named with its remedy."""

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from collections_app.milvus.proxied import EXCEPTIONS, PROXIES, proxy_for, remedy
from milvusadmin.doctor import milvus
from tests.fixtures import cluster_at
from tests.web import Page

URI = "http://milvus.internal:19530"
PROXY = "http://user:pass-w0rd@proxy.example:3128"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *EXCEPTIONS):
        monkeypatch.delenv(name, raising=False)


CASES = [
    ({}, URI, ""),
    ({"http_proxy": PROXY}, URI, "http_proxy (proxy.example:3128)"),
    ({"http_proxy": PROXY}, "http://127.0.0.1:19530", "http_proxy (proxy.example:3128)"),
    ({"http_proxy": "x:1", "grpc_proxy": PROXY}, URI, "grpc_proxy (proxy.example:3128)"),
    ({"http_proxy": PROXY, "no_proxy": "other, .internal"}, URI, ""),
    ({"http_proxy": PROXY, "no_proxy": "milvus.internal"}, URI, ""),
    ({"http_proxy": PROXY, "no_proxy": "127.0.0.0/8"}, "http://127.0.0.1:19530", ""),
    ({"http_proxy": PROXY, "no_proxy": "example"}, URI, "http_proxy (proxy.example:3128)"),
    ({"http_proxy": PROXY}, "unix:///run/milvus.sock", ""),
    ({"http_proxy": PROXY}, "var/milvus.db", ""),
    ({"HTTP_PROXY": PROXY}, URI, ""),  # gRPC reads the lower-case ones only
]


@pytest.mark.parametrize(("environment", "uri", "expected"), CASES)
def test_proxy_for_names_what_grpc_asks(
    environment: dict[str, str], uri: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(uri) == expected
    assert "pass-w0rd" not in remedy(uri)


@pytest.mark.django_db
def test_page_and_doctor_name_the_proxy_and_no_proxy(
    monkeypatch: pytest.MonkeyPatch, signed_in: Any, use_cluster: Any, settings: Any
) -> None:
    """With a real client: gRPC uses a proxy that does not exist, even for this machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    uri = "http://127.0.0.1:19530"
    use_cluster(uri, read_timeout=0.5)
    hidden = replace(cluster_at("http://hidden.internal:19530"), key="hidden")
    settings.CLUSTERS = {**settings.CLUSTERS, "hidden": hidden}
    client: Client = signed_in("viewer")
    page = Page(client.get("/clusters/main/collections/?database=default"))
    assert page.status == 503
    assert "through the proxy in http_proxy (127.0.0.1:9)" in page.text
    assert "add 127.0.0.1 to no_proxy" in page.text
    assert "hidden.internal" not in page.text, "only the cluster that does not answer"
    chinese = client.get(
        "/clusters/main/collections/?database=default", headers={"Accept-Language": "zh-hans"}
    )
    assert "请把 127.0.0.1 加入该环境的 no_proxy" in Page(chinese).text
    found = list(milvus.look(cluster_at(uri, read_timeout=0.5)))
    assert any("http_proxy" in one.text and "no_proxy" in one.remedy for one in found)
