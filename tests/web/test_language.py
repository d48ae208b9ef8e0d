"""The pages in Chinese: how the language is chosen, what is translated, and what stays English."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from collections_app.models import AuditEvent
from collections_app.plans import delivery
from collections_app.web.display import duration
from collections_app.web.languages import ENGLISH
from collections_app.web.shown import sentences, shown
from tests.fakes import FakeMilvus
from tests.fixtures import rule
from tests.web import Page, act_url, confirm, list_url

pytestmark = pytest.mark.django_db(transaction=True)
SignIn = Callable[..., Client]
CHINESE = "zh-hans"
# Ids, times, durations and numbers of an event: they differ between two runs.
OWN = re.compile(r"(?<=session\":\")\w+|[0-9a-f]{32,64}|[0-9a-f]{8}-[0-9a-f-]{27}|\d[\d.:T+-]*")


@pytest.fixture
def chinese(signed_in: SignIn, fake: FakeMilvus) -> Client:
    client = signed_in("operator")
    client.cookies["language"] = CHINESE
    return client


@pytest.mark.parametrize(("language", "space"), [("en-gb", " "), (CHINESE, "")])
def test_sentences_have_the_space_of_the_language_between(language: str, space: str) -> None:
    with translation.override(language):
        assert sentences("a.", "", "b.") == f"a.{space}b."


# --- how it is chosen ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en-gb"),
        ("en-US,en;q=0.9", "en-gb"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-hans"),
        ("zh", "zh-hans"),
        ("de,zh-Hans;q=0.5", "zh-hans"),
        ("de, *", "en-gb"),
        ("\0", "en-gb"),
    ],
)
def test_language_without_a_choice_is_the_browsers(accepted: str, language: str) -> None:
    answer = Client().get("/sign-in/", headers={"Accept-Language": accepted})
    assert f'<html lang="{language}">' in answer.content.decode()
    assert answer.headers["Content-Language"] == language
    assert {"Accept-Language", "Cookie"} <= set(answer.headers["Vary"].split(", "))


def test_language_that_nobody_asks_for_is_the_default(settings: Any) -> None:
    settings.DEFAULT_LANGUAGE = CHINESE
    assert Client().get("/sign-in/").headers["Content-Language"] == CHINESE


@pytest.mark.parametrize("cookie", ["de", "", "en", "../zh", "zh-hans; x"])
def test_language_cookie_of_no_language_is_ignored(cookie: str) -> None:
    client = Client()
    client.cookies["language"] = cookie
    assert client.get("/sign-in/").headers["Content-Language"] == "en-gb"


def test_language_choice_before_sign_in_is_remembered() -> None:
    client = Client()
    page = Page(client.get("/sign-in/"))
    button = page.find("button", name="language")[0]
    assert (button.text, button.attrs["value"], button.attrs["lang"]) == (
        "简体中文",
        *[CHINESE] * 2,
    )
    answer = client.post("/language/", {"language": CHINESE, "next": "/sign-in/"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/sign-in/")
    cookie = client.cookies["language"]
    assert cookie["max-age"] > 300 * 24 * 3600
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    page = Page(client.get("/sign-in/"))
    assert page.find("h1")[0].text == "登录"
    assert page.find("button", name="language")[0].text == "English"


@pytest.mark.parametrize(
    ("referrer", "back"),
    [
        ("http://testserver/plans/3/?page=2", "%2Fplans%2F3%2F%3Fpage%3D2"),
        ("", "%2F"),
        ("https://evil.example", "%2F"),
    ],
)
def test_language_after_a_post_leads_to_the_page_before(referrer: str, back: str) -> None:
    """The address of a POST may answer no GET."""
    answer = Client().post("/sign-in/", {"username": "nobody"}, headers={"Referer": referrer})
    [form] = Page(answer).find("form", cls="language")
    assert form.attrs["action"] == f"/language/?next={back}"


def test_language_choice_leads_to_no_other_site() -> None:
    answer = Client().post("/language/", {"language": CHINESE, "next": "https://evil.example/"})
    assert answer.headers["Location"] == "/"


def test_language_without_its_compiled_catalogue_is_not_offered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr("collections_app.web.languages.LOCALE", tmp_path)
    answer = Client().get("/sign-in/", headers={"Accept-Language": "zh"})
    assert answer.headers["Content-Language"] == "en-gb"
    assert 'name="language"' not in answer.content.decode()


# --- pages ---------------------------------------------------------------------------------------


def test_list_and_its_rows_are_chinese(chinese: Client, fake: FakeMilvus) -> None:
    fake.add("books", rows=1_234_567)
    page = Page(chinese.get(list_url(details=1)))
    assert page.find("h1")[0].text == "Collection"
    assert "≈ 123.5 万" in page.text or "≈ 123 万" in page.text
    assert "未加载" in page.text
    assert page.find("html", lang=CHINESE)


def test_htmx_part_has_the_same_language(chinese: Client, fake: FakeMilvus) -> None:
    fake.add("books")
    page = Page(chinese.get(list_url(details=1), headers={"HX-Request": "true"}))
    assert not page.is_whole
    assert "未加载" in page.text


def test_dialog_asks_in_chinese_for_the_exact_name(chinese: Client, fake: FakeMilvus) -> None:
    fake.add("books")
    url = act_url("drop-collection", "books")
    page = Page(chinese.get(url))
    assert "删除 Collection books" in page.find("h2", id="confirm-title")[0].text
    wrong = Page(confirm(chinese, url, "Books"))
    assert "大小写不一致。没有发送任何请求。" in wrong.text
    done = Page(chinese.get(confirm(chinese, url, "books").headers["Location"]))
    assert "Collection books 已删除。已验证：它已不存在。" in done.text


def test_error_and_unknown_page_are_chinese(chinese: Client, fake: FakeMilvus) -> None:
    assert (
        "对象不存在，或者已被删除或重命名"
        in Page(chinese.get(act_url("drop-collection", "x"))).text
    )
    assert Page(chinese.get("/nowhere/")).find("h1")[0].text == "页面不存在"


def test_sentence_of_a_plan_is_the_same_in_both_languages(
    chinese: Client, signed_in: SignIn, fake: FakeMilvus
) -> None:
    """Who reads it in another language types the same."""
    from django.core.management import call_command

    fake.add("a")
    data = {"database": "default", "name": ["a"]}
    plan = chinese.post("/clusters/main/plans/new/", data).headers["Location"]
    call_command("run_plans", "--once")
    sentences = []
    for client in (chinese, signed_in("operator")):
        page = Page(client.get(plan))
        sentences += [tag.text for tag in page.find("span", cls="to-type")]
    assert sentences == ["drop 1 on Milvus"] * 2
    digest = Page(chinese.get(plan)).value("digest")
    answer = chinese.post(f"{plan}confirm/", {"typed": sentences[0], "digest": digest})
    assert answer.status_code == 302


def test_mail_has_the_default_language(settings: Any) -> None:
    facts = {
        "event": "plan.request",
        "title": "Approval requested",
        "cluster": "prod",
        "cluster_label": "Production",
        "plan": 7,
        "verb": "drop",
        "kind": "collection",
        "items": 37,
        "name": "",
        "database": "default",
        "requester": "Ada",
        "approver": "",
        "reason": "tidy",
        "why": "",
        "expires_at": "2026-11-28T18:00:00+00:00",
        "url": "https://milvus.example.com/plans/7/",
    }
    with translation.override(CHINESE):
        subject, text = delivery.words_of(facts)
    assert subject == "[Milvus Admin] 已请求审批：Production 上的计划 7"
    assert text.startswith("已请求审批：在 Production 的数据库 default 中删除 37 个 Collection。")
    assert "到期时间：2026-11-28 18:00 UTC" in text


# --- what stays English --------------------------------------------------------------------------


def recorded(client: Client, fake: FakeMilvus) -> list[str]:
    """The events of a drop, of refusals and of a failure, without what is each one's own."""
    last = AuditEvent.objects.order_by("-sequence").values_list("sequence", flat=True).first() or 0
    for name in ("books", "held", "changed"):
        fake.add(name)
    confirm(client, act_url("drop-collection", "books"), "books", reason="tidy")
    client.post(act_url("drop-collection", "held"), {"token": "forged", "typed_name": "held"})
    opened = Page(client.get(act_url("drop-collection", "held"))).value("token")
    known = fake._databases["default"]
    known.aliases["now"] = known.collections["held"]
    client.post(act_url("drop-collection", "held"), {"token": opened, "typed_name": "held"})
    opened = Page(client.get(act_url("drop-collection", "changed"))).value("token")
    fake.drop_collection("default", "changed")
    fake.add("changed")
    client.post(act_url("drop-collection", "changed"), {"token": opened, "typed_name": "changed"})
    events = AuditEvent.objects.filter(sequence__gt=last).order_by("sequence")
    return [OWN.sub("#", event.record) for event in events]


