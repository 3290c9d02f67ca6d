import math

from liecbench.report import html
from liecbench.report.figures.colours import Palette
from liecbench.report.page_break_even import brackets
from tests.ledgers import comparison_of, run_of


def test_a_bracket_has_a_zone_for_each_range_of_rates() -> None:
    # By link the seconds of ddp and of two methods: one is faster up to 10 Mbit/s, the other everywhere.
    seconds = {"1mbit": (8.0, 2.0, 1.0), "10mbit": (4.0, 2.0, 1.0), "100mbit": (1.0, 2.0, 0.5)}
    runs = [
        run_of(f"{name}{link}{seed}", [{"seconds": one * (1 + 0.001 * seed)}], algorithm=name, link=link, seed=seed)
        for link, every in seconds.items()
        for name, one in zip(("ddp", "liec", "psgd"), every, strict=True)
        for seed in range(4)
    ]
    comparison = comparison_of(*runs)
    found = brackets(comparison, Palette(["ddp", "liec", "psgd"], "ddp"))

    assert found is not None
    # Half of an epoch's seconds over 22 steps: medians of liec's 45 ms and psgd's 23 and 11 ms.
    assert found.compute == "for steps that compute 34 ms, as measured here"
    page = html.render(comparison)
    assert "The rates hold for steps that compute 34 ms, as measured here." in page
    assert found.legend == [
        "blue: shown to be faster",
        "hatched: the break-even lies here, or no difference is shown",
    ]
    assert "<li>shown to be faster" not in page
    assert "<li>break-even" not in page
    zones = {
        line.method: [(zone, round(start), round(width)) for zone, start, width in line.zones] for line in found.lines
    }
    assert zones == {"liec": [("faster", 0, 50), ("open", 50, 50)], "psgd": [("faster", 0, 100)]}
    assert [(round(place, 6), rate) for place, rate in found.ticks] == [(0.0, "1mbit"), (100.0, "100mbit")]
    assert math.isclose(sum(width for _, _, width in found.lines[0].zones), 100.0)


def test_a_method_that_loses_accuracy_is_marked_beside_its_bracket() -> None:
    methods = {"ddp": (4.0, 0.9), "liec": (1.0, 0.9), "psgd": (0.5, 0.8)}
    runs = [
        run_of(f"{name}{link}{seed}", [{"seconds": one, "accuracy": kept}], algorithm=name, link=link, seed=seed)
        for link in ("1mbit", "100mbit")
        for name, (one, kept) in methods.items()
        for seed in range(4)
    ]
    found = brackets(comparison_of(*runs), Palette(["ddp", "liec", "psgd"], "ddp"))

    assert found is not None
    assert {line.method: (line.accuracy, line.quality, line.is_losing) for line in found.lines} == {
        "liec": ("kept", "accuracy kept", False),
        "psgd": ("lost", "accuracy lost", True),
    }
    assert found.legend == ["dotted: shown to be faster, but accuracy lost", "blue: shown to be faster"]


def test_one_link_has_no_brackets() -> None:
    assert brackets(comparison_of(run_of("d"), run_of("l", algorithm="liec")), Palette(["ddp", "liec"], "ddp")) is None
