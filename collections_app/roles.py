"""The roles of local sign-in: Django groups, made after each migration."""

from typing import Any

from django.apps import apps as live_apps

ROLES = {
    "viewer": ("view_milvus",),
    "operator": ("view_milvus", "drop_collection", "drop_partition"),
    "auditor": ("read_audit",),
}


def ensure(**kwargs: Any) -> None:
    """Create missing groups and give each its permissions. Takes nothing away."""
    from django.contrib.auth.management import create_permissions  # noqa: PLC0415
    from django.contrib.auth.models import Group, Permission  # noqa: PLC0415

    create_permissions(live_apps.get_app_config("collections_app"), verbosity=0)
    for role, codenames in ROLES.items():
        group, created = Group.objects.get_or_create(name=role)
        if created:
            group.permissions.set(Permission.objects.filter(codename__in=codenames))
