#!/usr/bin/env python
"""Django's command line, with this project's settings."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "milvusadmin.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as exc:
        if sys.argv[1:2] == ["doctor"]:
            from milvusadmin.doctor.findings import problem, shown  # noqa: PLC0415

            found = [problem("settings", str(exc), "Mend that first: nothing else could be asked.")]
            print(shown(found, as_json="--json" in sys.argv))
            sys.exit(1)
        sys.exit(f"The settings can't be used: {exc}")


if __name__ == "__main__":
    main()
