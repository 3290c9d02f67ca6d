"""Step times against arithmetic by hand, and their dependence on rates, delays and numbers of workers."""

import itertools
import math
from typing import Any

import pytest

from liecbench.compressors import TopK
from liecbench.config.choice import Choice
from liecbench.network.link_map import LinkMap
from liecbench.prediction.method_choice import Method
from liecbench.prediction.node_links import NodeLinks
from liecbench.prediction.rank_links import RankLinks
from liecbench.prediction.recorded_method import RecordedMethod
from liecbench.prediction.step_time import StepTime, step_time
from liecbench.prediction.transport_costs import TransportCosts
from liecbench.profiles.profile import MethodTimes, Profile
from tests.prediction.made_profiles import made_profile

COSTS = TransportCosts(message_seconds=180e-6, segment_seconds=40e-6, step_seconds=1e-3)
METHODS: list[tuple[Any, str | None, str | None]] = [
    ("ddp", None, None),
    ("ddp_bf16", None, None),
    ("powersgd", None, None),
    ("psgd", None, "sharded"),
    ("psgd", None, "root"),
    ("memsgd", "sign", "sharded"),
    ("doublesqueeze", "sign", "sharded"),
    ("doublesqueeze", "sign", "root"),
    ("liec", "sign", "sharded"),
    ("local_sgd", None, "sharded"),
    ({"name": "diloco", "sync_every": 8, "delay": 3}, "sign", "sharded"),
]


def method(algorithm: Any, compressor: str | None = None, server: Any = None) -> Method:
    return Method(
        algorithm=Choice.model_validate(algorithm),
        compressor=None if compressor is None else Choice.model_validate(compressor),
        server=server,
    )


def times(
    chosen: Method,
    workers: int,
    link: Any,
    profile: Profile | None = None,
    costs: TransportCosts = COSTS,
    nodes: NodeLinks | None = None,
) -> dict[str, StepTime]:
    """Return the time of each kind of step."""
    links = RankLinks.of(LinkMap.parse(link), workers)
    recorded = RecordedMethod.of(chosen, profile or made_profile(), workers)
    return {kind.name: step_time(kind.work, links, costs, nodes) for kind in recorded.work(profile or made_profile())}


def test_a_sharded_step_of_two_workers_is_compression_messages_and_wire_time() -> None:
    # 100 000 elements: two shards of 50 000, each 6250 bytes of signs and 4 of scale. With Gloo's header of 48 bytes
    # these are 6302 bytes in 5 segments. The link carries them, 5 headers of 66 bytes, 33 bytes per segment for the
    # acknowledgements of the message in the other direction, and an announcement of 48 + 66 bytes.
    wire = (6302 + 5 * 66 + 5 * 33 + 114) * 8 / 20e6
    # A push and a pull: compress a shard (50 µs), send, wait, and decompress (50 µs).
    each = 50e-6 + 180e-6 + wire + 50e-6

    (step,) = times(method("doublesqueeze", "sign", "sharded"), 2, "20mbit").values()

    assert step.seconds == pytest.approx(0.01 + 0.02 + 2 * each + 1e-3, rel=1e-9)
    assert step.compute_seconds == pytest.approx(0.03)
    assert step.wire_seconds == pytest.approx(2 * wire)
    assert step.bottleneck == "compute"


@pytest.mark.parametrize("rate", [5, 20])
def test_in_a_gather_every_rank_sends_its_message_to_all_others_and_adds_those_of_all(rate: int) -> None:
    made = made_profile(compress=2e-9)
    top_k = made.compressors[0].model_copy(update={"compressor": {"name": "top_k", "ratio": 0.01}})
    profile = made.model_copy(update={"compressors": (top_k,)})
    num_bytes = TopK(0.01).message_bytes(100_000) + 48
    segments = math.ceil(num_bytes / 1448)
    wire = (num_bytes + segments * (66 + 33) + 114) * 8 / (rate * 1e6)
    # Compress, send, wait for the first message, then for the second, and add three messages.
    seconds = 200e-6 + 180e-6 + 2 * wire + 3 * 200e-6
    if rate == 5:
        # The two trips of a barrier are below 5 % of the transfer. After it, the second message is sent later.
        seconds += 2 * 180e-6 + 180e-6

    steps = times(method({"name": "dgc", "ratio": 0.01}), 3, f"{rate}mbit", profile)

    assert steps.keys() == {"compressed"}  # the first epochs, which send more, are not the long run's
    assert steps["compressed"].seconds == pytest.approx(0.03 + seconds + 1e-3, rel=1e-9)


