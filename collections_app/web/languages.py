"""The languages of the pages, and whether their catalogues are compiled."""

from pathlib import Path

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_supported_language_variant, to_locale
from django.utils.translation.trans_real import parse_accept_lang_header

LOCALE = Path(__file__).resolve().parent.parent / "locale"
ENGLISH = "en-gb"  # the language of the source, the log and the commands: it needs no catalogue


def catalogue(language: str) -> Path:
    """The translations as people write them; the compiled file is beside them."""
    return LOCALE / to_locale(language) / "LC_MESSAGES" / "django.po"


def is_compiled(language: str) -> bool:
    """Whether the compiled catalogue is there and not older than its source."""
    source = catalogue(language)
    compiled = source.with_suffix(".mo")
    if language == ENGLISH:
        return True
    return compiled.exists() and compiled.stat().st_mtime >= source.stat().st_mtime


def offered() -> list[tuple[str, str]]:
    """The languages that people can choose, each with its own name for itself."""
    return [
        (code, label)
        for code, label in settings.LANGUAGES
        if code == ENGLISH or catalogue(code).with_suffix(".mo").exists()
    ]


def language_of(request: HttpRequest) -> str:
    """What the person chose, else what the browser prefers, else DEFAULT_LANGUAGE."""
    codes = [code for code, _ in offered()]
    chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)
    wanted = [chosen, *_preferred(request), settings.DEFAULT_LANGUAGE]
    return next((code for code in wanted if code in codes), ENGLISH)


def _preferred(request: HttpRequest) -> list[str]:
    """The supported languages that the browser asks for, the most wanted first."""
    found = []
    for code, _ in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        if code == "*":
            break
        try:
            found.append(get_supported_language_variant(code))
        except LookupError:
            continue
    return found
