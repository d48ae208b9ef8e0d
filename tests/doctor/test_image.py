"""The doctor on its container image: whether the base was pinned by digest."""

from pathlib import Path
from typing import Any

import pytest

from milvusadmin.doctor import environment
from milvusadmin.doctor.findings import State

DIGEST = f"docker.io/library/debian:12.12-slim@sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("base", "states"),
    [("", []), (DIGEST, [State.OK]), ("debian:12.12-slim", [State.WARNING])],
)
def test_base_image_without_a_digest_is_a_warning(
    base: str, states: list[State], tmp_path: Path, settings: Any
) -> None:
    settings.BASE_DIR = tmp_path
    if base:
        (tmp_path / "base-image").write_text(f"{base}\n")
    found = list(environment.base_image())
    assert [finding.state for finding in found] == states
    assert all(base in finding.text for finding in found)
    assert all("make digests" in finding.remedy for finding in found if finding.remedy)
