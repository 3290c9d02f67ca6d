import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from liecbench.report import html
from liecbench.results.records import End, Record
from tests.browser import PHONE, PageLog, opened, started
from tests.cli.in_process import run_in_process
from tests.ledgers import cell_id, comparison_of, end, epoch, run_of, run_of_parts, start, write_ledger

MARKUP = "<script>window.injected = true</script>"
# By method the seconds per epoch at 10 and at 100 Mbit/s, the accuracy and the bytes per epoch.
METHODS: dict[str, tuple[float, float, float, int]] = {
    "ddp": (8.0, 1.0, 0.90, 4000),
    "liec": (1.0, 0.8, 0.89, 500),
    "memsgd": (4.5, 1.5, 0.91, 2100),
}


def cells() -> Iterator[Record]:
    """Yield three methods on two links with two seeds, a failed method and an unfinished one."""
    for name, (slow, fast, accuracy, sent) in METHODS.items():
        for link, seconds in (("10mbit", slow), ("100mbit", fast)):
            for seed in (0, 1):
                values = [
                    {
                        "seconds": seconds * (1 + 0.01 * seed),
                        "accuracy": accuracy * number / 4 + 0.001 * seed,
                        "payload": (sent, sent),
                        "wire": (sent + 90, sent + 90),
                    }
                    for number in (1, 2, 3, 4)
                ]
                yield from run_of(f"{name}-{link}-{seed}", values, algorithm=name, link=link, seed=seed)
    yield start("bad", algorithm="cser", link="10mbit")
    yield end("bad", status="failed", error=f"it said {MARKUP}")
    yield start("open", algorithm="ef21", link="10mbit", task={"dataset": {"name": MARKUP}})
    yield epoch("open")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ledger(tmp_path_factory.mktemp("results"), cells())


@pytest.fixture(scope="module")
def file(results: Path) -> Path:
    path = results / "report.html"
    done = run_in_process("report", results, "-o", path)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as running:
        yield running


@pytest.fixture(scope="module")
def shown(browser: Browser, file: Path) -> Iterator[tuple[Page, PageLog]]:
    with opened(browser, file) as opened_page:
        scroll_through(opened_page[0])
        yield opened_page


@pytest.fixture(scope="module")
def used(shown: tuple[Page, PageLog]) -> Page:
    """The page, for tests that each use another part of it; they stand behind those that only read it."""
    return shown[0]


