from typing import Any

import pytest

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.errors import LiecbenchError
from liecbench.network.link_map import LinkMap
from liecbench.prediction.baseline_setting import BaselineSetting
from liecbench.prediction.predictions import Predictions
from liecbench.results.rows_of_cells import summarise
from tests.ledgers import cells_of, run_of
from tests.prediction.made_predictions import predicted
from tests.results.row_means import means

TEN, HUNDRED = LinkMap.parse("10mbit"), LinkMap.parse("100mbit")


def seconds(found: Predictions) -> dict[tuple[str, int, str], float]:
    return {(row.method.name, row.workers, str(row.link)): row.step_seconds.mean for row in found.rows}


def speedups(found: Predictions) -> dict[tuple[str, int, str], float]:
    return {(row.method.name, row.workers, str(row.link)): row.speedup.mean for row in found.rows}


def test_a_fixed_number_of_workers_is_compared_by_samples() -> None:
    fixed = predicted(["ddp", "liec"], (2, 8), "10mbit", baseline_setting=BaselineSetting(workers=2))
    times, found = seconds(fixed), speedups(fixed)

    assert times == seconds(predicted(["ddp", "liec"], (2, 8), "10mbit"))
    base = times["ddp", 2, "10mbit"] / 2
    assert found == pytest.approx({key: base / (step / key[1]) for key, step in times.items()})
    assert found["ddp", 2, "10mbit"] == 1
    assert found["ddp", 8, "10mbit"] > 1


def test_the_baseline_has_a_row_of_its_own_in_a_setting_that_is_not_asked_for() -> None:
    setting = BaselineSetting(workers=2, link=HUNDRED)
    fixed = predicted(["ddp", "liec"], (8,), "10mbit", baseline_setting=setting)
    times = seconds(fixed)

    assert list(times)[2:] == [("ddp", 2, "100mbit")]
    assert times.keys() == {("ddp", 8, "10mbit"), ("liec(sign)", 8, "10mbit"), ("ddp", 2, "100mbit")}
    assert times["ddp", 2, "100mbit"] == seconds(predicted(["ddp"], (2,), "100mbit"))["ddp", 2, "100mbit"]
    ratio = times["ddp", 2, "100mbit"] / 2 / (times["liec(sign)", 8, "10mbit"] / 8)
    assert speedups(fixed)["liec(sign)", 8, "10mbit"] == pytest.approx(ratio)


@pytest.mark.parametrize("setting", [BaselineSetting(workers=2), BaselineSetting(workers=2, link=HUNDRED)])
def test_at_its_break_even_a_method_takes_as_long_as_the_fixed_baseline(setting: BaselineSetting) -> None:
    found = predicted(["ddp", "psgd", "liec"], (2, 8), "10mbit", baseline_setting=setting).break_evens

    rates = {(one.method.name, one.workers): one.bits_per_second for one in found}
    # With two workers, ddp is the baseline itself.
    assert rates.keys() == {("psgd", 2), ("liec(sign)", 2), ("ddp", 8), ("psgd", 8), ("liec(sign)", 8)}
    known = {key: rate.mean for key, rate in rates.items() if rate is not None}
    assert known
    for (name, workers), rate in known.items():
        at_rate = predicted(["ddp", "psgd", "liec"], (workers,), f"{round(rate)}bit", baseline_setting=setting)
        # The search for the rate stops within 0.5 %.
        assert speedups(at_rate)[name, workers, str(TEN.at_rate(round(rate)))] == pytest.approx(1, rel=0.006)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        (BaselineSetting(link=LinkMap.parse("none")), "link none: it has no rate"),
        (BaselineSetting(workers=2), "2 workers are no whole number of nodes with 4 each"),
    ],
)
def test_a_setting_that_cannot_be_predicted_is_refused_as_that_of_the_baseline(
    setting: BaselineSetting, reason: str
) -> None:
    nodes: dict[str, Any] = {"ranks_per_node": 4, "inner_bits_per_second": 1e11}

    with pytest.raises(LiecbenchError, match=rf"^the scenario's baseline: {reason}.*; or add --baseline ddp$"):
        predicted(["ddp"], (8,), "10mbit", baseline_setting=setting, **nodes)


def test_a_setting_that_all_methods_have_is_not_fixed() -> None:
    fixed = BaselineSetting(workers=2, link=TEN)

    assert fixed.apart_from((2,), (TEN,)) == BaselineSetting()
    assert fixed.apart_from((2, 8), (TEN,)) == BaselineSetting(workers=2)
    assert fixed.apart_from((8,), (TEN, HUNDRED)) == fixed


def test_the_speed_ups_are_those_that_run_would_compute_from_the_same_times() -> None:
    fixed = predicted(["ddp", "psgd"], (2, 8), "10mbit", baseline_setting=BaselineSetting(workers=2))
    # Epochs of one step, with 32 samples per worker.
    runs = [
        run_of(f"{name}{workers}", [{"seconds": step, "samples": 32 * workers}], algorithm=name, workers=workers)
        for (name, workers, _), step in seconds(fixed).items()
    ]
    baseline = BaselineChoice.parse({"algorithm": "ddp", "workers": 2})
    rows = summarise(cells_of(*runs), baseline=baseline)

    measured = {(row.algorithm, row.fields["workers"], "10mbit"): means(row)["speedup"] for row in rows}
    assert speedups(fixed) == pytest.approx(measured)
