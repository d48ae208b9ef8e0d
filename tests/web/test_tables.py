"""Tables without HTML: sort links and pagers."""

import pytest
from django.core.paginator import Paginator
from django.http import QueryDict

from collections_app.web.tables import ListView


def url(**view: str | int) -> str:
    query = QueryDict(mutable=True)
    query.update({key: value for key, value in view.items() if value})
    return f"?{query.urlencode()}"


@pytest.mark.parametrize(
    ("sort", "directions", "urls"),
    [
        (
            "name",
            ["ascending", "", ""],
            ["?q=a&sort=-name", "?q=a&sort=state", "?q=a&sort=created"],
        ),
        (
            "-state",
            ["", "descending", ""],
            ["?q=a&sort=name", "?q=a&sort=state", "?q=a&sort=created"],
        ),
    ],
)
def test_column_sorted_upwards_leads_down(
    sort: str, directions: list[str], urls: list[str]
) -> None:
    columns = ListView(q="a", sort=sort, page=1).columns(url)
    assert [column.direction for column in columns] == directions
    assert [column.url for column in columns] == urls


@pytest.mark.parametrize(
    ("number", "text", "previous", "following"),
    [
        (1, "1–50 of 120", "", "?sort=name&page=2"),
        (2, "51–100 of 120", "?sort=name&page=1", "?sort=name&page=3"),
        (3, "101–120 of 120", "?sort=name&page=2", ""),
    ],
)
def test_pager_leads_to_its_neighbours(
    number: int, text: str, previous: str, following: str
) -> None:
    page = Paginator(range(120), 50).page(number)
    pager = ListView(q="", sort="name", page=number).pager(page, url)
    assert (pager.text, pager.previous, pager.next) == (text, previous, following)