def scroll_through(page: Page) -> None:
    """Unfold everything, and scroll to every figure: a figure is drawn when it comes near."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    for plot in page.locator(".plot").all():
        plot.scroll_into_view_if_needed()
    until(page, "[...document.querySelectorAll('.plot')].every((plot) => plot.data)")


def until(page: Page, condition: str) -> None:
    """Wait for a condition; Playwright's own waiting evaluates text in the page, which the page forbids."""
    for _ in range(1200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def traces(page: Page, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate("(key) => document.getElementById(`plot-${key}`).data", key)
    return found


def column(page: Page, heading: str) -> list[str]:
    headings = page.locator("table.sortable thead th").all_inner_texts()
    place = next(i for i, text in enumerate(headings) if text.strip(" ▲▼") == heading) + 1
    return page.locator(f"table.sortable tbody.rows >> nth=0 >> td:nth-child({place})").all_inner_texts()


def test_the_page_makes_no_request_and_logs_no_error(shown: tuple[Page, PageLog], file: Path) -> None:
    _, seen = shown

    assert (seen.messages, [url for url in seen.requests if not url.startswith(("data:", "blob:"))]) == (
        [],
        [file.as_uri()],
    )


def test_the_numbers_are_those_of_compare(shown: tuple[Page, PageLog], results: Path) -> None:
    page, _ = shown
    rows = json.loads(run_in_process("compare", results, "--format", "json").stdout)["rows"]
    cells = page.locator("table.sortable tbody.rows tr").evaluate_all(
        "rows => { const heads = [...rows[0].closest('table').querySelectorAll('[data-metric]')];"
        "return rows.map(row => Object.fromEntries("
        "heads.map(head => [head.dataset.metric, row.cells[head.cellIndex].dataset.value]))); }"
    )

    assert len(rows) == len(cells) == 8
    for row, shown_values in zip(rows, cells, strict=True):
        expected = {name: "" if row[name] is None else repr(row[name]["mean"]) for name in shown_values}
        assert expected == shown_values
    assert {"test_accuracy", "speedup", "accuracy_difference", "payload_bytes_per_epoch"} <= cells[0].keys()


def test_the_answer_stands_first_and_the_verdict_can_be_unfolded(shown: tuple[Page, PageLog]) -> None:
    page, _ = shown
    verdict = page.locator("#verdict").inner_text()

    assert page.locator("h1").inner_text() == (
        "Use memsgd on 10mbit (digits); try liec on 100mbit (digits); whether it keeps the accuracy is not known yet"
    )
    assert page.locator("h1").bounding_box()["y"] < 100  # type: ignore[index]
    assert "10mbit · digits: liec is the fastest: 8.00×" in verdict.replace("dataset ", "")


def test_failed_and_unfinished_cells_are_in_plain_sight(shown: tuple[Page, PageLog]) -> None:
    page, _ = shown
    text = page.locator("main").inner_text()

    assert "1/1 failed" in text
    assert "1/1 unfinished" in text
    assert f"it said {MARKUP}" in text


def test_markup_in_names_and_errors_is_text(shown: tuple[Page, PageLog]) -> None:
    page, _ = shown

    assert page.evaluate("window.injected") is None
    assert MARKUP in page.locator("table.sortable").inner_text()


def test_a_heading_sorts_by_its_numbers_and_what_is_missing_comes_last(used: Page) -> None:
    heading = used.get_by_role("button", name="s/epoch")
    heading.click()
    rising = column(used, "s/epoch")
    heading.click()
    falling = column(used, "s/epoch")

    numbers = [float(text.partition(" ")[0]) for text in rising if text != "–"]
    assert numbers == sorted(numbers)
    assert [float(text.partition(" ")[0]) for text in falling if text != "–"] == numbers[::-1]
    assert rising[-1] == falling[-1] == "–"


def test_a_legend_filters(used: Page) -> None:
    figure = used.locator("figure", has=used.locator("#plot-accuracy-epochs"))
    figure.get_by_role("button", name="memsgd").focus()
    used.keyboard.press("Enter")
    until(used, "document.getElementById('plot-accuracy-epochs').data.some((t) => t.visible === 'legendonly')")
    hidden = {trace["name"] for trace in traces(used, "accuracy-epochs") if trace.get("visible") == "legendonly"}
    pressed = figure.get_by_role("button", pressed=True).all_inner_texts()

    assert hidden == {"memsgd"}
    assert used.evaluate("document.activeElement.textContent") == "memsgd"
    assert {"ddp", "liec"} <= set(pressed)
    assert "memsgd" not in pressed


def test_a_setting_shows_its_own_curves(used: Page) -> None:
    before = {t["name"]: t["x"][-1] for t in traces(used, "accuracy-seconds") if t.get("hoverinfo") != "skip"}
    choices = used.locator("#setting option").all_inner_texts()
    used.locator("#setting").select_option(next(text for text in choices if text.startswith("100mbit")))
    until(used, f"document.getElementById('plot-accuracy-seconds').data.every((t) => t.x.at(-1) < {before['ddp']})")
    after = {t["name"]: t["x"][-1] for t in traces(used, "accuracy-seconds") if t.get("hoverinfo") != "skip"}

    # Four epochs, the mean of two seeds a percent apart.
    assert before["ddp"] == pytest.approx(4 * 8.0 * 1.005)
    assert after == pytest.approx({name: 4 * fast * 1.005 for name, (_, fast, _, _) in METHODS.items()})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_readable_on_a_phone_light_and_dark(browser: Browser, file: Path, scheme: Any) -> None:
    with opened(browser, file, PHONE, scheme) as (page, seen):
        scroll_through(page)
        width = page.evaluate("document.documentElement.scrollWidth")
        ink, paper = page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
            ".map(text => text.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0))"
        )
        font = page.evaluate("document.getElementById('plot-accuracy-epochs')._fullLayout.font.color")

    assert (width, seen.messages) == (PHONE[0], [])
    assert (ink < 150, paper > 600) == ((True, True) if scheme == "light" else (False, False))
    assert font == ("#1b1b1b" if scheme == "light" else "#e8e8e8")


def test_the_page_has_a_table_of_gpus(browser: Browser, tmp_path: Path) -> None:
    figures = {"energy_joules": 250.0, "utilisation": 0.5, "throttled_share": 0.25, f"throttled_{MARKUP}_share": 0.25}
    path = tmp_path / "gpus.html"
    done = run_in_process("report", write_ledger(tmp_path / "r", run_of("g", 2 * [{"gpu": figures}])), "-o", path)

    assert done.returncode == 0, done.stderr
    with opened(browser, path) as (page, seen):
        scroll_through(page)
        cells = page.locator("table.telemetry tbody td").all_inner_texts()
        curve = traces(page, "accuracy-energy")[0]["x"]
        note = page.locator("li.bad").inner_text()

    assert (seen.messages, curve, column_after(note)) == ([], [250, 500], f" cell {cell_id()} 25% ({MARKUP} 25%)")
    assert cells == ["ddp", "250", "50.0%", "25.0%", "25.0%"]


def test_the_page_has_a_table_of_the_bandwidth_needed_even_from_one_link() -> None:
    text = html.render(comparison_of(run_of_parts("a", 1.0, 1.8, 0.1, 0.0, link="50mbit", algorithm=MARKUP)))
    table = text.partition('<table class="bandwidth">')[2].partition("</table>")[0]
    cells = [cell.partition("</td>")[0] for cell in re.split("<td[^>]*>", table)[1:]]

    # Transfer of 90 Mbit; a wait of 1 s, of which 0.1 s stays.
    assert cells[0] == MARKUP.replace("<", "&lt;").replace(">", "&gt;")
    assert (cells[1:3], cells[5:]) == (["2", "100mbit estimated"], ["not reached"] * 2 + ["90.9% (compression)"])
    assert "estimated: from one measured rate" in text


def column_after(text: str) -> str:
    return text.rpartition(" of the samples:")[2]


def test_without_gpus_the_page_does_not_mention_them(file: Path) -> None:
    text = file.read_text(encoding="utf-8").partition("<script")[0]

    assert [word for word in ("GPU", "telemetry", "J/epoch", "accuracy-energy") if word in text] == []


def many() -> Iterator[Record]:
    for number in range(200):
        workers = 2 + number % 10
        traffic = {"payload": [100] * workers, "wire": [1] * workers}
        values = [{"accuracy": 0.01 * epoch, **traffic} for epoch in range(60)]
        yield from run_of(f"c{number}", values, algorithm="liec", workers=workers, link=f"{1 + number // 10}mbit")


@pytest.fixture(scope="module")
def two_hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("many")
    path = directory / "many.html"
    done = run_in_process("report", write_ledger(directory / "r", many()), "-o", path, "--baseline", "liec")
    assert done.returncode == 0, done.stderr
    return path


def test_a_usual_page_has_less_than_3_mb_and_one_of_two_hundred_cells_less_than_6(
    file: Path, two_hundred: Path
) -> None:
    assert file.stat().st_size < 3_000_000
    assert two_hundred.stat().st_size < 6_000_000


@pytest.mark.long
def test_two_hundred_cells_are_drawn(browser: Browser, two_hundred: Path) -> None:
    with opened(browser, two_hundred) as (page, seen):
        scroll_through(page)
        assert (page.locator("table.sortable tbody.rows tr:not(.fold)").count(), seen.messages) == (200, [])


def test_results_without_a_finished_cell_make_a_page_and_say_so(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    records: list[Record] = [start("a"), End(cell="a", attempt=1, status="failed", error="no")]
    done = run_in_process("report", write_ledger(tmp_path / "r", records), "-o", path)

    assert done.returncode == 4
    assert "not complete: ddp (1/1 failed)" in path.read_text(encoding="utf-8")
    assert "Traceback" not in done.stderr


def test_an_empty_directory_is_named(tmp_path: Path) -> None:
    done = run_in_process("report", write_ledger(tmp_path / "r", []), "-o", tmp_path / "r.html")

    assert (done.returncode, (tmp_path / "r.html").exists()) == (4, False)
    assert "no cell has begun" in done.stderr


def test_figures_for_print_are_written_beside(tmp_path: Path) -> None:
    directory, path = tmp_path / "figures", tmp_path / "r.html"
    done = run_in_process("report", write_ledger(tmp_path / "r", run_of("a")), "-o", path, "--figures", directory)
    names = {file.name for file in directory.iterdir()}

    assert done.returncode == 0, done.stderr
    assert {"accuracy-epochs.svg", "accuracy-epochs.pdf", "loss-bytes.svg", "epoch-time.pdf", "ranks.svg"} <= names
    assert done.stderr.splitlines() == [f"wrote {path}", f"wrote {len(names)} files to {directory}"]

    (directory / "ranks.svg").unlink()
    again = run_in_process("report", tmp_path / "r", "-o", path, "--figures", directory)
    told = f"wrote {len(names)} files to {directory}, {len(names) - 1} of them replaced"
    assert again.stderr.splitlines() == [f"replaced {path}", told]


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "r.html"
    done = run_in_process("report", write_ledger(tmp_path / "r", run_of("a")), "-o", path)

    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert str(path) in done.stderr
