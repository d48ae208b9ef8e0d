"""Findings of the doctor: a check that fails or hangs stops no other."""

import json
import time
from collections.abc import Iterator

from milvusadmin.doctor.findings import Finding, State, ok, problem, shown, warning, within

SECRET = "S3cr3t-of-someone"


def test_check_that_hangs_is_given_up_and_keeps_its_findings() -> None:
    def hangs() -> Iterator[Finding]:
        yield ok("it", "began well")
        time.sleep(5)

    began = time.monotonic()
    found = within(0.2, "it", hangs)
    assert time.monotonic() - began < 4
    assert [f.state for f in found] == [State.OK, State.PROBLEM]
    assert found[1].text == "no answer within 0.2 s"


def test_check_that_fails_is_a_line_without_secrets() -> None:
    def fails() -> Iterator[Finding]:
        yield ok("it", "began well")
        raise RuntimeError(f"could not use {SECRET}")

    found = within(2, "it", fails, [SECRET, ""])
    assert found[1].state == State.PROBLEM
    assert found[1].text == "this check failed: RuntimeError: could not use •••"


def test_findings_are_shown_as_lines_and_as_json() -> None:
    found = [ok("a", "well"), warning("b", "so\nso", "Do this."), problem("c", "bad", "x " * 90)]
    lines = shown(found, as_json=False).splitlines()
    assert lines[:3] == ["ok       a: well", "warning  b: so so", "         → Do this."]
    assert max(map(len, lines)) <= 100
    assert json.loads(shown(found, as_json=True))[1] == {
        "about": "b",
        "state": "warning",
        "text": "so\nso",
        "remedy": "Do this.",
    }
