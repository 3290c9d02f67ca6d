"""Comparisons of methods whose epochs have different numbers of samples.

Of 1437 digits, two workers train on 22 minibatches of 32 each, which are 1408 samples. With four minibatches per step
they train on 5 steps, which are 1280 samples.
"""

import dataclasses
import math

import pytest

from liecbench.config.baseline_choice import BaselineChoice
from liecbench.config.cell import Cell
from liecbench.results.cells import without_used_trajectories
from liecbench.results.comparison import Comparison
from liecbench.results.comparison_of_cells import compare
from liecbench.results.equal_work import samples_ratio, seconds_per_work
from liecbench.results.records import Record
from liecbench.results.rows import Row
from liecbench.results.rows_of_cells import summarise
from tests.ledgers import cells_of, comparison_of, end, epoch, rows_of, run_of, spec, start, timing
from tests.replayed_results import only_timed
from tests.results.row_means import means

EVERY, FOURTH = 1408, 1280
FOUR = {"accumulate": 4}
# A step of one minibatch takes 0.1 s, and one of four minibatches 0.2 s: half of the time for as many samples.
STEP, LONG_STEP = 0.1, 0.2
SEEDS = (0, 1, 2)


def trained(samples: int | None = EVERY, fourth: int | None = FOURTH, *, seconds: float = 5 * LONG_STEP) -> list[Row]:
    """Return the rows of ddp, timed while it trained, with one and with four minibatches per step."""
    each = {"seconds": 22 * STEP, "payload": (2200, 2200), "samples": samples}
    long = {"seconds": seconds, "payload": (500, 500), "samples": fourth}
    return rows_of(run_of("a", [each]), run_of("b", [long], algorithm="psgd", task=FOUR))


def timed(algorithm: str, step: float, steps: int, samples: int, **task: int) -> list[list[Record]]:
    """Return cells of three seeds whose accuracy is 0.5, 0.9 and 0.9, timed in two placements of two rounds."""
    runs: list[list[Record]] = []
    for seed in SEEDS:
        cell = Cell.from_spec(spec(algorithm, timing="interleaved", seed=seed, task={"epochs": 3, **task}))
        path = cell.trajectory
        epochs = [
            dataclasses.replace(
                epoch(path.id, number, timed=0, seconds=0.0, accuracy=accuracy, samples=samples),
                steps=steps,
                step_kinds={"step": steps},
            )
            for number, accuracy in enumerate((0.5, 0.9, 0.9), start=1)
        ]
        bursts = [
            timing(cell.contestant, seconds=10 * step, setting=cell.setting, placement=place, round_=number)
            for place in (0, 1)
            for number in (0, 1)
            if not seed  # one session times the steps of all seeds
        ]
        begun: list[Record] = [dataclasses.replace(start(one.id), spec=one.spec()) for one in (path, cell)]
        runs.append([begun[0], *epochs, end(path.id), begun[1], *bursts, end(cell.id)])
    return runs


def both_timed(target_accuracy: float | None = None) -> Comparison:
    """Return the comparison of ddp with one and psgd with four minibatches per step, timed in a session."""
    runs = [*timed("ddp", STEP, 22, EVERY), *timed("psgd", LONG_STEP, 5, FOURTH, accumulate=4)]
    return compare(without_used_trajectories(cells_of(*runs)), baseline="ddp", target_accuracy=target_accuracy)


def test_a_speed_up_compares_equally_many_samples() -> None:
    fast, _ = trained()

    assert means(fast)["speedup"] == pytest.approx(2.0)
    assert means(fast)["bytes_ratio"] == pytest.approx(4.0)
    assert fast.per_seed[0]["speedup"] == pytest.approx(2.0)


def test_values_per_epoch_are_those_of_the_epochs_trained() -> None:
    fast, slow = trained()

    assert [means(row)["seconds_per_epoch"] for row in (fast, slow)] == pytest.approx([1.0, 2.2])
    assert [means(row)["payload_bytes_per_epoch"] for row in (fast, slow)] == pytest.approx([1000.0, 4400.0])
    assert [means(row)["samples_per_epoch"] for row in (fast, slow)] == [FOURTH, EVERY]