def test_a_step_that_sends_nothing_takes_its_computing_and_the_methods_own_time() -> None:
    local_sgd = method({"name": "local_sgd", "average_period": 4}, None, "sharded")
    own = [
        MethodTimes(algorithm={"name": "local_sgd", "average_period": 4}, kind=kind, local=2e-3)
        for kind in ("local", "averaging")
    ]
    profile = made_profile().model_copy(update={"methods": tuple(own)})

    known, unknown = times(local_sgd, 2, "20mbit", profile), times(local_sgd, 2, "20mbit")

    assert known["local"].seconds == pytest.approx(0.03 + 2e-3, rel=1e-9)
    # Without the method's times, the transport's seconds per step stand for them.
    assert unknown["local"].seconds == pytest.approx(0.03 + 1e-3, rel=1e-9)


def test_all_messages_of_a_root_server_pass_its_link_one_after_the_other() -> None:
    # 400 000 bytes and a header of 48 are 277 segments.
    wire = (400_048 + 277 * 66) * 8 / 20e6
    push = 180e-6 + wire + (wire + 180e-6)  # of the second worker: one receive at a time fits into a vector's memory
    pull = 2 * wire + 180e-6

    (step,) = times(method("psgd", None, "root"), 3, "20mbit").values()

    assert step.seconds == pytest.approx(0.03 + push + pull + 1e-3, rel=1e-9)
    assert step.bottleneck == "wire"


def test_a_ring_sends_one_and_a_half_times_the_gradient_among_four_workers() -> None:
    # Four chunks of two segments of 50 000 bytes. A rank sends three chunks in each of two phases: 12 segments, each
    # with 48 bytes of header in 35 frames, and as many acknowledgements and announcements for those it receives.
    wire = 12 * (50_048 + 35 * 66 + 35 * 33 + 114) * 8 / 20e6
    # In each phase two trips for the first of three pairs, and one for each of the others; and the call.
    waiting = 2 * (2 + 1 + 1) * 40e-6 + 180e-6

    (step,) = times(method("ddp"), 4, "20mbit").values()

    assert step.seconds == pytest.approx(0.03 + wire + waiting + 1e-3, rel=1e-9)


def test_all_reduces_that_wait_together_leave_the_transfer_its_seconds() -> None:
    # Two buckets of 28 MB, of which each rank sends and receives half in each of two phases.
    wire = 2 * 28e6 * 8 * (1448 + 66 + 33) / 1448 / 1e9

    (step,) = times(method("ddp"), 2, {"rate": "1gbit", "delay": "5ms"}, made_profile([7_000_000] * 2)).values()

    assert step.wire_seconds == pytest.approx(wire, rel=0.01)
    # Each phase has seven pairs of segments of 1 MB (8 ms). A pair waits for two trips of 10 ms, and but for the first
    # one the segment before is in transfer meanwhile.
    waiting = 2 * (20e-3 + 6 * (20e-3 - 8e-3))
    assert step.latency_seconds == pytest.approx(waiting, rel=0.05)
    assert step.bottleneck == "wire"


def test_communication_hides_behind_the_backward_pass() -> None:
    early = made_profile([100_000, 8], backward=1.0, ready=[0.1, 0.1])
    late = made_profile([100_000, 8], backward=1.0, ready=[1.0, 1.0])

    (hidden,) = times(method("ddp"), 2, "100mbit", early).values()
    (exposed,) = times(method("ddp"), 2, "100mbit", late).values()

    assert hidden.seconds == pytest.approx(0.01 + 1.0 + 1e-3)
    assert exposed.seconds - hidden.seconds == pytest.approx(400_000 * 8 / 100e6, rel=0.1)


@pytest.mark.parametrize("case", METHODS, ids=str)
def test_a_faster_link_with_less_delay_is_never_slower(case: tuple[Any, str | None, str | None]) -> None:
    chosen = method(*case)
    for workers in (2, 3, 16):
        profile = made_profile([400_000, 30_000, 500])
        for kind in RecordedMethod.of(chosen, profile, workers).work(profile):

            def seconds(rate: str, delay: str, kind: Any = kind, workers: int = workers) -> float:
                links = RankLinks.of(LinkMap.parse({"rate": rate, "delay": delay}), workers)
                return step_time(kind.work, links, COSTS).seconds

            by_rate = [seconds(rate, "1ms") for rate in ("1mbit", "10mbit", "100mbit", "1gbit", "10gbit")]
            by_delay = [seconds("100mbit", delay) for delay in ("0ms", "1ms", "10ms", "100ms")]
            assert all(slow >= fast for slow, fast in itertools.pairwise(by_rate)), (workers, by_rate)
            # More messages are in flight over a longer path, so that it may be faster by less than a barrier.
            assert all(late >= 0.99 * early for early, late in itertools.pairwise(by_delay)), (workers, by_delay)


@pytest.mark.parametrize("case", [("ddp", None, None), ("psgd", None, "sharded")], ids=str)
@pytest.mark.parametrize("workers", [2, 8])
def test_a_dense_step_on_a_slow_link_takes_its_wire_time(case: tuple[Any, None, str | None], workers: int) -> None:
    profile = made_profile([1_000_000])
    payload = 2 * (workers - 1) / workers * 4_000_000
    wire = 8 * payload * (1448 + 66 + 33) / 1448 / 5e6

    (step,) = times(method(*case), workers, "5mbit", profile).values()

    assert step.seconds - 0.03 == pytest.approx(wire, rel=0.02)


