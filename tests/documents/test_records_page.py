"""The page of the ledger's records names every field."""

import re
from dataclasses import fields
from typing import Any

import pytest

from liecbench.results.records import End, Epoch, Start
from liecbench.results.timing_record import Timing
from tests.documents.pages import ROOT

PAGE = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("record", [Start, Epoch, Timing, End])
def test_every_field_is_named_and_no_other(record: Any) -> None:
    section = PAGE.split(f"\n## `{record.type}`\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert named == {field.name for field in fields(record)}