@pytest.mark.parametrize("known", [(None, None), (EVERY, None), (None, FOURTH)])
def test_results_of_earlier_versions_compare_epochs(known: tuple[int | None, int | None]) -> None:
    fast, _ = trained(*known)

    assert means(fast)["speedup"] == pytest.approx(2.2)
    assert means(fast)["bytes_ratio"] == pytest.approx(4.4)
    assert fast.other_warnings == []


def seeds_of(
    algorithm: str, seconds: float, payload: int, samples: list[int | None], **task: int
) -> list[list[Record]]:
    """Return a cell per seed, whose only epoch has ``samples[seed]`` samples; ``task`` changes its task."""
    one = {"seconds": seconds, "payload": (payload, payload)}
    return [
        run_of(f"{algorithm}{seed}{task}", [{**one, "samples": known}], algorithm=algorithm, seed=seed, task=task)
        for seed, known in enumerate(samples)
    ]


@pytest.mark.parametrize("known", [[EVERY] * 3, [None, None, EVERY]])
def test_seeds_that_an_earlier_version_trained_are_compared_as_the_others(known: list[int | None]) -> None:
    fourth = [None if samples is None else FOURTH for samples in (None, None, EVERY)]
    fast, _ = rows_of(*seeds_of("ddp", 2.2, 2200, known), *seeds_of("psgd", 1.0, 500, fourth, accumulate=4))

    assert [fast.per_seed[seed]["speedup"] for seed in SEEDS] == pytest.approx([2.0] * 3)
    assert means(fast)["speedup"] == pytest.approx(2.0)
    ratio = fast.metrics["bytes_ratio"]
    assert ratio is not None
    assert (ratio.mean, ratio.low, ratio.high) == pytest.approx((4.0, 4.0, 4.0))
    assert len(fast.other_warnings) == 1


def test_a_cell_that_an_earlier_version_began_to_train_is_compared_as_the_others() -> None:
    each = [{"seconds": 2.2, "samples": samples} for samples in (None, EVERY)]
    long = [{"seconds": 1.0, "samples": samples} for samples in (None, FOURTH)]
    fast, slow = rows_of(run_of("a", each), run_of("b", long, algorithm="psgd", task=FOUR))

    assert means(fast)["speedup"] == pytest.approx(2.0)
    assert [means(row)["samples_per_epoch"] for row in (fast, slow)] == [FOURTH, EVERY]


def three_methods(of_liec: int | None, **liec: object) -> list[list[Record]]:
    """Return ddp in 2.2 s and psgd in 1.0 s, with their samples, and liec in 0.5 s for ``of_liec`` samples."""
    return [
        run_of("a", [{"seconds": 2.2, "payload": (2200, 2200), "samples": EVERY}]),
        run_of("b", [{"seconds": 1.0, "payload": (500, 500), "samples": FOURTH}], algorithm="psgd", task=FOUR),
        run_of("c", [{"seconds": 0.5, "payload": (100, 100), "samples": of_liec}], algorithm="liec", **liec),
    ]


def test_a_setting_compares_epochs_if_a_row_has_no_samples() -> None:
    rows = {row.algorithm: row for row in rows_of(*three_methods(None))}

    assert means(rows["psgd"])["speedup"] == pytest.approx(2.2)
    assert means(rows["psgd"])["bytes_ratio"] == pytest.approx(4.4)
    assert rows["psgd"].other_warnings == [
        "its epochs have 1,280 samples, the baseline's 1,408; its speed-up and bytes÷ do not allow for this, because "
        "rows of an earlier version lack their samples: run the scenario in a new directory"
    ]
    assert rows["liec"].other_warnings == []
    speeds = {(a, b): rows[a].pace.speed_over(rows[b].pace) for a, b in (("liec", "ddp"), ("liec", "psgd"))}
    assert {pair: speed and speed.mean for pair, speed in speeds.items()} == {
        ("liec", "ddp"): pytest.approx(math.log(4.4)),
        ("liec", "psgd"): pytest.approx(math.log(2.0)),
    }


