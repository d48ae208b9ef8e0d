"""Accessibility of every page: axe finds nothing, and nothing overflows a narrow screen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import grpc
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from collections_app import clusters
from collections_app.access.policy import Action
from collections_app.audit.log import Outcome
from collections_app.milvus.types import Cluster, Kind, Target
from collections_app.operations import confirmation, protocol
from collections_app.operations.kinds import OPERATIONS
from tests.fixtures import actor, caller
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import Seeds, seeds_on, unique_name

from .conftest import act_button, address, name_field, settled, the_dialog

pytestmark = pytest.mark.django_db(transaction=True)

WIDE, NARROW, NARROWEST = 1440, 390, 320
HEIGHT = 900
LONG = "embeddings_of_" + "everything_" * 21 + "v7_final2_"
# By colour scheme, what axe looks at: only the colours change in the dark.
SCHEMES: dict[Any, dict[str, Any]] = {
    "light": {},
    "dark": {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}},
}


@dataclass(frozen=True)
class Scene:
    """A database with something of everything in it, and a browser in front of it."""

    page: Page
    browse: Callable[..., Page]
    chain: Chain
    seeds: Seeds
    settings: Any
    database: str

    def goto(self, view: str, **query: str) -> Page:
        settled(self.page, address(view, database=self.database, **query))
        return self.page

    def doomed(self) -> str:
        """A collection to drop, with the longest of names."""
        name = unique_name("doomed_").ljust(255, "x")
        return self.seeds(name, database=self.database)

    def drop(self, name: str) -> Outcome:
        """A drop by the protocol, without a browser."""
        milvus, act = clusters.get("main"), Action.DROP_COLLECTION
        target = Target(
            cluster="main",
            database=self.database,
            kind=Kind.COLLECTION,
            collection=name,
            name=name,
        )
        look = OPERATIONS[act].read_state(milvus.gateway, target)
        shown = confirmation.confirm(act, target, look, actor())
        return protocol.perform(shown, caller(), reason="No longer read")

    def story_of(self, name: str) -> Page:
        """The page of the drop of that collection."""
        from collections_app.models import AuditEvent

        event = AuditEvent.objects.filter(name=name).order_by("sequence")[0]
        self.page.goto(f"/operations/{event.operation_id}/")
        return self.page


@pytest.fixture(scope="module")
def lasting(milvus_server: MilvusServer) -> Iterator[str]:
    """A database for all tests here. What they drop, they make."""
    with seeds_on(milvus_server) as seeds:
        database = seeds.database()
        seeds(LONG, database=database)
        seeds(
            "articles",
            database=database,
            partitions=["y2025", "y2026"],
            aliases=[unique_name("live")],
            indexed=True,
            description="What the search of the site reads",
        )
        yield database


@pytest.fixture
def scene(
    page: Page,
    browse: Callable[..., Page],
    chain: Chain,
    use_cluster: Callable[..., Any],
    lasting: str,
    make_collection: Seeds,
    settings: Any,
) -> Scene:
    use_cluster(chain.uri, chain.token, color="red", unknown_timeout=600.0)
    return Scene(page, browse, chain, make_collection, settings, lasting)


# --- the pages ----------------------------------------------------------------------------------


def sign_in_page(scene: Scene) -> Page:
    page = scene.browse()
    page.goto("/audit/")
    page.get_by_label("Name").fill("somebody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    return page


def clusters_page(scene: Scene) -> Page:
    other = Cluster(key="staging", label="Staging", uri="http://127.0.0.1:1", color="green")
    scene.settings.CLUSTERS = {**scene.settings.CLUSTERS, "staging": other}
    scene.page.goto("/")
    expect(scene.page.get_by_text("No answer")).to_be_visible()
    expect(scene.page.get_by_text("Up", exact=True)).to_be_visible()
    return scene.page


def databases_page(scene: Scene) -> Page:
    scene.page.goto("/clusters/main/")
    return scene.page


def list_page(scene: Scene) -> Page:
    return scene.goto("collections")


def empty_list(scene: Scene) -> Page:
    scene.page.goto(address("collections", database=scene.seeds.database()))
    return scene.page


def no_match(scene: Scene) -> Page:
    return scene.goto("collections", q="nothing has this in its name" * 5)


def collection_page(scene: Scene) -> Page:
    scene.drop(scene.seeds("articles_old", database=scene.database))
    return scene.goto("collection", name="articles")


def long_collection_page(scene: Scene) -> Page:
    return scene.goto("collection", name=LONG)


def dialog_of(scene: Scene, name: str) -> Page:
    page = list_page(scene)
    page.get_by_role("link", name=f"Drop {name}…").click()
    expect(the_dialog(page)).to_be_visible()
    return page


def dialog(scene: Scene) -> Page:
    page = dialog_of(scene, LONG)
    the_dialog(page).get_by_text("Equivalent API calls").click()
    return page


def dialog_with_error(scene: Scene) -> Page:
    page = dialog_of(scene, LONG)
    name_field(page).fill("wrong")
    act_button(page).click()
    expect(page.get_by_role("alert")).to_be_visible()
    return page


def dialog_with_blocker(scene: Scene) -> Page:
    page = dialog_of(scene, "articles")
    expect(page.get_by_role("link", name="Drop alias…")).to_be_visible()
    return page


def dialog_with_problem(scene: Scene) -> Page:
    page = list_page(scene)
    scene.chain.proxy.refuse()
    page.get_by_role("link", name=f"Drop {LONG}…").click()
    expect(page.get_by_role("link", name="Try again")).to_be_visible()
    return page


def confirm_page(scene: Scene) -> Page:
    return scene.goto("drop-collection", collection=LONG)


def succeeded(scene: Scene) -> Page:
    name = scene.doomed()
    assert scene.drop(name) is Outcome.SUCCEEDED
    page = scene.story_of(name)
    page.get_by_text("Schema and settings").click()
    page.get_by_text("Equivalent API calls").click()
    return page


def unknown(scene: Scene) -> Page:
    scene.chain.relay.fail("DropCollection", grpc.StatusCode.UNAVAILABLE, "Socket closed")
    name = scene.doomed()
    assert scene.drop(name) is Outcome.UNKNOWN
    return scene.story_of(name)


def refused(scene: Scene) -> Page:
    scene.chain.relay.fail("DropCollection", grpc.StatusCode.PERMISSION_DENIED, "not you")
    name = scene.doomed()
    assert scene.drop(name) is Outcome.REFUSED
    return scene.story_of(name)


def stopped(scene: Scene) -> Page:
    """Stopped by us before anything was sent: the other kind of refusal."""
    with pytest.raises(protocol.OperationRejected):
        scene.drop("articles")
    return scene.story_of("articles")


def audit_log(scene: Scene) -> Page:
    stopped(scene)
    refused(scene)
    page = scene.browse("auditor")
    page.goto("/audit/?since=nonsense")
    expect(page.get_by_role("row")).to_have_count(3)
    return page


def verdict(scene: Scene) -> Page:
    page = audit_log(scene)
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.get_by_text("The chain is intact")).to_be_visible()
    return page


def empty_log(scene: Scene) -> Page:
    page = scene.browse("auditor")
    page.goto("/audit/")
    return page


def not_found(scene: Scene) -> Page:
    scene.page.goto("/clusters/nowhere/collections/")
    return scene.page


def forbidden(scene: Scene) -> Page:
    page = scene.browse("outsider")
    page.goto("/clusters/main/")
    return page


def unreachable(scene: Scene) -> Page:
    scene.chain.proxy.refuse()
    return scene.goto("collections")


def no_answer(scene: Scene) -> Page:
    page = dialog_of(scene, LONG)
    page.locator("#no-answer").evaluate("""banner => {
        document.getElementById("dialog").prepend(banner);
        banner.hidden = false;
    }""")
    return page


PAGES: tuple[Callable[[Scene], Page], ...] = (
    sign_in_page,
    clusters_page,
    databases_page,
    list_page,
    empty_list,
    no_match,
    collection_page,
    long_collection_page,
    dialog,
    dialog_with_error,
    dialog_with_blocker,
    dialog_with_problem,
    no_answer,
    confirm_page,
    succeeded,
    unknown,
    refused,
    stopped,
    audit_log,
    empty_log,
    verdict,
    not_found,
    forbidden,
    unreachable,
)


# --- what holds on each of them -----------------------------------------------------------------


PROBLEMS = {
    dialog_with_problem: "status of 503",
    audit_log: "does not conform to the required format",  # a date that is none
    verdict: "does not conform to the required format",
    not_found: "status of 404",
    forbidden: "status of 404",
    unreachable: "status of 503",
}


def scene_of(show: Callable[[Scene], Page]) -> Any:
    expected = [PROBLEMS[show]] if show in PROBLEMS else []
    marks = [pytest.mark.expects_console(text) for text in expected]
    return pytest.param(show, id=show.__name__, marks=marks)


@pytest.mark.parametrize("show", [scene_of(show) for show in PAGES])
def test_axe_on_every_page_finds_nothing_and_nothing_overflows(
    scene: Scene, show: Callable[[Scene], Page]
) -> None:
    page = show(scene)
    for width in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        for scheme, options in SCHEMES.items():
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = Axe().run(page, options=options)
            assert found.violations_count == 0, f"{width} {scheme}\n{found.generate_report()}"
    for width in (NARROW, NARROWEST):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        assert page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0, width


@pytest.mark.parametrize("show", [dialog, dialog_with_error, dialog_with_blocker, no_answer])
def test_dialog_buttons_on_a_small_screen_are_visible(
    scene: Scene, show: Callable[[Scene], Page]
) -> None:
    page = show(scene)
    page.set_viewport_size({"width": NARROW, "height": 600})
    acts = the_dialog(page).locator(".confirm > form > .button-row")
    buttons = [acts.get_by_role("link", name="Cancel"), *acts.get_by_role("button").all()]
    assert len(buttons) == (1 if show is dialog_with_blocker else 2)
    for button in buttons:
        expect(button).to_be_in_viewport(ratio=1)
    if show is not dialog_with_blocker:
        name_field(page).scroll_into_view_if_needed()
        expect(name_field(page)).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("show", [list_page, collection_page])
def test_drop_links_on_a_narrow_screen_are_large_enough(
    scene: Scene, show: Callable[[Scene], Page]
) -> None:
    page = show(scene)
    for width, least in ((WIDE, 24), (NARROW, 40)):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        links = page.locator("main td .drop").all()
        assert len(links) == 2
        for link in links:
            box = link.bounding_box()
            assert box and box["width"] >= least and box["height"] >= least, (width, box)


@pytest.mark.parametrize("show", [list_page, collection_page])
def test_table_head_on_a_narrow_screen_shows_what_has_focus(
    scene: Scene, show: Callable[[Scene], Page]
) -> None:
    page = show(scene)
    for width in (NARROW, NARROWEST):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        stops = page.locator("thead :is(a, input)").all()
        assert len(stops) == 4
        for stop in stops:
            expect(stop).to_be_in_viewport(ratio=1)
            box = stop.bounding_box()
            assert box and box["height"] >= 24, (width, box)


CHOSEN_COLOURS = """() => {
    const look = (selector, pseudo) => getComputedStyle(document.querySelector(selector), pseudo);
    return {
        ground: look("body").backgroundColor,
        arrow: look(".switcher > summary", "::before").backgroundColor,
        dot: look("main .state", "::before").borderTopColor,
        chosen: look("dialog .tabs > :checked + label").borderBottomColor,
        other: look("dialog .tabs > label:last-of-type").borderBottomColor,
    };
}"""


def test_forced_colours_keep_shapes_and_the_chosen_tab(scene: Scene) -> None:
    page = dialog_of(scene, LONG)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, forced_colors="active")
        colours = page.evaluate(CHOSEN_COLOURS)
        ground = colours.pop("ground")
        assert colours.pop("other") == ground
        assert ground not in colours.values()


def test_header_is_read_in_the_order_of_its_focus(scene: Scene) -> None:
    page = scene.goto("collections")
    for width in (WIDE, NARROW, NARROWEST):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        stops = page.locator(".site-header :is(a, button, summary)").all()
        boxes = [box for stop in stops if (box := stop.bounding_box())]
        for one, following in pairwise(boxes):
            is_beside = following["x"] >= one["x"] + one["width"]
            is_below = following["y"] >= one["y"] + one["height"] / 2
            assert is_below or is_beside, (width, one, following)
