"""The app: registers its checks, and the three roles after each migration."""

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate
from django.utils.translation import pgettext

from . import sentences
from .audit import search
from .private import keep_database_private


def translate_sentence(template: str) -> str:
    """In the language that is active, if the catalogue has it."""
    return pgettext(sentences.CONTEXT, template)


class CollectionsConfig(AppConfig):
    name = "collections_app"
    verbose_name = "Milvus Admin"

    def ready(self) -> None:
        from . import checks  # noqa: F401, PLC0415 (models are not loaded before)
        from .access import roles  # noqa: PLC0415 (models are not loaded before)

        sentences.Translator.translate = translate_sentence
        search.register()
        keep_database_private(settings.DATABASES["default"])
        post_migrate.connect(roles.ensure, sender=self)
