import dataclasses
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from liecbench.report.figures.all_figures import all_figures
from liecbench.report.figures.colours import Palette
from liecbench.report.figures.figure import Figure, Series
from liecbench.report.figures.vector_files import write_vector_files
from liecbench.results.records import Record
from tests.ledgers import comparison_of, end, run_of, start

PALETTE = Palette(["ddp", "psgd"], "ddp")


def figures_of(runs: Sequence[list[Record]]) -> list[Figure]:
    return all_figures(comparison_of(*runs))


def figure(*series: Series, **changes: Any) -> Figure:
    fields = {"key": "k", "title": "t", "caption": "c", "x_title": "x", "y_title": "y", "kind": "lines", **changes}
    return Figure(series=list(series), **fields)


def line(name: str = "psgd", *, setting: str | None = None, y: float = 1.0, **changes: Any) -> Series:
    return Series(name=name, method="psgd", x=[1.0, 2.0], y=[y, 2 * y], setting=setting, **changes)


def files_of(directory: Path, *figures: Figure) -> dict[str, bytes]:
    paths = list(write_vector_files(figures, PALETTE, directory))
    assert sorted(directory.iterdir()) == sorted(paths)
    return {path.name: path.read_bytes() for path in paths}


def test_a_backend_that_is_not_installed_does_not_matter() -> None:
    command = "from liecbench.report.figures.vector_files import write_vector_files as w; from pathlib import Path; "
    command += "list(w([], None, Path('.'))); import os; print(os.environ['MPLBACKEND'])"
    variables = {**os.environ, "MPLBACKEND": "module://no_such_package"}
    done = subprocess.run([sys.executable, "-c", command], env=variables, capture_output=True, text=True, check=True)

    assert done.stdout == "module://no_such_package\n"


def texts(svg: bytes) -> tuple[set[str], set[str]]:
    """Return the names of the elements and the texts of an SVG."""
    elements = [(e.tag.rpartition("}")[2], "".join(e.itertext())) for e in ET.fromstring(svg).iter()]
    return {kind for kind, _ in elements}, {text.strip() for kind, text in elements if kind == "text"}


def every_figure() -> list[Figure]:
    seconds = {("ddp", "1mbit"): 4.0, ("ddp", "4mbit"): 1.0, ("psgd", "1mbit"): 2.0, ("psgd", "4mbit"): 2.0}
    runs = [
        run_of(f"{name}{link}{seed}", [{"seconds": value + seed}, {}], algorithm=name, link=link, seed=seed)
        for (name, link), value in seconds.items()
        for seed in (0, 1)
    ]
    lost: list[Record] = [start("l", algorithm="liec"), end("l", status="failed", error="lost")]
    return figures_of([*runs, run_of("w", workers=4, link="1mbit"), lost])


def test_every_figure_is_drawn_as_vectors(tmp_path: Path) -> None:
    found = [dataclasses.replace(one, series=_one_setting(one)) for one in every_figure()]
    files = files_of(tmp_path, *found)
    svgs = [content for name, content in files.items() if name.endswith(".svg")]

    assert (len(svgs), len(files)) == (len(found), 2 * len(found))
    for one, svg in zip(found, svgs, strict=True):
        kinds, words = texts(svg)
        assert ("image" in kinds, {one.y_title, *(s.name for s in one.series if s.method)} - words) == (False, set())
    assert {content[:5] for name, content in files.items() if name.endswith(".pdf")} == {b"%PDF-"}


def _one_setting(one: Figure) -> list[Series]:
    return [series for series in one.series if series.setting == one.series[0].setting]


def test_every_setting_has_a_figure_of_its_own(tmp_path: Path) -> None:
    files = files_of(tmp_path, figure(line("one", setting="1mbit"), line("two", setting="2mbit")))

    assert list(files) == ["k-1mbit.svg", "k-1mbit.pdf", "k-2mbit.svg", "k-2mbit.pdf"]
    assert [texts(files[f"k-{n}mbit.svg"])[1] & {"one", "two"} for n in (1, 2)] == [{"one"}, {"two"}]


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    hatched = [line(str(n), variant=n, interval=([0.5, 1.0], [1.5, 3.0])) for n in range(3)]
    found = [figure(*hatched, log_x=True), figure(*hatched, key="b", kind="bars")]

    assert files_of(tmp_path / "one", *found) == files_of(tmp_path / "two", *found)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (None, "k"),
        ("", "k"),
        ("10mbit↑ 20mbit↓ · workers 4", "k-10mbit-20mbit-workers-4"),
        ("../../etc/passwd", "k-..-..-etc-passwd"),
        ("/data/my text.txt", "k-data-my-text.txt"),
        ("..", "k-.."),
        ("a\\b:c*?\n", "k-a-b-c"),
        ("x" * 1000, "k-" + "x" * 150),
    ],
)
def test_file_names_are_safe(tmp_path: Path, setting: str | None, expected: str) -> None:
    files = files_of(tmp_path / "figures", figure(line(setting=setting)))

    assert [f"{expected}.svg", f"{expected}.pdf"] == list(files)
    assert [path.name for path in tmp_path.iterdir()] == ["figures"]


