"""Replayed steps in real process groups: their bytes are the schedule's, and they take at least the recorded times."""

import math
from typing import Any

import pytest
import torch.distributed as dist

from liecbench.config.cell import Cell
from liecbench.config.jobs import Contestant
from liecbench.network.slowdown import Slowdown
from liecbench.profiles.profile import CompressorTimes, Duration, Line, MethodTimes, ParameterTimes, Profile
from liecbench.worker.burst_record import Turn
from liecbench.worker.replay.message_cost import MessageCost, measure_message_cost
from liecbench.worker.replay.replayed_contestant import ReplayedContestant, Stage
from liecbench.worker.replay.step_kinds import step_kinds
from tests.distributed import run_ranks
from tests.worker.small_cells import NoLink, cell

FORWARD, BACKWARD, OPTIMIZER, LOCAL = 0.004, 0.008, 0.002, 0.001
COMPRESS, DECOMPRESS, ACCUMULATE = 0.003, 0.002, 0.0015
NUMELS = (1000, 200)


def line(constant: float) -> Line:
    return Line(constant=constant, per_element=0.0)


def profile() -> Profile:
    nothing = {"compress": line(0), "decompress": line(0), "accumulate": line(0)}
    return Profile(
        forward=Duration(median=FORWARD),
        backward=Duration(median=BACKWARD),
        optimizer=Duration(median=OPTIMIZER),
        parameters=tuple(
            ParameterTimes(name=str(numel), shape=(numel,), ready_seconds=BACKWARD / (1 + i))
            for i, numel in enumerate(NUMELS)
        ),
        compressors=(
            CompressorTimes(compressor={"name": "identity"}, **nothing),
            CompressorTimes(
                compressor={"name": "sign"},
                compress=line(COMPRESS),
                decompress=line(DECOMPRESS),
                accumulate=line(ACCUMULATE),
            ),
            *(
                CompressorTimes(
                    compressor={"name": "top_k", "ratio": ratio},
                    compress=line(COMPRESS),
                    decompress=line(DECOMPRESS),
                    accumulate=line(ACCUMULATE),
                )
                for ratio in (0.25, 0.0625, 0.015625, 0.01)
            ),
        ),
        methods=(MethodTimes(algorithm={"name": "ddp"}, kind="step", local=LOCAL),),
    )


METHODS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ddp": ({"name": "ddp"}, {}),
    "powersgd": ({"name": "powersgd"}, {}),
    "doublesqueeze": ({"name": "doublesqueeze"}, {}),
    "root": ({"name": "doublesqueeze"}, {"server": "root"}),
    "liec": ({"name": "liec", "average_period": 2}, {}),
    "local_sgd": ({"name": "local_sgd", "average_period": 2}, {"compressor": None}),
    "diloco": ({"name": "diloco", "sync_every": 2}, {"compressor": None}),
    "delayed": ({"name": "diloco", "sync_every": 4, "delay": 3}, {}),
    "dgc": ({"name": "dgc", "ratio": 0.01}, {"compressor": None, "server": None}),
}


def cells(workers: int) -> dict[str, Cell]:
    return {
        name: Cell.from_spec({**cell(algorithm).spec(), "workers": workers, "block_bytes": "whole", **options})
        for name, (algorithm, options) in METHODS.items()
    }


def replay(slowdown: Slowdown) -> dict[tuple[str, str], tuple[int, int, int, float]]:
    """Bytes sent and received, messages, and seconds of one step of each kind of each method on this rank."""
    stage = Stage(
        profile=profile(),
        slowdown=slowdown,
        link=NoLink(),
        heartbeat=lambda: None,
    )
    found = {}
    for name, made in cells(dist.get_world_size()).items():
        timed = ReplayedContestant.create(Contestant(cell=made, jobs=()), stage, num_steps=0)
        for kind, burst in zip(timed.kinds, timed.probe(), strict=True):
            rank = burst.ranks[dist.get_rank()]
            counters, num_steps = rank.counters, rank.num_steps
            found[name, kind] = (
                counters.sent_bytes // num_steps,
                counters.received_bytes // num_steps,
                counters.sent_messages // num_steps,
                rank.train_seconds / burst.num_steps,
            )
    return found


@pytest.fixture(
    scope="module", params=[Slowdown(), Slowdown(dilation=3, message_divisor=4)], ids=["full", "slowed down"]
)
def replayed(request: pytest.FixtureRequest) -> list[dict[tuple[str, str], tuple[int, int, int, float]]]:
    return run_ranks(replay, 3, request.param)


def test_messages_are_those_of_the_method(replayed: list[dict[tuple[str, str], tuple[int, int, int, float]]]) -> None:
    # Three ranks are servers of 400, 400 and 400 of the 1200 elements: in dense calls each sends 400 float32 to both
    # others, twice; sign takes 4 bytes and a bit per element.
    numel = sum(NUMELS)
    shard = 4 + math.ceil(numel / 3 / 8)
    whole = 4 + math.ceil(numel / 8)
    dense, ring = 2 * 2 * 4 * numel // 3, 4 * 4 * numel // 3
    for rank, found in enumerate(replayed):
        assert found["ddp", "step"][:3] == (ring, ring, 1)
        assert found["doublesqueeze", "step"][:3] == (4 * shard, 4 * shard, 4)
        assert found["root", "step"][:3] == ((2 * whole, 2 * whole, 2) if rank == 0 else (whole, whole, 1))
        assert found["liec", "compressed"][:3] == (4 * shard, 4 * shard, 4)
        # An averaging step averages the gradient and, afterwards, the models.
        assert found["liec", "averaging"][:3] == (2 * dense, 2 * dense, 8)
        assert found["local_sgd", "averaging"][:3] == found["diloco", "outer"][:3] == (dense, dense, 4)
        assert found["delayed", "local"][:3] == (0, 0, 0)
        # Every rank sends 12 of 1200 entries to both others: 4 bytes each, and positions of at most as many bytes.
        sent, received, messages = found["dgc", "compressed"][:3]
        assert 2 * 4 * 12 < sent == received < 2 * 8 * 12
        assert messages == 2


