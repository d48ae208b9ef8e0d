"""The access page: the rules that apply, and the answer for one place."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from collections_app.models import AuditEvent
from tests.fixtures import cluster_at, rule
from tests.web import Page

pytestmark = pytest.mark.django_db
PAGE = "/access/"
PROTECTING = ("Protect collection", "Keep collection protected")
ALL_YES = {
    "See": "yes",
    "Read the audit log": "no",
    "Drop collection": "yes",
    "Drop partition": "yes",
    "Release collection": "yes",
    "Release partition": "yes",
    "Drop alias": "yes",
    "Re-create collection": "no",
    "Protect collection": "yes",
    "Unprotect collection": "no",
    "Keep collection protected": "yes",
}


@pytest.fixture(autouse=True)
def configured(settings: Any) -> None:
    """Two clusters; the team may see all of one and drop partitions of `team_*` there."""
    main = cluster_at("http://ada:secret-word@127.0.0.1:1", "root:hush", protected=("billing_*",))
    settings.CLUSTERS = {"main": main, "second": replace(main, key="second", label="Second")}
    settings.ACCESS = (
        *settings.ACCESS,
        rule("team", "view", clusters=("main",)),
        rule("team", "drop_partition", clusters=("main",), collections=("team_*",)),
    )


@pytest.fixture
def team(people: dict[str, Any], signed_in: Callable[..., Client]) -> Client:
    people["outsider"].groups.add(Group.objects.create(name="team"))
    return signed_in("outsider")


def answers(page: Page) -> dict[str, str]:
    """What: yes or no."""
    return {row[0]: row[1] for row in page.rows if len(row) == 3}


def reaches(page: Page) -> dict[str, list[str]]:
    """The matrix: an action, and the cell of each cluster."""
    actions = [tag.text for tag in page.find("th", scope="row")]
    cells = [row for row in page.rows if len(row) != 3]
    return dict(zip(actions, cells, strict=True))


def ask(client: Client, cluster: str, database: str = "", collection: str = "") -> Page:
    asked = {"cluster": cluster, "database": database, "collection": collection}
    return Page(client.get(PAGE, asked))


def test_access_page_shows_identity_and_applicable_rules(team: Client) -> None:
    page = Page(team.get(PAGE))
    assert page.status == 200
    facts = zip(page.find("dt"), page.find("dd"), strict=True)
    assert {dt.text: dd.text for dt, dd in facts} == {
        "Name": "outsider",
        "Subject": "outsider",
        "Signed in": "with a local account",
        "Groups": "team",
    }
    rules = [tag.text for tag in page.find("li")]
    assert len(rules) == 2
    assert "view" in rules[0] and "main" in rules[0] and "the rule of team" in rules[0]
    assert "drop_partition" in rules[1] and "team_*" in rules[1]
    assert "the built-in rule" not in page.text, "rules of others are nobody's business"
    assert not answers(page), "nothing was asked"


def test_access_answer_names_the_rule(team: Client) -> None:
    page = ask(team, "main", "default", "team_books")
    assert page.status == 200
    yes = {"See", "Drop partition", "Release partition", *PROTECTING}
    assert answers(page) == {name: "yes" if name in yes else "no" for name in ALL_YES}
    why = {row[0]: row[2] for row in page.rows if len(row) == 3}
    assert why["Drop partition"] == "Granted by the rule of team"
    assert why["Drop collection"] == "No rule grants this to your groups"


def test_access_answer_for_another_place_differs(team: Client) -> None:
    page = ask(team, "main", "default", "books")
    assert [name for name, answer in answers(page).items() if answer == "yes"] == ["See"]


def test_access_answer_names_a_lock_on_a_visible_collection(
    team: Client, signed_in: Callable[..., Client]
) -> None:
    page = ask(signed_in("operator"), "main", "default", "billing_2026")
    assert answers(page) == {n: "yes" if n == "See" else "no" for n in ALL_YES}
    assert "It is protected by “billing_*” in [clusters.main]" in page.text
    assert answers(ask(signed_in("operator"), "main", "default", "books")) == ALL_YES


@pytest.mark.parametrize("cluster", ["second", "nosuch", "", "MAIN"])
def test_access_answer_for_a_hidden_cluster_is_an_error(cluster: str, team: Client) -> None:
    page = ask(team, cluster, "default", "books")
    assert page.status == 200
    assert page.find("p", cls="error")
    assert not answers(page)
    assert "Second" not in page.text


def test_access_page_opens_for_an_auditor(signed_in: Callable[..., Client]) -> None:
    page = Page(signed_in("auditor").get(PAGE))
    assert page.status == 200
    assert "audit" in page.find("li")[0].text
    assert not page.find("select")


def test_access_page_without_a_rule_says_what_to_do(signed_in: Callable[..., Client]) -> None:
    page = Page(signed_in("outsider").get(PAGE))
    assert page.status == 200
    assert "None. Without a rule, nothing is allowed." in page.text
    assert "No rule applies to you" in page.text


def test_access_form_keeps_its_input_as_text(team: Client) -> None:
    odd = '"><b onclick=x>'
    page = ask(team, "main", odd, " spaces ")
    assert page.status == 200
    assert page.value("database") == odd
    assert page.value("collection") == " spaces "
    assert not page.find("b", onclick="x")


def test_access_page_tells_only_cluster_names(team: Client) -> None:
    html = ask(team, "main", "default", "books").html
    for secret in ("secret-word", "hush", "127.0.0.1"):
        assert secret not in html


def test_access_answer_needs_no_milvus_and_is_not_recorded(team: Client) -> None:
    ask(team, "main", "default", "books")
    assert not AuditEvent.objects.exists()
    assert team.post(PAGE).status_code == 405
    assert Client().get(PAGE).status_code == 302


def test_access_page_is_linked_from_every_page(team: Client) -> None:
    assert Page(team.get(PAGE)).link("outsider") == PAGE


# --- the matrix -----------------------------------------------------------------------------------


def test_matrix_shows_how_far_each_action_reaches_by_which_rule(
    team: Client, settings: Any
) -> None:
    found = reaches(Page(team.get(PAGE)))
    assert list(found) == list(ALL_YES), "nothing of a recycle bin, where there is none"
    assert all(len(cells) == 1 for cells in found.values()), "only the cluster they may see"
    [see], [drop], [audit] = (found[act] for act in ("See", "Drop partition", "Read the audit log"))
    assert (see.split()[0], audit) == ("yes", "no")
    assert drop.startswith("on some names * / team_* ")
    assert drop.endswith("except protected billing_*")
    assert settings.ACCESS[-1].source in drop


def test_matrix_with_a_bin_on_one_of_two_clusters_says_so(team: Client, settings: Any) -> None:
    has_bin = replace(settings.CLUSTERS["second"], recycle_bin=3600.0)
    settings.CLUSTERS = {**settings.CLUSTERS, "second": has_bin}
    settings.ACCESS = (rule("team", "drop"),)
    found = reaches(Page(team.get(PAGE)))
    word = {act: [cell.split(" /")[0] for cell in cells] for act, cells in found.items()}
    assert [cell.partition(" ")[0] for cell in word["Drop collection"]] == ["yes", "no"]
    assert [cell.partition(" ")[0] for cell in word["Purge collection"]] == ["no", "no"]
    assert word["Restore collection"][0] == "no recycle bin"
    assert word["Restore collection"][1].startswith("yes")


def test_matrix_with_one_rule_names_it_once(team: Client, settings: Any) -> None:
    settings.ACCESS = (rule("team", "drop"),)
    page = Page(team.get(PAGE))
    assert f"Granted by {settings.ACCESS[0].source}" in page.text
    assert not [c for row in reaches(page).values() for c in row if settings.ACCESS[0].source in c]


def test_matrix_without_any_permission_is_left_out(signed_in: Callable[..., Client]) -> None:
    assert not Page(signed_in("outsider").get(PAGE)).find("table")
