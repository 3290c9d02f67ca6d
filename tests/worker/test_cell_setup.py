import pytest
from torch.nn.functional import cross_entropy

from liecbench.config.cell import Cell
from liecbench.config.factory import make_algorithm
from liecbench.worker.cell_setup import set_up
from liecbench.worker.collective_errors import DataError
from tests.distributed import run_ranks
from tests.worker.small_cells import NoLink, cell, own


def errors_of_different_data() -> list[str]:
    reasons = []
    for task, before in ((own("one_for_each_process"), None), (own("regression"), "another hash"), ({}, "another")):
        try:
            set_up(cell({"name": "ddp"}, **task), NoLink(), data_sha256=before)
        except DataError as error:
            reasons.append(str(error))
    return reasons


def test_different_data_are_refused_on_every_rank() -> None:
    first, second = run_ranks(errors_of_different_data, 2)

    assert first == second
    assert first[0].startswith("rank 1 has other data than rank 0 for tests.own_tasks:one_for_each_process")
    assert first[1].startswith("the data of tests.own_tasks:regression differ from those of earlier epochs")
    assert first[2].startswith("the data of digits differ from those of earlier epochs")


def messages_of_a_step() -> list[tuple[int, int]]:
    """Return the messages of a step as counted and as scheduled, in DDP's default buckets and in some of 25 MiB."""
    found = []
    for block_bytes in (None, 25 * 2**20):
        # The last three tensors before the widest matrix have less than 1 MiB, and the matrix has 1.96 MB.
        spec = cell({"name": "ddp"}, model={"name": "mlp", "width": 700}).spec()
        own = Cell.from_spec({**spec, "block_bytes": block_bytes})
        replica = set_up(own, NoLink())
        inputs, labels = replica.batches.evaluation_batch(replica.batches.of_epoch(0)[0])
        cross_entropy(replica.ddp(inputs), labels).backward()
        shapes = [parameter.shape for parameter in replica.model.parameters()]
        scheduled = make_algorithm(own).schedule(shapes, world_size=2, step=0).num_messages()[0]
        found.append((replica.algorithm.counters.sent_messages, scheduled))
        replica.close()
    return found


@pytest.mark.parametrize("rank", range(2))
def test_without_block_bytes_ddp_has_its_own_small_first_bucket(
    rank: int, messages: list[list[tuple[int, int]]]
) -> None:
    assert messages[rank] == [(2, 2), (1, 1)]


@pytest.fixture(scope="module")
def messages() -> list[list[tuple[int, int]]]:
    return run_ranks(messages_of_a_step, 2)
