"""Sign-in as a Django app: it has a table of the sessions that came from somewhere else."""

from django.apps import AppConfig


class SsoConfig(AppConfig):
    name = "milvusadmin.sso"
    label = "sso"
    verbose_name = "Sign-in"
    default_auto_field = "django.db.models.BigAutoField"
