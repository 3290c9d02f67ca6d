import math

import pytest

from liecbench.config.cell import Cell
from liecbench.network.slowdown import Slowdown
from liecbench.profiles.profile import Duration, ParameterTimes, Profile
from liecbench.worker.replay.dilation import estimated_dilation, estimated_slowdown, raised
from liecbench.worker.replay.step_kinds import step_kinds
from tests.worker.replay.test_replayed_contestant import profile
from tests.worker.small_cells import cell


def dilation(algorithm: str, link: str | dict[str, str], workers: int, num_cpus: int, server: str = "sharded") -> int:
    fields = {"link": link, "workers": workers, **({"server": server} if algorithm == "psgd" else {})}
    made = Cell.from_spec({**cell({"name": algorithm}).spec(), **fields})
    kinds = step_kinds(made, profile(), num_steps=0)
    return estimated_dilation(made, kinds.values(), profile(), num_cpus)


def test_a_few_messages_on_slow_links_need_no_dilation() -> None:
    assert dilation("ddp", "1mbit", 2, 2) == 1


def test_dilation_grows_with_rate_and_workers_and_shrinks_with_processors() -> None:
    assert 1 < dilation("psgd", "1gbit", 8, 2) < dilation("psgd", "1gbit", 16, 2)
    assert dilation("psgd", "32gbit", 16, 2) >= dilation("psgd", "1gbit", 16, 2) >= dilation("psgd", "1gbit", 16, 64)


def test_what_the_machine_adds_to_messages_is_little_of_a_step() -> None:
    # A push and a pull for each of two blocks, which overlap, with 1 ms per peer: 2 and 4 ms are 5 % of 40 and 80 ms.
    # The step computes 14 ms. With a root server, 2 ms are added, whatever the number of ranks.
    assert dilation("psgd", "10gbit", 2, 1000) == math.ceil(40 / 14)
    assert dilation("psgd", "10gbit", 3, 1000) == math.ceil(80 / 14)
    assert dilation("psgd", "10gbit", 9, 1000, server="root") == math.ceil(40 / 14)


@pytest.mark.parametrize(("delay", "expected"), [("10ms", 2), ("20ms", 1)])
def test_steps_that_wait_for_delays_need_less_dilation(delay: str, expected: int) -> None:
    # A push and a pull take a trip each, of twice the delay: 40 and 80 ms beside 14 ms of computing. The machine adds
    # 4 ms, and may add 5 % of the step: 2.7 and 4.7 ms.
    assert dilation("psgd", {"rate": "10gbit", "delay": delay}, 3, 1000) == expected


def test_the_trips_of_an_all_reduce_are_waited_for() -> None:
    # 14 trips of 10 ms and 14 ms of computing are 154 ms, of which 0.6 CPU seconds per second may be used: more than
    # the 56 ms and more of 112 messages. Half as many trips would be too few.
    links = ({"rate": "1gbit", "delay": delay} for delay in ("0ms", "2.5ms", "5ms"))
    near, half, far = (dilation("ddp", link, 8, 2) for link in links)

    assert (far, half > 1, near > half) == (1, True, True)


def test_delays_that_later_steps_hide_do_not_count() -> None:
    link = {"rate": "10gbit", "delay": "20ms"}
    made = Cell.from_spec({**cell({"name": "diloco", "sync_every": 4, "delay": 3}).spec(), "link": link, "workers": 3})
    near = Cell.from_spec({**made.spec(), "link": "10gbit"})
    found = [
        estimated_dilation(one, step_kinds(one, profile(), num_steps=0).values(), profile(), 1000)
        for one in (made, near)
    ]

    assert found[0] == found[1]


def large_profile(numel: int) -> Profile:
    parameters = (ParameterTimes(name="a", shape=(numel,), ready_seconds=0.0),)
    return profile().model_copy(update={"parameters": parameters})


def slowdown(algorithms: list[str], rate: str, workers: int, numel: int) -> Slowdown:
    large, methods = large_profile(numel), []
    for name in algorithms:
        made = Cell.from_spec({**cell({"name": name}).spec(), "link": rate, "workers": workers})
        methods.append((made, list(step_kinds(made, large, num_steps=0).values())))
    return estimated_slowdown(methods, large, num_cpus=2)


def test_messages_are_cut_where_full_ones_would_need_a_large_dilation() -> None:
    assert slowdown(["ddp"], "100mbit", 8, 10**7) == Slowdown(dilation=slowdown(["ddp"], "100mbit", 8, 10**7).dilation)
    full, cut = slowdown(["ddp"], "10gbit", 8, 10**4), slowdown(["ddp"], "10gbit", 8, 10**7)

    # 10,000 float32 in 8 segments are 5 kB, which cannot be cut to half; 10 million can.
    assert full.message_divisor == 1
    assert cut.message_divisor > 1
    assert cut.dilation < estimated(["ddp"], "10gbit", 8, 10**7)


def estimated(algorithms: list[str], rate: str, workers: int, numel: int) -> int:
    large, wanted = large_profile(numel), []
    for name in algorithms:
        made = Cell.from_spec({**cell({"name": name}).spec(), "link": rate, "workers": workers})
        wanted.append(estimated_dilation(made, step_kinds(made, large, num_steps=0).values(), large, 2))
    return max(wanted)


@pytest.mark.parametrize("numel", [3 * 10**5, 10**6, 10**7])
def test_no_message_is_cut_below_4_kb(numel: int) -> None:
    found = slowdown(["ddp", "doublesqueeze"], "25gbit", 8, numel)
    # The smallest messages are the signs of an eighth of the model, with 4 bytes of a scale.
    signs = 4 + math.ceil(numel / 8 / 8)

    assert found.message_divisor & (found.message_divisor - 1) == 0
    assert found.message_divisor == 1 or signs / found.message_divisor >= 4096


def test_steps_that_send_nothing_need_no_dilation() -> None:
    made = Cell.from_spec({**cell({"name": "local_sgd"}).spec(), "compressor": None, "link": "20mbit"})
    nothing = profile().model_copy(update=dict.fromkeys(("forward", "backward", "optimizer"), Duration(median=0)))
    kinds = step_kinds(made, nothing, num_steps=0)

    assert estimated_dilation(made, [kinds["local"]], nothing, 2) == 1


@pytest.mark.parametrize(("share", "expected"), [(0.6, 8), (0.31, 5), (100.0, 1000)])
def test_a_raised_dilation_brings_the_share_down(share: float, expected: int) -> None:
    assert raised(Slowdown(dilation=4, message_divisor=8), share) == Slowdown(dilation=expected, message_divisor=8)
