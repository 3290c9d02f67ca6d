import torch

from liecbench.algorithms.comm.finite_check import Doubts

YES, NO = torch.tensor(True), torch.tensor(False)


def test_a_flag_counts_in_its_step() -> None:
    doubts = Doubts(late=False)
    doubts.ask(YES, "first")
    doubts.ask(NO, "second")

    assert (doubts.step_ends(), doubts.step_ends()) == ("second", None)


def test_a_late_flag_counts_in_the_step_after() -> None:
    doubts = Doubts(late=True)
    doubts.ask(NO, "first")
    ended = [doubts.step_ends()]
    doubts.ask(YES, "second")
    ended += [doubts.step_ends(), doubts.step_ends()]

    assert ended == [None, "first", None]


def test_all_doubts_are_settled_whenever_they_were_asked() -> None:
    doubts = Doubts(late=True)
    doubts.ask(YES, "first")
    doubts.step_ends()
    doubts.ask(NO, "second")

    assert (doubts.all(), doubts.all()) == ("second", None)
