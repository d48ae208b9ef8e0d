"""Where notifications about approvals go: what is missing or wrong is named with its remedy."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from milvusadmin.config import notifications

GOOD = {
    "PUBLIC_URL": "https://milvus-admin.example.com/",
    "APPROVAL_MAIL_TO": "a@example.com, b@example.com",
    "MAIL_HOST": "mail.example.com",
    "MAIL_FROM": "milvus-admin@example.com",
    "APPROVAL_WEBHOOK_URL": "https://hooks.example.com/t0ken",
    "APPROVAL_WEBHOOK_SECRET": "s" * 32,
}
NAMES = {*GOOD, "MAIL_PORT", "MAIL_USER", "MAIL_PASSWORD", "MAIL_SECURITY"}


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)

    def set_all(**environment: str) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return set_all


def test_notifications_without_settings_are_off(use: Any) -> None:
    assert notifications.load() == notifications.Notifications()


def test_notifications_are_read_from_the_environment(use: Any) -> None:
    use(**GOOD)
    found = notifications.load()
    assert found.public_url == "https://milvus-admin.example.com"
    assert found.mail_to == ("a@example.com", "b@example.com")
    assert "t0ken" not in repr(found) and "ssss" not in repr(found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"PUBLIC_URL": ""}, "PUBLIC_URL is not set"),
        ({"PUBLIC_URL": "milvus-admin.example.com"}, "PUBLIC_URL is not set, or not an address"),
        ({"APPROVAL_WEBHOOK_URL": "file:///etc/passwd"}, "APPROVAL_WEBHOOK_URL"),
        ({"APPROVAL_WEBHOOK_SECRET": "short"}, "shorter than 32 characters"),
        ({"APPROVAL_MAIL_TO": "a@b\nBcc: c@d"}, "is not an address of mail"),
        ({"MAIL_HOST": ""}, "MAIL_HOST"),
        ({"MAIL_FROM": ""}, "MAIL_FROM"),
        ({"MAIL_PORT": "smtp"}, "MAIL_PORT is 'smtp'"),
        ({"MAIL_SECURITY": "ssl"}, "Use starttls, tls, none"),
    ],
)
def test_mistake_is_named_and_no_secret_repeated(
    use: Any, changes: dict[str, str], said: str
) -> None:
    use(**{**GOOD, **changes})
    with pytest.raises(ImproperlyConfigured) as caught:
        notifications.load()
    assert said in str(caught.value)
    assert "t0ken" not in str(caught.value)


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_port_follows_from_the_security(use: Any, security: str, port: int) -> None:
    use(MAIL_SECURITY=security)
    assert notifications.mail_server().port == port
