import pytest

from liecbench.config.cell import Cell
from liecbench.estimate.planned_bytes import payload_bytes_per_epoch, traffic
from tests.estimate.estimated_cells import NUMEL, STEPS, cell, liec


def test_payload_of_an_all_reduce() -> None:
    assert payload_bytes_per_epoch(cell()) == [(4 * NUMEL * STEPS, 4 * NUMEL * STEPS)] * 2


def test_payload_of_an_all_reduce_of_a_bfloat16_model() -> None:
    own = {part: {"name": f"tests.own_models:{part}", "kind": "half"} for part in ("model", "dataset")}
    fields = cell().spec()
    halves = Cell.from_spec({**fields, "task": {**fields["task"], **own, "batch_size": 10}})
    numel, steps = 64 * 10 + 10, 100 // (10 * 2)

    assert payload_bytes_per_epoch(halves) == [(2 * numel * steps, 2 * numel * steps)] * 2


def test_kinds_of_steps_are_counted_over_the_whole_training() -> None:
    found = {kind: steps.count for kind, steps in traffic(liec()).items()}

    assert found == {"compressed": 33, "averaging": 11}


def test_traffic_does_not_depend_on_link_and_seed() -> None:
    assert traffic(liec()) is traffic(liec(link="100mbit", seed=3))


@pytest.mark.parametrize(("server", "per_exchange"), [("sharded", 2 * 8 * 7), ("root", 2 * 7)])
def test_messages_of_an_exchange_through_a_server(server: str, per_exchange: int) -> None:
    (kind,) = traffic(cell({"name": "csgd"}, workers=8, compressor="sign", server=server)).values()

    assert kind.num_messages == per_exchange


def test_messages_of_an_all_reduce_are_those_of_a_ring() -> None:
    """Each of 4 ranks sends a message to its neighbour in each of the 3 + 3 rounds of a ring."""
    (kind,) = traffic(cell(workers=4)).values()

    assert kind.num_messages == 4 * 6 * len(kind.all_reduces)