def test_a_step_takes_at_least_what_is_recorded(
    replayed: list[dict[tuple[str, str], tuple[int, int, int, float]]],
) -> None:
    compute = FORWARD + BACKWARD + OPTIMIZER
    # Sharded: compress two messages and the own shard, add three; then compress the answer and decompress three.
    squeezed = 4 * COMPRESS + 3 * ACCUMULATE + 3 * DECOMPRESS
    slowest = {key: max(found[key][3] for found in replayed) for key in replayed[0]}

    for key, least in {
        ("ddp", "step"): compute + LOCAL,
        ("doublesqueeze", "step"): compute + squeezed,
        ("liec", "averaging"): compute,
        # Four compressions and three additions of a push take 16.5 ms, and the three later steps 42 ms.
        ("delayed", "outer"): compute,
        # A gather: compress once, and decompress the messages of three ranks.
        ("dgc", "compressed"): compute + COMPRESS + DECOMPRESS + 2 * ACCUMULATE,
    }.items():
        assert slowest[key] >= 0.98 * least


def recorded_samples(batch_size: int | None) -> list[int | None]:
    """Return the samples per step in the records of a turn of three methods, of which the last is trained."""
    rounds = {"name": "Rounds", "compressor": {"name": "sign"}, "rounds": 2}
    found = profile()
    nothing = found.compressors[0]
    times = (*found.compressors, nothing.model_copy(update={"compressor": rounds}))
    found = found.model_copy(update={"batch_size": batch_size, "compressors": times})
    stage = Stage(profile=found, slowdown=Slowdown(), link=NoLink(), heartbeat=lambda: None)
    place = Turn(setting="s", contestant="c", placement=0, round=0, order=0, compute_step_seconds=0.01)
    usual = cells(dist.get_world_size())["ddp"]
    twice = {"algorithm": {"name": "neolithic", "accumulate": True}, "compressor": "sign", "server": "sharded"}
    timed = [Cell.from_spec({**usual.spec(), **method, "task": {"profile": "0" * 64}}) for method in ({}, twice)]
    replayed = [ReplayedContestant.create(Contestant(cell=one, jobs=()), stage, num_steps=0) for one in (*timed, usual)]
    return [record.step_samples for one in replayed for record in one.turn(place)]


@pytest.mark.parametrize(("batch_size", "samples"), [(32, [64, 128, None]), (None, [None] * 3)])
def test_a_step_that_is_only_timed_says_its_samples(batch_size: int | None, samples: list[int | None]) -> None:
    # Two workers with a minibatch of 32 each, and with two minibatches that NEOLITHIC accumulates.
    assert run_ranks(recorded_samples, 2, batch_size) == [samples] * 2


def wire_bytes(divisor: int) -> dict[str, tuple[int, int]]:
    """Return the bytes per step that a rank really sends, as its transport counts, and those that are recorded."""
    stage = Stage(profile=profile(), slowdown=Slowdown(message_divisor=divisor), link=NoLink(), heartbeat=lambda: None)
    found = {}
    for name in ("ddp", "doublesqueeze", "root"):
        timed = ReplayedContestant.create(Contestant(cell=cells(3)[name], jobs=()), stage, num_steps=0)
        (step,) = timed.steps.values()
        (burst,) = timed.probe()
        counters = burst.ranks[dist.get_rank()].counters
        found[name] = (step.watch.counters.sent_bytes // burst.ranks[0].num_steps, counters.sent_bytes // 3)
    return found


def test_scaled_messages_are_smaller_and_recorded_in_full() -> None:
    full, scaled = (run_ranks(wire_bytes, 3, divisor)[0] for divisor in (1, 4))

    assert {name: recorded for name, (_, recorded) in full.items()} == {
        name: recorded for name, (_, recorded) in scaled.items()
    }
    for name, (moved, recorded) in full.items():
        assert moved == recorded
        # A message of signs has 4 bytes beside its elements, and lengths are rounded up.
        assert recorded / 4 <= scaled[name][0] <= recorded / 4 + 4 * 16


def test_a_message_costs_something_between_two_ranks_and_all_ranks_learn_it() -> None:
    costs = run_ranks(measured_cost, 3)

    assert costs[0] == costs[1] == costs[2]
    assert 0 < costs[0].message < 0.1
    assert 0 < costs[0].hop < 0.1


def measured_cost() -> MessageCost:
    group = dist.group.WORLD
    assert group is not None
    return measure_message_cost(group)


def test_an_accumulating_method_computes_all_its_batches() -> None:
    made = cell({"name": "neolithic", "rounds": 3, "accumulate": True})
    kinds = step_kinds(made, profile(), num_steps=0)
    (kind,) = kinds.values()

    assert kind.work.compute == pytest.approx(3 * (FORWARD + BACKWARD) + OPTIMIZER)
    # Two blocks: the gradient of the last parameter is ready half-way through the last backward pass.
    last_begins = 3 * FORWARD + 2 * BACKWARD
    assert kind.work.ready == pytest.approx((last_begins + BACKWARD / 2, last_begins + BACKWARD))
