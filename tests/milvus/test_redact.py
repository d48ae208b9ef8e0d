"""Credentials of external storage are redacted; its address stays readable."""

import json
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collections_app.milvus import redact, schema, unfold
from collections_app.milvus.sdk import pb
from collections_app.milvus.types import Load

SECRET = "wJalrXUtnFEMI7"
FULL = {
    "format": "iceberg-table",
    "columns": ["id", "vector"],
    "snapshot_id": 7_219_000_000_000_000_001,
    "extfs": {
        "address": "https://minio.example:9000",
        "bucket_name": "lake",
        "region": "eu-west-1",
        "use_ssl": "true",
        "access_key_id": SECRET,
        "access_key_value": SECRET,
        "external_id": SECRET,
        "ssl_ca_cert": f"-----BEGIN CERTIFICATE-----{SECRET}",
        "role_arn": f"arn:aws:iam::1:role/{SECRET}",
        "of_tomorrow": SECRET,
    },
}


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("", ""),
        ("s3://lake/books/", "s3://lake/books/"),
        ("s3://minio.example:9000/lake/books", "s3://minio.example:9000/lake/books"),
        ("s3://[::1]:9000/lake", "s3://[::1]:9000/lake"),
        ("s3:///lake/books", "s3:///lake/books"),
        ("gs://lake/Bücher/図書", "gs://lake/Bücher/図書"),
        ("lake/books", "lake/books"),
        (f"s3://AKIA:{SECRET}@lake/books", "s3://•••@lake/books"),
        (f"s3://{SECRET}@lake/books", "s3://•••@lake/books"),
        (f"AKIA:{SECRET}@lake/books", "•••@lake/books"),
        (f"s3://AKIA:p/{SECRET}@lake/books", "s3://•••@lake/books"),
        (f"s3://AKIA:p?{SECRET}@lake/books", "s3://•••"),
        (f"s3://AKIA:p#{SECRET}@lake/books", "s3://•••"),
        (f"s3://lake/books?X-Amz-Signature={SECRET}", "s3://lake/books?•••"),
        (f"s3://AKIA:{SECRET}@lake/books?x=1", "s3://•••@lake/books?•••"),
        (f"s3://lake/books#{SECRET}", "s3://lake/books?•••"),
        (f"s3://lake/books?sig={SECRET}@x", "s3://•••"),
        (f"s3://AKIA:{SECRET}", "s3://•••"),
        (f"AKIA:{SECRET}", "•••"),
    ],
)
def test_redact_address_hides_credentials_only(source: str, shown: str) -> None:
    assert redact.address(source) == shown


def test_redact_external_spec_shows_harmless_keys_only() -> None:
    shown = redact.external_spec(json.dumps(FULL))
    assert SECRET not in shown
    assert json.loads(shown) == {
        "format": "iceberg-table",
        "columns": ["id", "vector"],
        "snapshot_id": 7_219_000_000_000_000_001,
        "extfs": {
            "address": "https://minio.example:9000",
            "bucket_name": "lake",
            "region": "eu-west-1",
            "use_ssl": "true",
            "access_key_id": "•••",
            "access_key_value": "•••",
            "external_id": "•••",
            "ssl_ca_cert": "•••",
            "role_arn": "•••",
            "of_tomorrow": "•••",
        },
    }


