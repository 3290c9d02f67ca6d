from liecbench.bench.bench_loop import STEP_ROUNDS, _series
from liecbench.launch.plans import BenchmarkPlan, StepCase, TransferCase


def step(link: str, size: int) -> StepCase:
    return StepCase(size=size, link=link, algorithm="ddp", compressor=None, options={}, warmup_steps=1, timed_steps=1)


def test_the_steps_of_a_link_take_turns_in_rounds_of_random_order() -> None:
    links = [link for link in ("10mbit", "1gbit") for _ in range(5)]
    plan = BenchmarkPlan(steps=tuple(step(link, size) for size, link in enumerate(links, start=1)))
    first, second = _series(plan)

    assert [len(first), len(second)] == [STEP_ROUNDS] * 2
    assert [sorted(turn.case for turn in turns) for turns in first] == [[0, 1, 2, 3, 4]] * STEP_ROUNDS
    assert [sorted(turn.case for turn in turns) for turns in second] == [[5, 6, 7, 8, 9]] * STEP_ROUNDS
    assert {turn.link for turns in second for turn in turns} == {"1gbit"}
    assert len({tuple(turn.case for turn in turns) for turns in first}) > 1
    assert [turn.case for turn in first[0]] == [0, 1, 2, 3, 4]


def test_a_transfer_has_one_turn() -> None:
    transfer = TransferCase(operation="stream", size=4, messages=1, repeats=1, link="10mbit")
    plan = BenchmarkPlan(steps=(step("10mbit", 1),), transfers=(transfer, transfer))
    _, *transfers = _series(plan)

    assert [[[turn.case for turn in turns] for turns in rounds] for rounds in transfers] == [[[1]], [[2]]]
