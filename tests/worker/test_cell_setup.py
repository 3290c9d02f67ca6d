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
