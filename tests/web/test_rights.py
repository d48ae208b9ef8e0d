"""The page that says what one may do: the rules that count, and the answer for one place."""

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
ALL_YES = {
    "See": "yes",
    "Read the audit log": "no",
    "Drop collection": "yes",
    "Drop partition": "yes",
    "Release collection": "yes",
    "Release partition": "yes",
    "Drop alias": "yes",
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


def test_who_one_is_and_which_rules_count(team: Client) -> None:
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


def test_the_answer_for_a_place_names_the_rule(team: Client) -> None:
    page = ask(team, "main", "default", "team_books")
    assert page.status == 200
    yes = {"See", "Drop partition", "Release partition"}
    assert answers(page) == {name: "yes" if name in yes else "no" for name in ALL_YES}
    why = {row[0]: row[2] for row in page.rows if len(row) == 3}
    assert why["Drop partition"] == "Granted by the rule of team"
    assert why["Drop collection"] == "No rule grants this to your groups"


def test_elsewhere_the_answer_is_another(team: Client) -> None:
    page = ask(team, "main", "default", "books")
    assert [name for name, answer in answers(page).items() if answer == "yes"] == ["See"]


def test_a_lock_is_named_to_who_may_see_what_it_locks(
    team: Client, signed_in: Callable[..., Client]
) -> None:
    page = ask(signed_in("operator"), "main", "default", "billing_2026")
    assert answers(page) == {n: "yes" if n == "See" else "no" for n in ALL_YES}
    assert "It is protected by “billing_*” in [clusters.main]" in page.text
    assert answers(ask(signed_in("operator"), "main", "default", "books")) == ALL_YES


@pytest.mark.parametrize("cluster", ["second", "nosuch", "", "MAIN"])
def test_a_cluster_that_one_may_not_see_can_not_be_asked_for(cluster: str, team: Client) -> None:
    page = ask(team, cluster, "default", "books")
    assert page.status == 200
    assert page.find("p", cls="error")
    assert not answers(page)
    assert "Second" not in page.text


def test_an_auditor_has_a_page_too(signed_in: Callable[..., Client]) -> None:
    page = Page(signed_in("auditor").get(PAGE))
    assert page.status == 200
    assert "audit" in page.find("li")[0].text
    assert not page.find("select")


def test_without_a_rule_it_says_what_to_do(signed_in: Callable[..., Client]) -> None:
    page = Page(signed_in("outsider").get(PAGE))
    assert page.status == 200
    assert "None. Without a rule, nothing is allowed." in page.text
    assert "No rule applies to you" in page.text


def test_what_was_asked_stays_in_the_form_as_text(team: Client) -> None:
    odd = '"><b onclick=x>'
    page = ask(team, "main", odd, " spaces ")
    assert page.status == 200
    assert page.value("database") == odd
    assert page.value("collection") == " spaces "
    assert not page.find("b", onclick="x")


def test_nothing_is_told_about_the_clusters_but_their_names(team: Client) -> None:
    html = ask(team, "main", "default", "books").html
    for secret in ("secret-word", "hush", "127.0.0.1"):
        assert secret not in html


def test_asking_is_not_recorded_and_needs_no_milvus(team: Client) -> None:
    ask(team, "main", "default", "books")
    assert not AuditEvent.objects.exists()
    assert team.post(PAGE).status_code == 405
    assert Client().get(PAGE).status_code == 302


def test_every_page_leads_here(team: Client) -> None:
    assert Page(team.get(PAGE)).link("outsider") == PAGE


# --- the matrix -----------------------------------------------------------------------------------


def test_matrix_tells_how_far_each_action_reaches_and_by_which_rule(
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


def test_matrix_without_recycle_bin_on_one_of_two_clusters_says_so(
    team: Client, settings: Any
) -> None:
    has_bin = replace(settings.CLUSTERS["second"], recycle_bin=3600.0)
    settings.CLUSTERS = {**settings.CLUSTERS, "second": has_bin}
    settings.ACCESS = (rule("team", "drop"),)
    found = reaches(Page(team.get(PAGE)))
    word = {act: [cell.split(" /")[0] for cell in cells] for act, cells in found.items()}
    assert [cell.partition(" ")[0] for cell in word["Drop collection"]] == ["yes", "no"]
    assert [cell.partition(" ")[0] for cell in word["Purge collection"]] == ["no", "no"]
    assert word["Restore collection"][0] == "no recycle bin"
    assert word["Restore collection"][1].startswith("yes")


def test_matrix_of_who_may_see_nothing_is_left_out(signed_in: Callable[..., Client]) -> None:
    assert not Page(signed_in("outsider").get(PAGE)).find("table")
