from liecbench.config.jobs import Contestant, Session
from liecbench.estimate.planned_bytes import traffic
from liecbench.estimate.session_cost import computing_session
from liecbench.estimate.wire_time import wire_seconds
from tests.estimate.estimated_cells import cell, liec


def test_a_session_on_a_slow_link_takes_few_rounds_of_short_bursts() -> None:
    slow = liec(link="1mbit", timing="interleaved", task={"model": {"name": "mlp", "width": 10000}})
    cost = computing_session(Session(contestants=(Contestant(cell=slow, jobs=()),), precision=0.02))
    averaging = wire_seconds(slow, traffic(slow)["averaging"])

    # An averaging step takes longer than a burst may: two are timed, after one that is not, in the fewest rounds.
    assert averaging > 10
    assert (cost.steps[slow.id]["averaging"], cost.rounds) == (3, 4)
    assert cost.seconds > 4 * 3 * averaging


def test_a_quick_session_times_150_ms_of_each_kind() -> None:
    quick = cell(link="none", timing="interleaved")
    cost = computing_session(Session(contestants=(Contestant(cell=quick, jobs=()),), precision=0.02))

    assert 0.15 * cost.rounds < cost.rounds * cost.round_seconds < 1 * cost.rounds
