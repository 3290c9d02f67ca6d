import pytest
import torch.distributed as dist

from liecbench.worker.cell_setup import set_up
from liecbench.worker.step_timing import time_burst
from tests.distributed import run_ranks
from tests.worker.small_cells import NoLink, cell

NUM_STEPS = 8


def measure_liec_and_powersgd() -> dict[tuple[str, int], tuple[int, int, int]]:
    """Return payload bytes, timed steps and steps of this rank, by algorithm and the number that each step had."""
    measured: dict[tuple[str, int], tuple[int, int, int]] = {}
    liec = cell({"name": "liec", "average_period": 4})
    powersgd = cell({"name": "powersgd"}).model_copy(update={"compressor": None, "server": None})
    for name, made in (("liec", liec), ("powersgd", powersgd)):
        replica = set_up(made, NoLink())
        for step in (0, 3, 0):
            burst = time_burst(replica, step, NUM_STEPS, repeat=True)
            own = burst.ranks[dist.get_rank()]
            measured[name, step] = (own.counters.sent_bytes, burst.num_steps, own.num_steps)
        replica.close()
    return measured


@pytest.fixture(scope="module")
def measured() -> list[dict[tuple[str, int], tuple[int, int, int]]]:
    return run_ranks(measure_liec_and_powersgd, 2)


@pytest.mark.parametrize("name", ["liec", "powersgd"])
def test_one_step_is_untimed(measured: list[dict[tuple[str, int], tuple[int, int, int]]], name: str) -> None:
    for rank in measured:
        for step in (0, 3):
            assert rank[name, step][1:] == (NUM_STEPS, NUM_STEPS + 1)


def test_steps_send_what_steps_of_their_kind_send(
    measured: list[dict[tuple[str, int], tuple[int, int, int]]],
) -> None:
    for rank in measured:
        sent = {key: measurement[0] for key, measurement in rank.items()}
        # LIEC's fourth step averages; PowerSGD's first two are dense.
        assert sent["liec", 3] > 2 * sent["liec", 0]
        assert sent["powersgd", 0] > sent["powersgd", 3]
