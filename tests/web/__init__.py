"""Reading pages as users and browsers do, and helpers that all tests of views share."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from django.http.response import HttpResponseBase
from django.test import Client

from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import unique_name

TOKEN = "csrfmiddlewaretoken"
VOID = {"input", "link", "meta", "br", "img", "hr", "rect", "path", "circle"}
HIDDEN = {"script", "style", "title"}
INLINE = {"a", "b", "bdi", "code", "i", "small", "span", "time"}  # these don't part words


@dataclass
class Tag:
    """An element: its name, its attributes, and all the text in it, spaces collapsed."""

    name: str
    attrs: dict[str, str]
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())

    @property
    def classes(self) -> set[str]:
        return set(self.attrs.get("class", "").split())


class Page(HTMLParser):
    """A page or a part of one. Making it fails if its HTML is wrong or breaks the CSP."""

    def __init__(self, response: HttpResponseBase) -> None:
        super().__init__()
        self.status = response.status_code
        self.html: str = response.content.decode()  # type: ignore[attr-defined]
        self.tags: list[Tag] = []
        self.parts: list[str] = []
        self.faults: list[str] = []
        self._open: list[Tag] = []
        self.feed(self.html)
        self.close()
        self.faults += [f"<{tag.name}> is never closed" for tag in self._open]
        ids = Counter(tag.attrs["id"] for tag in self.tags if "id" in tag.attrs)
        self.faults += [f"id {id_} is there {n} times" for id_, n in ids.items() if n > 1]
        if len(self.find("form", method="post")) != len(self.find("input", name=TOKEN)):
            self.faults.append("a form without its CSRF token, or a token too many")
        assert not self.faults, self.html

    @property
    def text(self) -> str:
        """What can be read on it, spaces collapsed."""
        return " ".join("".join(self.parts).split())

    @property
    def is_whole(self) -> bool:
        """Whether it is a page, not a part for htmx."""
        return self.html.lstrip().lower().startswith("<!doctype html>")

    def find(self, name: str, /, **attrs: str) -> list[Tag]:
        """The elements of that name with these attributes; `cls` is one of its classes."""
        cls = attrs.pop("cls", None)
        return [
            tag
            for tag in self.tags
            if tag.name == name
            and (cls is None or cls in tag.classes)
            and all(tag.attrs.get(key.replace("_", "-")) == want for key, want in attrs.items())
        ]

    def link(self, label: str) -> str:
        """Where the one link with this text, or this name for screen readers, leads."""
        found = {
            tag.attrs["href"]
            for tag in self.find("a")
            if label in {tag.text, tag.attrs.get("aria-label")}
        }
        assert len(found) == 1, f"{label!r} is on {len(found)} links: {self.text[:500]}"
        return found.pop()

    def has_link(self, label: str) -> bool:
        return any(label in {t.text, t.attrs.get("aria-label")} for t in self.find("a"))

    def value(self, field_name: str) -> str:
        """What a form sends for this field as it stands; the first of that name."""
        found = self.find("input", name=field_name)
        assert found, f"no field {field_name}: {self.text[:500]}"
        return found[0].attrs.get("value", "")

    def column(self, number: int) -> list[str]:
        """The text of one column of the page's first table, from the second row on."""
        return [row[number] for row in self.rows]

    @property
    def rows(self) -> list[list[str]]:
        """The cells' text of every row that has data cells; not the cell of the checkbox."""
        rows: list[list[str]] = []
        for tag in self.tags:
            if tag.name == "tr":
                rows.append([])
            elif tag.name == "td" and "col-pick" not in tag.attrs.get("class", ""):
                rows[-1].append(tag.text)
        return [row for row in rows if row]

    # --- html.parser's side -------------------------------------------------------------------

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Tag(tag, {key: value or "" for key, value in attrs})
        self._part(tag)
        self.tags.append(made)
        self.faults += [f"<{tag} {key}> is inline" for key in made.attrs if _inline(key)]
        self.faults += [
            f"<{tag} {key}={value[:40]!r}> is a script"
            for key, value in made.attrs.items()
            if value.strip().lower().startswith("javascript:")
        ]
        if tag == "style" or (tag == "script" and "src" not in made.attrs):
            self.faults.append(f"<{tag}> is inline")
        if tag not in VOID:
            self._open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        self._part(tag)
        if not self._open or self._open[-1].name != tag:
            inside = self._open[-1].name if self._open else "nothing"
            self.faults.append(f"</{tag}> inside <{inside}>")
            return
        self._open.pop()

    def _part(self, tag: str) -> None:
        if tag not in INLINE:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not any(tag.name in HIDDEN for tag in self._open):
            self.parts.append(data)
        for tag in self._open:
            tag.parts.append(data)


def _inline(attribute: str) -> bool:
    return attribute == "style" or attribute.startswith(("on", "hx-on"))


# --- addresses, written out: a test that asked the code for them could not find it wrong ---------


def list_url(database: str = "default", **view: Any) -> str:
    return f"/clusters/main/collections/?{urlencode({'database': database, **view})}"


def collection_url(name: str, database: str = "default", **more: Any) -> str:
    return f"/clusters/main/collection/?{urlencode({'database': database, 'name': name, **more})}"


def act_url(act: str, collection: str, name: str = "", **more: str) -> str:
    """The dialog of an act, such as "drop-partition"."""
    query = {"database": "default", "collection": collection, **({"name": name} if name else {})}
    return f"/clusters/main/{act}/?{urlencode({**query, **more})}"


def confirm(client: Client, url: str, name: str, **more: str) -> Any:
    """Open the dialog, type the name, send it."""
    opened = client.get(url)
    assert opened.status_code == 200, Page(opened).text
    token = Page(opened).value("token")
    return client.post(url, {"token": token, "typed_name": name, **more})


@contextlib.contextmanager
def milvus_user(server: MilvusServer, password: str = "Few-rights-1") -> Iterator[str]:
    """The token of a Milvus account that may list and describe, and little else."""
    name = unique_name("u")
    server.client().create_user(name, password, timeout=10)
    try:
        yield f"{name}:{password}"
    finally:
        server.client().drop_user(name, timeout=10)
