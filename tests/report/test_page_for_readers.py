"""The page for readers with a phone, a keyboard, a printer or a screen reader, and for those of long tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from liecbench.results.records import Record
from tests.browser import PHONE, opened, started
from tests.cli.in_process import run_in_process
from tests.ledgers import end, run_of, start, write_ledger

AXE = Path(__file__).parent / "axe" / "axe.min.js"
LONG_NAME = "a_method_with_a_long_name_" * 4


def cells() -> Iterator[Record]:
    """Yield fifteen methods on the slower of two links, three on the other, and a failed one."""
    rates = {
        "10mbit": ["ddp", "liec", LONG_NAME, *(f"method{n}" for n in range(12))],
        "1gbit": ["ddp", "liec", LONG_NAME],
    }
    for link, names in rates.items():
        for place, name in enumerate(names):
            for seed in range(3):
                seconds = 8.0 / (1 + place) if link == "10mbit" else 1.0 + 0.5 * place
                values = [{"seconds": seconds, "accuracy": 0.45 * number} for number in (1, 2)]
                yield from run_of(f"{name}{link}{seed}", values, algorithm=name, link=link, seed=seed)
    yield start("bad", algorithm="cser", link="10mbit")
    yield end("bad", status="failed", error="lost")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("readers")
    path = directory / "report.html"
    done = run_in_process("report", write_ledger(directory / "r", cells()), "-o", path)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as running:
        yield running


@pytest.fixture(scope="module")
def page(browser: Browser, file: Path) -> Iterator[Page]:
    with opened(browser, file) as (opened_page, _):
        yield opened_page


def visible_rows(page: Page) -> list[int]:
    """Return the number of rows that each group of the table shows."""
    counted: list[int] = page.locator("table.sortable tbody.rows").evaluate_all(
        "bodies => bodies.map(body => [...body.querySelectorAll('tr:not(.fold)')].filter(row => !row.hidden).length)"
    )
    return counted


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, file: Path, scheme: Any) -> None:
    with opened(browser, file, scheme=scheme) as (page, _):
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]

    assert [(one["id"], [node["html"][:100] for node in one["nodes"][:3]]) for one in serious] == []


@pytest.mark.parametrize("width", [390, 768, 1280, 1600])
def test_the_page_is_never_wider_than_the_window(browser: Browser, file: Path, width: int) -> None:
    with opened(browser, file, (width, 900)) as (page, seen):
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        found = page.evaluate("document.documentElement.scrollWidth")

    assert (found, seen.messages) == (width, [])


def test_the_headline_says_what_to_use_on_each_link_and_the_lines_below_why(page: Page) -> None:
    answers = page.locator(".answers li").all_inner_texts()

    assert page.locator("h1").inner_text() == ("Use method11 on 10mbit; stay with ddp on 1gbit")
    assert [text.split()[:4] for text in answers] == [
        ["On", "10mbit:", "use", "method11,"],
        ["On", "1gbit:", "stay", "with"],
    ]


def test_a_map_has_the_speed_up_of_each_method_on_each_link(page: Page) -> None:
    lines = [line.split() for line in page.locator("table.map tbody tr").all_inner_texts()]

    assert ["liec", "2.00×", "0.67×"] in lines
    assert ["method0", "4.00×", "–"] in lines
    assert page.locator("table.map td.recommended").all_inner_texts() == ["15.0×", "1.00×"]


def test_the_table_names_the_recommended_method_and_the_baseline_of_each_link(page: Page) -> None:
    firsts = page.locator("table.sortable tbody.rows tr td:first-child").all_inner_texts()
    marked = [text.split() for text in firsts if text.split()[-1] in ("recommended", "(baseline)")]

    assert marked == [
        ["method11", "recommended"],
        ["ddp", "(baseline)"],
        ["ddp", "(baseline)", "recommended"],
    ]


def test_a_table_beyond_the_edge_says_so_and_keys_scroll_it(browser: Browser, file: Path) -> None:
    with opened(browser, file, PHONE) as (page, _):
        frame = page.locator("#comparison .frame")
        page.locator("#comparison .frame.more-right").wait_for()
        said = page.locator("#comparison .hint").is_visible()
        left_at_first = "more-left" in (frame.get_attribute("class") or "")
        page.locator("#comparison .scrolls").focus()
        page.keyboard.press("End")
        page.keyboard.press("ArrowRight")
        page.locator("#comparison .frame.more-left").wait_for()
        links = page.locator("#links .hint")
        fits = page.locator("#links .scrolls").evaluate("box => box.scrollWidth - box.clientWidth < 2")

        assert (said, left_at_first, links.is_visible()) == (True, False, not fits)


def test_the_columns_and_the_verdicts_are_explained_where_they_stand(page: Page) -> None:
    legend = page.locator("#comparison dl").inner_text()
    headings = page.locator("table.sortable thead th[title]").all_inner_texts()

    assert headings
    assert all(f"{heading}:" in legend for heading in headings)
    assert "kept: accuracy within 0.5 points of ddp's" in page.locator("#answer .note").first.inner_text()


def test_long_groups_are_folded_and_a_button_shows_all(page: Page) -> None:
    before = visible_rows(page)
    page.get_by_role("button", name="show all 16 rows").click()
    after = visible_rows(page)
    page.get_by_role("button", name="show fewer rows").click()

    assert (before, after, visible_rows(page)) == ([12, 3], [16, 3], [12, 3])


def test_a_filter_looks_through_folded_rows_and_hides_empty_groups(page: Page) -> None:
    page.locator("#filter").fill("method1")
    found = (visible_rows(page), page.locator("#found").inner_text(), page.locator("tbody.group:visible").count())
    page.locator("#filter").fill("liec 1GBIT")
    both_words = visible_rows(page)
    page.locator("#filter").fill("")

    assert found == ([3, 0], "3 rows", 1)  # method1, method10 and method11
    assert (both_words, visible_rows(page)) == ([0, 1], [12, 3])


def test_the_first_key_reaches_a_link_to_the_table(browser: Browser, file: Path) -> None:
    with opened(browser, file) as (page, _):
        page.keyboard.press("Tab")
        text = page.evaluate("document.activeElement.textContent")
        page.keyboard.press("Enter")
        fragment = page.evaluate("location.hash")

    assert (text, fragment) == ("Skip to the table", "#comparison")


def test_print_has_every_row_and_every_figure(browser: Browser, file: Path) -> None:
    with opened(browser, file) as (page, seen):
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        rows = page.locator("table.sortable tbody.rows tr:not(.fold):visible").count()
        folded = page.locator("details:not([open])").count()
        undrawn = page.evaluate("[...document.querySelectorAll('.plot')].filter((plot) => !plot.data).length")

    assert (rows, folded, undrawn, seen.messages) == (19, 0, 0, [])


def test_machine_date_and_versions_are_named(page: Page) -> None:
    assert "2025-01-01" in page.locator("#answer .facts").inner_text()


def test_one_epoch_draws_no_curve_and_says_so(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "one.html"
    runs = [run_of(name, [{"accuracy": 0.5}], algorithm=name) for name in ("ddp", "liec")]
    done = run_in_process("report", write_ledger(tmp_path / "r", *runs), "-o", path)

    assert done.returncode == 0, done.stderr
    with opened(browser, path) as (page, seen):
        keys = page.locator(".plot").evaluate_all("plots => plots.map(plot => plot.dataset.key)")
        text = page.locator("main").inner_text()
    assert (set(keys) & {"accuracy-epochs", "accuracy-seconds", "loss-epochs"}, seen.messages) == (set(), [])
    assert "figures have a single point per method" in text
