"""The app: registers its checks, and the three roles after each migration."""

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate

from .audit import search
from .private import keep_database_private


class CollectionsConfig(AppConfig):
    name = "collections_app"
    verbose_name = "Milvus Admin"

    def ready(self) -> None:
        from . import checks  # noqa: F401, PLC0415 (models are not loaded before)
        from .access import roles  # noqa: PLC0415 (models are not loaded before)

        search.register()
        keep_database_private(settings.DATABASES["default"])
        post_migrate.connect(roles.ensure, sender=self)
