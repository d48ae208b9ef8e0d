"""The roles of local sign-in: Django groups, made after each migration, and the rules they get."""

from typing import Any

from .policy import Rule

# Role: what it may do, on everything.
ROLES = {
    "viewer": ("view",),
    "operator": ("view", "drop"),
    "purger": ("view", "purge"),
    "approver": ("view", "approve"),
    "creator": ("view", "create"),
    "unprotector": ("view", "unprotect"),
    "auditor": ("audit",),
}


def built_in() -> tuple[Rule, ...]:
    """The rules of local mode, which need no file. The other modes don't have them."""
    return tuple(
        Rule(
            source=f"the built-in rule of the role {role}",
            groups=frozenset({role}),
            actions=frozenset(actions),
        )
        for role, actions in ROLES.items()
    )


def ensure(**kwargs: Any) -> None:
    """Create the groups that are missing."""
    from django.contrib.auth.models import Group  # noqa: PLC0415 (models are not loaded before)

    for role in ROLES:
        Group.objects.get_or_create(name=role)
