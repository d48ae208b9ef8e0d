"""`manage.py doctor` as a Django app: it may import everything, and nothing imports it."""

from django.apps import AppConfig


class DoctorConfig(AppConfig):
    name = "milvusadmin.doctor"
    label = "doctor"
    verbose_name = "Doctor"
