"""docs/privacy.md names every place where personal data is kept."""

from dataclasses import fields

import pytest
from django.apps import apps
from django.conf import settings

from collections_app.access.principals import Actor, Origin
from tests.documents import read

PAGE = read("docs/privacy.md")

# Names of collections, roles and rights; when tasks ran; which events are in which file.
NOBODY = {
    "auth_group",
    "auth_permission",
    "collections_app_taskrun",
    "collections_app_removedsegment",
    "collections_app_seencollection",
    "collections_app_watcheddatabase",
    "django_content_type",
}
# Other records of django-axes: nothing is written there (AXES_DISABLE_ACCESS_LOG and its defaults).
UNUSED = {"axes_accesslog", "axes_accessfailurelog", "axes_accessattemptexpiration"}


def tables() -> set[str]:
    return {model._meta.db_table for model in apps.get_models(include_auto_created=True)}


def test_tables_with_personal_data_are_named() -> None:
    links_only = {table for table in tables() if table.startswith("auth_") and table.count("_") > 1}
    rest = tables() - NOBODY - UNUSED - links_only
    assert rest >= {"auth_user", "django_session", "sso_signin", "collections_app_auditevent"}
    assert [table for table in sorted(rest) if f"`{table}`" not in PAGE] == []


@pytest.mark.parametrize(("part", "kind"), [("actor", Actor), ("origin", Origin)])
def test_event_parts_about_a_person_are_named(part: str, kind: type) -> None:
    names = {field.name for field in fields(kind)} - {"stale"}  # which is not kept
    assert [name for name in sorted(names) if f"`{part}.{name}`" not in PAGE] == []


def test_times_and_places_are_those_of_the_settings() -> None:
    assert f"{settings.SESSION_COOKIE_AGE // 3600} hours at most" in PAGE
    assert set(settings.LOGGING["handlers"]) == {"console", "audit"}  # both are in the table
