import pytest

from liecbench.config.cell import Cell
from liecbench.network.slowdown import Slowdown
from liecbench.worker.replay.cpu_cost import replay_cpu_seconds
from liecbench.worker.replay.step_kinds import step_kinds
from tests.worker.replay.test_dilation import large_profile
from tests.worker.small_cells import cell

NUMEL = 10**7


def cost(algorithm: str, slowdown: Slowdown, workers: int = 4, link: str = "1gbit") -> float:
    made = Cell.from_spec({**cell({"name": algorithm}).spec(), "link": link, "workers": workers})
    (kind,) = step_kinds(made, large_profile(NUMEL), num_steps=0).values()
    return replay_cpu_seconds(kind.schedule, made.link, slowdown)


@pytest.mark.parametrize("algorithm", ["ddp", "psgd"])
def test_slower_links_take_more_of_the_processors_and_smaller_messages_less(algorithm: str) -> None:
    costs = [cost(algorithm, Slowdown(dilation=dilation)) for dilation in (1, 4, 16, 64, 200)]

    assert costs == sorted(costs)
    assert cost(algorithm, Slowdown(dilation=4, message_divisor=8)) < cost(algorithm, Slowdown(dilation=4))


def test_a_dense_step_takes_what_was_measured_of_it() -> None:
    """ResNet-18 on 8 workers, ×12 on 1 Gbit/s: 0.8 s of all ranks and 2.0 to 2.3 s of the delay line, for 11.17 M."""
    measured = (0.8 + 2.15) * NUMEL / 11_173_962

    assert cost("ddp", Slowdown(dilation=12), workers=8) == pytest.approx(measured, rel=0.3)


def test_what_slow_links_take_has_a_bound() -> None:
    slow, slower = (cost("ddp", Slowdown(dilation=dilation), link="1mbit") for dilation in (1, 100))

    assert slow == slower
