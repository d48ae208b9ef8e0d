"""The language where nobody chose one."""

import os
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured


def default(name: str, codes: Sequence[str]) -> str:
    """The variable, or the first of the languages. Raises ImproperlyConfigured."""
    value = os.environ.get(name) or codes[0]
    if value in codes:
        return value
    raise ImproperlyConfigured(f"{name} is {value!r}. Use {' or '.join(codes)}.")