@pytest.mark.parametrize(
    "spec",
    [
        SECRET,
        f"access_key_value={SECRET}",
        f'{{"access_key_value": "{SECRET}"',
        json.dumps([SECRET]),
        json.dumps(SECRET),
        json.dumps({"extfs": SECRET}),
        json.dumps({"extfs": [SECRET]}),
        json.dumps({"extfs": {"extfs": {"region": SECRET}}}),
        json.dumps({"extfs": {"address": f"https://a:{SECRET}@minio.example"}}),
        json.dumps({"extfs": {"region": f"a:{SECRET}@eu"}}),
        json.dumps({"extfs": {"region": {"x": SECRET}}}),
        json.dumps({"extfs": {SECRET: "true"}}),
        json.dumps({"columns": {"x": SECRET}}),
        json.dumps({"columns": [{"x": SECRET}]}),
        json.dumps({"format": "x" * 9000, "token": SECRET}),
        '{"format": "\\ud800", "token": "' + SECRET + '"}',
        '{"format":' * 900 + f'"{SECRET}"' + "}" * 900,
        "[" * 5000 + SECRET,
    ],
    ids=range(18),
)
def test_redact_external_spec_of_another_form_shows_nothing(spec: str) -> None:
    shown = redact.external_spec(spec)
    assert SECRET not in shown
    assert "•••" in shown
    shown.encode()


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("collection.ttl.seconds", "60", "60"),
        ("mmap.enabled", "true", "true"),
        ("partitionkey.isolation", "true", "true"),
        ("timezone", "Asia/Tokyo", "Asia/Tokyo"),
        ("provider", "openai", "openai"),
        ("credential", "apikey1", "apikey1"),  # the name of an entry in milvus.yaml
        ("tokenizer", "icu", "icu"),
        ("url", "https://models.example/embed", "https://models.example/embed"),
        ("url", f"https://a:{SECRET}@models.example", "https://•••@models.example"),
        ("url", f"https://models.example?key={SECRET}", "https://models.example?•••"),
        *((key, SECRET, "•••") for key in ("api_key", "apiKey", "cipher.key", "access_token")),
        *((key, SECRET, "•••") for key in ("client_secret", "Password", "credentials", "sas")),
    ],
)
def test_redact_parameter_with_a_secret_key_hides_it(key: str, value: str, shown: str) -> None:
    assert redact.parameter(key, value) == shown


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("collection not found[collection=books]", "collection not found[collection=books]"),
        ("duplicate key: 5, token expired", "duplicate key: 5, token expired"),
        (f'bad spec {{"access_key_value": "{SECRET}"}}', 'bad spec {"access_key_value": •••}'),
        (f'\\"access_key_value\\":\\"{SECRET} x\\"}}', '\\"access_key_value\\":•••}'),
        (f"map[access_key_id:{SECRET} region:eu]", "map[access_key_id:••• region:eu]"),
        (f"GET https://s3?secretKey={SECRET}&x=1", "GET https://s3?secretKey=•••&x=1"),
        (f"can't reach s3://a:{SECRET}@lake/b", "can't reach s3://•••@lake/b"),
    ],
)
def test_redact_message_hides_credentials(said: str, shown: str) -> None:
    assert redact.message(said) == shown


def test_description_of_a_collection_shows_no_secret() -> None:
    pair = {"key": "api_key", "value": SECRET}
    reply = pb.DescribeCollectionResponse(
        schema={
            "name": "c",
            "external_source": f"s3://AKIA:{SECRET}@lake/books",
            "external_spec": json.dumps(FULL),
            "properties": [pair],
            "functions": [{"name": "f", "params": [pair]}],
        },
        properties=[pair],
    )
    found = unfold.unfold(reply)
    kept: Any = schema.snapshot(found, [], [], (), 0, Load(None), 0, unfold.raw(reply))
    everything = f"{found} {kept} {schema.external(found)} {schema.functions(found)}"
    assert SECRET not in everything
    assert "AKIA" not in everything
    assert kept["describe"]["external_source"] == "s3://•••@lake/books"
    assert kept["raw"]["schema"]["external_source"] == "s3://•••@lake/books"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.just(SECRET)
KEYS = st.sampled_from(["token", "extfs", "access_key_value", "x", "Key", "of_tomorrow"])
NESTED = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=9
)


@settings(max_examples=100, deadline=None)
@given(spec=st.dictionaries(KEYS, NESTED), junk=st.text(string.printable, max_size=5))
def test_redact_external_spec_never_shows_an_unknown_key(spec: dict[str, Any], junk: str) -> None:
    for text in (json.dumps(spec), json.dumps(spec) + junk, junk + json.dumps(spec)):
        assert SECRET not in redact.external_spec(text)