def test_the_time_of_a_root_server_grows_with_the_workers_and_that_of_shards_does_not() -> None:
    root = [next(iter(times(method("psgd", None, "root"), n, "10mbit").values())).wire_seconds for n in (5, 9)]
    sharded = [next(iter(times(method("psgd", None, "sharded"), n, "10mbit").values())).wire_seconds for n in (5, 9)]

    assert root[1] / root[0] == pytest.approx(2.0, rel=0.01)
    assert sharded[1] / sharded[0] == pytest.approx((8 / 9) / (4 / 5), rel=0.01)


def test_the_slowest_link_decides() -> None:
    slow_worker = {"rate": "100mbit", "workers": {3: "10mbit"}}

    (mixed,) = times(method("psgd", None, "sharded"), 4, slow_worker).values()
    (slow,) = times(method("psgd", None, "sharded"), 4, "10mbit").values()
    (fast,) = times(method("psgd", None, "sharded"), 4, "100mbit").values()

    assert fast.seconds < 0.5 * mixed.seconds
    assert mixed.seconds == pytest.approx(slow.seconds, rel=0.01)


@pytest.mark.parametrize("chosen", [method("ddp"), method("psgd", None, "sharded"), method("psgd", None, "root")])
def test_the_default_link_decides_if_only_rank_0_has_it(chosen: Any) -> None:
    (mixed,) = times(chosen, 2, {"rate": "10mbit", "workers": {1: "100mbit"}}).values()
    (slow,) = times(chosen, 2, "10mbit").values()

    assert mixed.seconds == pytest.approx(slow.seconds, rel=0.01)


def test_a_message_waits_for_its_announcement_and_its_delay() -> None:
    # The delay passes two links. In a push and in a pull, the announcement goes first, then the message.
    chosen = method("doublesqueeze", "sign", "sharded")

    (near,) = times(chosen, 2, {"rate": "1gbit"}).values()
    (far,) = times(chosen, 2, {"rate": "1gbit", "delay": "10ms"}).values()

    assert far.seconds - near.seconds == pytest.approx(2 * 2 * 0.02, rel=0.02)


def test_averaging_after_the_step_is_added_to_it() -> None:
    kinds = times(method({"name": "local_sgd", "average_period": 4}, None, "sharded"), 2, "10mbit")

    assert set(kinds) == {"local", "averaging"}
    assert kinds["local"].wire_seconds == 0
    assert kinds["averaging"].wire_seconds == pytest.approx(400_000 * 8 * 1.068 / 10e6, rel=0.01)


def test_later_steps_hide_what_is_sent_with_a_delay() -> None:
    averaging = times(method("local_sgd", server="sharded"), 4, "20mbit")["averaging"]
    compute = averaging.compute_seconds
    sent = averaging.seconds - 1e-3 - compute
    assert 2 * compute < sent < 10 * compute
    for delay, hidden in ((0, 0.0), (2, 2 * compute), (10, sent)):
        chosen = method({"name": "diloco", "sync_every": 16, "delay": delay}, server="sharded")
        found = times(chosen, 4, "20mbit")

        assert found["outer"].seconds == pytest.approx(averaging.seconds - hidden)
        assert found["local"].seconds == pytest.approx(compute + 1e-3)


def test_one_worker_only_computes() -> None:
    (step,) = times(method("ddp"), 1, "10mbit").values()

    assert step.seconds == pytest.approx(0.03)


def test_nodes_reduce_inside_before_and_after() -> None:
    nodes = NodeLinks(ranks_per_node=4, bits_per_second=1e9)

    (flat,) = times(method("psgd", None, "sharded"), 2, "100mbit").values()
    (inside,) = times(method("psgd", None, "sharded"), 2, "100mbit", nodes=nodes).values()

    # A rank sends 2 · 3/4 of the gradient at 1 Gbit/s, in six messages of 20 µs.
    assert inside.seconds - flat.seconds == pytest.approx(1.5 * 400_000 * 8 * (1514 / 1448) / 1e9 + 120e-6, rel=0.01)


def test_all_reduces_that_run_together_wait_for_delays_at_the_same_times() -> None:
    # Two buckets that are ready at once: the wire carries both, and both wait in each of two phases for an announcement
    # and for the data. With 5 ms on each link a trip takes 10 ms. 2 workers: measured 205 and 239 ms with such a model.
    profile = made_profile([270_000, 290_000])

    (near,) = times(method("ddp"), 2, "100mbit", profile).values()
    (far,) = times(method("ddp"), 2, {"rate": "100mbit", "delay": "5ms"}, profile).values()

    assert far.seconds - near.seconds == pytest.approx(2 * 2 * 0.010, rel=0.05)
