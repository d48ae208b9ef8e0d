"""Names, numbers and times as the pages show them."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.template import Context, Template
from django.utils import timezone

from collections_app.milvus.types import Unread
from collections_app.web import display as tags

PROBLEMS = (403, 404, 409, 422, 429, 503)  # the statuses of problem pages

MOMENT = datetime(2026, 3, 1, 9, 8, 7, 654321, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "html"),
    [
        ("books", '<span class="name"><span class="text">books</span></span>'),
        (
            "<b> ",
            '<span class="name"><span class="text">&lt;b&gt;</span>'
            '<span class="space"> </span></span>',
        ),
        ("\n", '<span class="name"><span class="mark">\\n</span></span>'),
        ("'\"&", '<span class="name"><span class="text">&#x27;&quot;&amp;</span></span>'),
    ],
)
def test_name_tag_escapes_and_marks_invisible_characters(name: str, html: str) -> None:
    assert tags.name(name) == html


def test_person_in_a_sentence_is_isolated_from_it() -> None:
    sentence = "{% blocktranslate with who=who|person %}by {{ who }}, 3 days{% endblocktranslate %}"
    shown = Template("{% load i18n milvus %}" + sentence).render(Context({"who": "אבי\u202e <b>"}))
    assert shown == "by <bdi>אבי\\u202e &lt;b&gt;</bdi>, 3 days"


def test_person_in_every_sentence_of_a_template_is_isolated() -> None:
    values = [
        value
        for path in Path(settings.BASE_DIR, "templates").rglob("*.html")
        for value in re.findall(r"\b(?:who|author)=([^ %]+)", path.read_text())
    ]
    assert len(values) > 10
    assert [value for value in values if not value.endswith("|person")] == []


@pytest.mark.parametrize(("name", "odd"), [("books ", False), ("a\n", True), ("a\u200b", True)])
def test_is_odd_is_true_only_for_untypable_names(name: str, odd: bool) -> None:
    assert tags.is_odd(name) is odd


@pytest.mark.parametrize(
    ("value", "exact", "text"),
    [
        (0, True, "0"),
        (0, False, "≈ 0"),
        (1234, True, "1,234"),
        (9_999, False, "≈ 9,999"),
        (10_000, True, "≈ 10.0 k"),
        (99_949, False, "≈ 99.9 k"),
        (123_456, False, "≈ 123 k"),
        (1_200_000, False, "≈ 1.2 M"),
        (5_600_000_000, False, "≈ 5.6 B"),
        (Unread.UNKNOWN, False, "unknown"),
        (Unread.NOT_PERMITTED, True, "not permitted"),
        (None, True, "unknown"),
    ],
)
def test_measure_in_a_table_is_short(value: Any, exact: bool, text: str) -> None:
    assert tags.measure(value, exact) == text


@pytest.mark.parametrize(
    ("value", "exact", "text"),
    [
        (0, True, "0"),
        (0, False, "about 0"),
        (1_234_567, True, "1,234,567"),
        (1_234_567, False, "about 1,234,567"),
        (Unread.UNKNOWN, True, "unknown"),
        (Unread.NOT_PERMITTED, False, "not permitted"),
        (None, False, "unknown"),
    ],
)
def test_in_full_shows_every_digit(value: Any, exact: bool, text: str) -> None:
    assert tags.in_full(value, exact) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(Unread.UNKNOWN, "unknown"), (Unread.NOT_PERMITTED, "not permitted"), (0, ""), ((), "")],
)
def test_unread_is_told_apart_from_nothing(value: Any, text: str) -> None:
    assert tags.unread(value) == text


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(seconds=-5), "just now"),
        (timedelta(minutes=3), "3\xa0minutes ago"),
        (timedelta(days=2, hours=5), "2\xa0days ago"),
        (timedelta(days=400), "1\xa0year ago"),
    ],
)
def test_ago_uses_the_largest_unit(before: timedelta, text: str) -> None:
    assert tags.ago(timezone.now() - before) == text


def test_when_is_readable_by_people_and_machines(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    html = tags.when(MOMENT)
    assert 'datetime="2026-03-01T09:08:07.654321+00:00"' in html
    assert 'title="1 Mar 2026 10:08:07 CET"' in html
    assert tags.clock(MOMENT) == "10:08:07.654"


def test_when_without_a_moment_is_empty() -> None:
    assert (tags.when(None), tags.at(None), tags.ago(None)) == ("", "", "")


@pytest.mark.parametrize(
    ("part", "whole", "percent"),
    [
        (1, 4, 25),
        (0, 4, 0),
        (4, 4, 100),
        (5, 4, 100),
        (1, 0, 0),
        (0, 0, 0),
        (Unread.UNKNOWN, 4, 0),
        (1, Unread.NOT_PERMITTED, 0),
        (None, 4, 0),
        (1, 3, 33),
    ],
)
def test_share_is_between_0_and_100_percent(part: Any, whole: Any, percent: int) -> None:
    assert tags.share(part, whole) == percent


@pytest.mark.parametrize(
    ("tag", "address"),
    [
        (
            "collections_url 'main' 'd b' q='a&b' sort='' page=2",
            "/clusters/main/collections/?database=d+b&amp;q=a%26b&amp;page=2",
        ),
        (
            "collection_url 'main' 'db' 'a/b '",
            "/clusters/main/collection/?database=db&amp;name=a%2Fb+",
        ),
        (
            "act_url 'collection.drop' 'main' 'db' 'a?b'",
            "/clusters/main/drop-collection/?database=db&amp;collection=a%3Fb",
        ),
        (
            "act_url 'partition.drop' 'main' 'db' 'c' 'p#1'",
            "/clusters/main/drop-partition/?database=db&amp;collection=c&amp;name=p%231",
        ),
        (
            "act_url 'alias.drop' 'main' 'db' 'c' 'é'",
            "/clusters/main/drop-alias/?database=db&amp;collection=c&amp;name=%C3%A9",
        ),
    ],
)
def test_address_tags_hold_any_name(tag: str, address: str) -> None:
    template = Template(f"{{% load milvus %}}{{% {tag} %}}")
    assert template.render(Context()) == address


@pytest.mark.parametrize("status", PROBLEMS)
def test_htmx_shows_problem_pages(status: int) -> None:
    rules = tags.HTMX["responseHandling"]
    first = next(rule for rule in rules if re.search(rule["code"], str(status)))
    assert (first["swap"], first["error"]) == (True, False)
