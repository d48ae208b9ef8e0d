"""Sign-in as a Django app: it has a table of the sessions that came from somewhere else."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import pre_save


class SsoConfig(AppConfig):
    name = "milvusadmin.sso"
    label = "sso"
    verbose_name = "Sign-in"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        pre_save.connect(forget_form, sender="axes.AccessAttempt")


def forget_form(instance: Any, **kwargs: Any) -> None:
    """The lock-out counts attempts; what was in the address and in the form is nothing to it."""
    instance.get_data = instance.post_data = ""