@pytest.mark.parametrize("elsewhere", [{"workers": 4}, {"threads": 2}, {"task": {"batch_size": 64}}])
def test_a_row_without_samples_changes_no_other_setting(elsewhere: dict[str, object]) -> None:
    (fast,) = [row for row in rows_of(*three_methods(None, **elsewhere)) if row.algorithm == "psgd"]

    assert means(fast)["speedup"] == pytest.approx(2.0)


@pytest.mark.parametrize("elsewhere", [{"workers": 4}, {"threads": 2}, {"task": {"batch_size": 64}}])
def test_a_row_without_samples_changes_the_order_in_no_other_setting(elsewhere: dict[str, object]) -> None:
    # 2.1 s for 1280 samples are more per sample than 2.2 s for 1408.
    runs = [*three_methods(None, **elsewhere)[::2], *seeds_of("psgd", 2.1, 500, [FOURTH], accumulate=4)]

    assert [row.algorithm for row in rows_of(*runs)] == ["ddp", "psgd", "liec"]


def with_added_rate() -> Comparison:
    """Return the comparison of ddp and psgd on two links of an earlier version, and at a rate that a run added now.

    An epoch takes 2.2 s with ddp, and with psgd 2.0, 2.1 and 2.4 s, slowest link first.
    """
    runs: list[list[Record]] = []
    for link, seconds, is_new in (("10mbit", 2.0, False), ("50mbit", 2.1, True), ("1gbit", 2.4, False)):
        added = {"link": link, **({"added_rate": True} if is_new else {})}
        known = (EVERY, FOURTH) if is_new else (None, None)
        runs += [
            run_of(f"a{link}", [{"seconds": 2.2, "samples": known[0]}], **added),
            run_of(f"b{link}", [{"seconds": seconds, "samples": known[1]}], algorithm="psgd", task=FOUR, **added),
        ]
    return comparison_of(*runs)


def test_a_break_even_compares_epochs_at_all_rates_if_one_has_no_samples() -> None:
    (found,) = with_added_rate().break_evens

    assert [row.mean_log_speed for row in found.rows] == pytest.approx(
        [math.log(2.2 / seconds) for seconds in (2.0, 2.1, 2.4)]
    )


def test_a_link_without_samples_changes_the_unit_of_all_links() -> None:
    (fast,) = [row for row in rows_of(*three_methods(None, link="1gbit")) if row.algorithm == "psgd"]

    assert means(fast)["speedup"] == pytest.approx(2.2)
    assert len(fast.other_warnings) == 1


def test_a_failed_row_does_not_make_a_setting_compare_epochs() -> None:
    failed: list[Record] = [start("d", algorithm="powersgd"), end("d", status="failed", error="out of memory")]
    (fast,) = [row for row in rows_of(*three_methods(EVERY), failed) if row.algorithm == "psgd"]

    assert means(fast)["speedup"] == pytest.approx(2.0)


def test_a_speed_up_of_a_session_compares_equally_many_samples() -> None:
    fast, slow = both_timed().rows

    assert means(fast)["speedup"] == pytest.approx(STEP * 4 / LONG_STEP)
    assert [means(row)["seconds_per_epoch"] for row in (fast, slow)] == pytest.approx([5 * LONG_STEP, 22 * STEP])
    assert fast.speed is not None
    assert fast.speed.mean == pytest.approx(math.log(2))


def test_steps_of_a_profile_are_compared_by_their_samples() -> None:
    runs = [only_timed(2, 64), only_timed(4, 128)]
    fewer, more = summarise(cells_of(*runs), baseline=BaselineChoice(algorithm="ddp", fixed={"workers": 2}))

    assert [means(row)["seconds_per_epoch"] for row in (fewer, more)] == pytest.approx([0.1, 0.1])
    assert means(more)["speedup"] == pytest.approx(2.0)
    assert more.per_seed[0]["speedup"] == pytest.approx(2.0)
    assert more.other_warnings == [
        "its steps have 128 samples, the baseline's 64; its speed-up and bytes÷ allow for this, its values per epoch, "
        "which is a step, do not"
    ]


