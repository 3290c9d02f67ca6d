import math

import pytest

from liecbench.config.cell import Cell
from liecbench.profiles.profile import Duration
from liecbench.worker.replay.dilation import estimated_dilation, raised
from liecbench.worker.replay.step_kinds import step_kinds
from tests.worker.replay.test_replayed_contestant import profile
from tests.worker.small_cells import cell


def dilation(algorithm: str, rate: str, workers: int, num_cpus: int) -> int:
    made = Cell.from_spec({**cell({"name": algorithm}).spec(), "link": rate, "workers": workers})
    kinds = step_kinds(made, profile(), num_steps=0)
    return estimated_dilation(made, kinds.values(), profile(), num_cpus)


def test_a_few_messages_on_slow_links_need_no_dilation() -> None:
    assert dilation("ddp", "1mbit", 2, 2) == 1


def test_dilation_grows_with_rate_and_workers_and_shrinks_with_processors() -> None:
    assert 1 < dilation("psgd", "1gbit", 8, 2) < dilation("psgd", "1gbit", 16, 2)
    assert dilation("psgd", "32gbit", 16, 2) >= dilation("psgd", "1gbit", 16, 2) >= dilation("psgd", "1gbit", 16, 64)


def test_what_the_machine_adds_to_messages_is_little_of_a_step() -> None:
    # Two blocks of two messages, one after the other, of 0.25 ms each: 1 ms is 2.5 % of 40 ms. The step computes 14 ms.
    assert dilation("psgd", "10gbit", 2, 1000) == math.ceil(40 / 14)


def test_steps_that_send_nothing_need_no_dilation() -> None:
    made = Cell.from_spec({**cell({"name": "local_sgd"}).spec(), "compressor": None, "link": "20mbit"})
    nothing = profile().model_copy(update=dict.fromkeys(("forward", "backward", "optimizer"), Duration(median=0)))
    kinds = step_kinds(made, nothing, num_steps=0)

    assert estimated_dilation(made, [kinds["local"]], nothing, 2) == 1


@pytest.mark.parametrize(("share", "expected"), [(0.6, 8), (0.31, 5), (100.0, 1000)])
def test_a_raised_dilation_brings_the_share_down(share: float, expected: int) -> None:
    assert raised(4, share) == expected
