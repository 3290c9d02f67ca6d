import torch

from liecbench.algorithms.comm.finite_check import FiniteCheck

FINITE, NOT_FINITE = torch.tensor(True), torch.tensor(False)


def test_a_flag_is_read_at_the_end_of_its_step() -> None:
    check = FiniteCheck(is_async=False)
    check.submit(FINITE, "first")
    check.submit(NOT_FINITE, "second")

    assert (check.end_step(), check.end_step()) == ("second", None)


def test_an_asynchronous_flag_is_read_at_the_end_of_the_next_step() -> None:
    check = FiniteCheck(is_async=True)
    check.submit(NOT_FINITE, "first")
    ends = [check.end_step()]
    check.submit(FINITE, "second")
    ends += [check.end_step(), check.end_step()]

    assert ends == [None, "first", None]


def test_finish_reads_the_flags_of_all_steps() -> None:
    check = FiniteCheck(is_async=True)
    check.submit(FINITE, "first")
    check.end_step()
    check.submit(NOT_FINITE, "second")

    assert (check.finish(), check.finish()) == ("second", None)