@pytest.mark.parametrize("known", [(None, None), (64, None), (None, 128)])
def test_steps_of_a_profile_with_an_unknown_batch_size_are_compared_as_they_are(
    known: tuple[int | None, int | None],
) -> None:
    runs = [only_timed(2, known[0]), only_timed(4, known[1])]
    _, more = summarise(cells_of(*runs), baseline=BaselineChoice(algorithm="ddp", fixed={"workers": 2}))

    assert means(more)["speedup"] == pytest.approx(1.0)
    assert more.other_warnings == []


def test_the_time_to_a_target_is_that_of_the_epochs_trained() -> None:
    # Both methods need one epoch and a half, 3.3 s and 1.5 s, although one of them trains on fewer samples.
    verdict = both_timed(target_accuracy=0.7).verdict

    assert "to 70%: psgd 1.5 s in 1.5 epochs and ddp 3.3 s in 1.5 epochs" in verdict
    (shown,) = [line for line in verdict if line.startswith("shown to reach")]
    assert shown.startswith("shown to reach 70% sooner than ddp: psgd 2.20×")


def test_a_shorter_epoch_is_not_faster_if_it_has_fewer_samples() -> None:
    # 2.1 s for 1280 samples are 2.31 s for 1408.
    rows = trained(seconds=2.1)

    assert [row.algorithm for row in rows] == ["ddp", "psgd"]
    assert means(rows[1])["speedup"] == pytest.approx(2.2 / 2.31)


def test_the_fastest_dense_row_is_that_of_equally_many_samples() -> None:
    dense = [
        run_of("a", [{"seconds": 2.2, "samples": EVERY}], algorithm="ddp_bf16"),
        run_of("b", [{"seconds": 2.1, "samples": FOURTH}], algorithm="ddp_fp16", task=FOUR),
    ]
    rows = rows_of(*dense, run_of("c", [{"seconds": 1.1, "samples": EVERY}], algorithm="liec"), baseline="liec")

    assert [row.algorithm for row in rows if row.is_dense] == ["ddp_bf16"]
    assert {row.algorithm: means(row)["speedup_over_dense"] for row in rows if not row.is_dense} == {
        "liec": pytest.approx(2.0),
        "ddp_fp16": pytest.approx(2.2 / 2.31),
    }


def test_a_row_says_that_its_epochs_have_fewer_samples() -> None:
    fast, slow = trained()

    assert fast.other_warnings == [
        "its epochs have 1,280 samples, the baseline's 1,408; its speed-up and bytes÷ allow for this, its accuracy and "
        "values per epoch do not"
    ]
    assert slow.other_warnings == []


def test_the_warning_gives_no_reason_that_a_baseline_on_other_data_does_not_have() -> None:
    # Two workers train on 22 minibatches of 32 of the digits, and on 937 of 60,000 images.
    images = {"dataset": {"name": "fashion-mnist"}}
    runs = [run_of("a", [{"samples": EVERY}]), run_of("b", [{"samples": 59968}], algorithm="psgd", task=images)]
    digits = BaselineChoice(algorithm="ddp", fixed={"dataset": "digits"})
    fast = next(row for row in summarise(cells_of(*runs), baseline=digits) if row.algorithm == "psgd")

    assert fast.other_warnings == [
        "its epochs have 59,968 samples, the baseline's 1,408; its speed-up and bytes÷ allow for this, its accuracy "
        "and values per epoch do not"
    ]


@pytest.mark.parametrize(("samples", "warned"), [(1400, False), (1408, False), (1390, True), (1430, True)])
def test_a_difference_of_one_percent_is_not_worth_a_word(samples: int, warned: bool) -> None:
    fast, _ = trained(fourth=samples)

    assert bool(fast.other_warnings) is warned


def test_the_ranking_is_by_epoch_if_samples_are_unknown() -> None:
    assert seconds_per_work([(4.0, 8.0), (3.0, 4.0)]) == [0.5, 0.75]
    assert seconds_per_work([(4.0, 8.0), (3.0, None)]) == [4.0, 3.0]
    assert (samples_ratio(2.0, 8.0), samples_ratio(None, 8.0), samples_ratio(2.0, None)) == (0.25, 1.0, 1.0)