def test_record_is_the_same_whatever_the_language(
    chinese: Client, signed_in: SignIn, fake: FakeMilvus, caplog: pytest.LogCaptureFixture
) -> None:
    in_chinese = recorded(chinese, fake)
    fake._databases.clear()
    in_english = recorded(signed_in("operator"), fake)
    assert len(in_english) == 5
    assert [a for a, b in zip(in_chinese, in_english, strict=True) if a != b] == []
    assert "".join(in_chinese).isascii()
    assert not re.search(r"[\u4e00-\u9fff]", caplog.text), "nor in the log of the process"


def test_recorded_message_is_shown_in_chinese(chinese: Client, fake: FakeMilvus) -> None:
    fake.add("books")
    confirm(chinese, act_url("drop-collection", "books"), "books")
    event = AuditEvent.objects.latest("sequence")
    assert "no longer exists" in json.dumps(json.loads(event.record)["details"])
    page = Page(chinese.get(f"/operations/{event.operation_id}/"))
    assert "已不存在" in page.text
    assert "成功" in page.text


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("It is loaded. Milvus refuses to drop it until it is released.", "它已加载。"),
        ("Ada is not permitted to do this. No rule grants this to your groups", "Ada 没有此权限。"),
        ("The alias a.b. c points to this collection. Drop the alias first.", "别名 a.b. c 指向"),
        ("37 days", "37 天"),
        ("Nobody wrote this sentence.", "Nobody wrote this sentence."),
        ("It is expired", "它的状态为“已过期”"),
        ("It was not approved in time", "未及时批准"),
        ("The aliases may not be read", "无权读取别名"),
        ("The last attempt ended as unknown", "上次尝试的结果：未知"),
        (
            "created with 3 items (all that matched: “a, b” in the name, loaded, protected)",
            "已创建，含 3 个条目（全部匹配项：名称包含“a, b”、已加载、受保护）",
        ),
        (
            "all that matched: named t?, created before 2026-03-01 00:00 UTC, not protected",
            "全部匹配项：名称匹配 t?、创建时间早于 2026-03-01 00:00 UTC、未受保护",
        ),
    ],
)
def test_shown_text_has_its_template_translated(english: str, chinese: str) -> None:
    assert shown(english) == english
    with translation.override(CHINESE):
        assert shown(english).startswith(chinese)


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [(0.012, "12 ms", "12 毫秒"), (1.34, "1.3 s", "1.3 秒"), (59, "59 s", "59 秒")],
)
def test_duration_has_the_unit_of_the_language(seconds: float, english: str, chinese: str) -> None:
    for language, text in ((ENGLISH, english), (CHINESE, chinese)):
        with translation.override(language):
            assert duration(timedelta(seconds=seconds)) == text


def test_list_without_a_match_names_its_filters_in_chinese(
    chinese: Client, fake: FakeMilvus
) -> None:
    fake.add("books")
    page = Page(chinese.get(list_url(q="b", loaded="no", protected="yes")))
    assert "名称包含“b”、未加载、受保护。" in page.text


def test_jump_names_an_operation_in_chinese(chinese: Client, fake: FakeMilvus) -> None:
    fake.add("books")
    confirm(chinese, act_url("drop-collection", "books"), "books")
    id_ = str(AuditEvent.objects.latest("sequence").operation_id)
    assert "删除 Collection books" in Page(chinese.get("/jump/", {"q": id_[:8]})).text


def test_sign_in_asks_for_the_name_of_an_account() -> None:
    page = Page(Client().get("/sign-in/", headers={"Accept-Language": "zh"}))
    assert [label.text for label in page.find("label")] == ["用户名", "密码"]


def test_permissions_page_is_chinese(chinese: Client, settings: Any) -> None:
    settings.ACCESS = (rule("operator", "view"),)
    page = Page(chinese.get("/access/"))
    assert page.find("h1")[0].text == "我的权限"
    assert "删除 Collection" in page.text
