"""The page of scenarios names every setting of a run with its default."""

import re
from typing import Any

import yaml

from liecbench.config.scenario import Scenario
from tests.documents.pages import ROOT

PAGE = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
# The page's first sections are about these.
ELSEWHERE = {"name", "task", "matrix", "exclude", "include"}
# Without a value of these, liecbench chooses one, and the page says how.
IN_WORDS = {"block_bytes", "step_timeout"}


def settings() -> dict[str, str]:
    """Return the default in the page's table by setting; a row may have several of both."""
    section = PAGE.split("\n## Settings of a run\n")[1].split("\n## ")[0]
    found: dict[str, str] = {}
    for keys, defaults in re.findall(r"^\| (`.*?`) \| (.*?) \|", section, re.MULTILINE):
        names = re.findall(r"`(\w+)`", keys)
        values = [defaults] * len(names) if "," not in defaults or set(names) & IN_WORDS else defaults.split(", ")
        found |= dict(zip(names, values, strict=True))
    return found


def as_value(text: str) -> Any:
    return None if text == "–" else yaml.safe_load(text.strip("`"))


def test_the_table_has_every_setting_and_no_other() -> None:
    assert set(settings()) == set(Scenario.model_fields) - ELSEWHERE


def test_each_default_is_that_of_the_scenario() -> None:
    defaults = {name: field.default for name, field in Scenario.model_fields.items()}

    assert {name: as_value(text) for name, text in settings().items() if name not in IN_WORDS} == {
        name: defaults[name] for name in settings() if name not in IN_WORDS
    }
    assert {defaults[name] for name in IN_WORDS} == {None}