def test_settings_with_equal_file_names_get_numbers(tmp_path: Path) -> None:
    files = files_of(tmp_path, figure(line("one", setting="a/b"), line("two", setting="a b"), line("3", setting="文")))

    assert [name for name in files if name.endswith("svg")] == ["k-a-b.svg", "k-a-b-2.svg", "k.svg"]
    assert ["one" in texts(files["k-a-b.svg"])[1], "two" in texts(files["k-a-b-2.svg"])[1]] == [True, True]


def test_names_are_neither_markup_nor_formulas(tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>", "$\\frac$", "a$x$b$", "a & b"]
    bars = [
        Series(name="computing", method="computing", x=[name], y=[1.0], group=group)
        for name in names
        for group in ("$1", "2mbit")
    ]
    found = [figure(*map(line, names)), figure(*bars, key="bars", kind="bars", stacked=True)]
    files = files_of(tmp_path, *found)

    assert set(names) <= texts(files["k.svg"])[1]
    assert {f"{group} {name}" for name in names for group in ("$1", "2mbit")} <= texts(files["bars.svg"])[1]
    assert "script" not in texts(files["k.svg"])[0]


def test_a_part_of_a_stack_has_one_legend_entry(tmp_path: Path) -> None:
    parts = [
        Series(name=part, method=part, variant=number, x=[method], y=[1.0])
        for method in ("ddp", "psgd", "liec")
        for number, part in enumerate(("one", "two"))
    ]
    svg = files_of(tmp_path, figure(*parts, kind="bars", stacked=True))["k.svg"]

    assert [svg.count(f">{word}</text>".encode()) for word in ("one", "two", "ddp", "psgd", "liec")] == [1] * 5


@pytest.mark.parametrize("kind", ["lines", "bars", "points"])
def test_zeros_and_ends_below_it_have_a_place_on_log_axes(tmp_path: Path, kind: str) -> None:
    zeros = Series(name="alone", method="psgd", x=[0.0], y=[0.0], interval=([-1.0], [1.0]))
    spread = line(interval=([-3.0, 1.0], [5.0, 3.0]))
    for key, series in (("zero", [zeros]), ("spread", [spread]), ("both", [zeros, spread])):
        svg = files_of(tmp_path / key, figure(*series, kind=kind, log_x=kind != "bars", log_y=True))["k.svg"]

        assert {one.name for one in series} <= texts(svg)[1]


def test_many_long_names_are_drawn(tmp_path: Path) -> None:
    bars = [
        Series(name="computing", method="computing", x=[f"doublesqueeze top_k ratio 0.0{n}"], y=[1.0], group=link)
        for n in range(12)
        for link in ("1mbit", "100mbit", "10mbit↑ 50mbit↓")
    ]
    lines = [line(f"doublesqueeze top_k ratio 0.0{n}", variant=n) for n in range(24)]
    files = files_of(tmp_path, figure(*bars, kind="bars", stacked=True), figure(*lines, key="lines"))

    assert len(files) == 4


def test_without_figures_no_file_is_written(tmp_path: Path) -> None:
    assert files_of(tmp_path / "new") == {}


def test_control_codes_in_names_leave_an_svg_well_formed(tmp_path: Path) -> None:
    name = "a\x1b[31m\x00\x9b\ufffe\ud800\u202e<&$b"
    places = {"x_title": name, "y_title": name}
    lines = figure(line(name, setting=name), **places)
    parts = [dataclasses.replace(line(name), x=[f"{name}{n}"], y=[1.0], variant=n, group=name) for n in (0, 1)]
    stacked = figure(*parts, key="s", kind="bars", stacked=True, **places)
    bars = figure(dataclasses.replace(line(name), x=[name, "b"]), key="b", kind="bars", **places)
    points = figure(line(name), key="p", kind="points", **places)
    svgs = [svg for path, svg in files_of(tmp_path, lines, stacked, bars, points).items() if path.endswith("svg")]

    assert len(svgs) == 4
    for svg in svgs:
        assert "a\\u001b[31m\\u0000\\u009b\\ufffe\\ud800\\u202e<&$b" in " ".join(texts(svg)[1])
