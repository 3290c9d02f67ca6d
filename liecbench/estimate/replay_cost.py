"""Estimate the seconds of a timing session whose ranks replay a profile, perhaps slowed down."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from liecbench.config.cell import Cell
from liecbench.config.jobs import Session
from liecbench.estimate.cost import LINK_SECONDS
from liecbench.estimate.expected_profile import ExpectedProfile
from liecbench.estimate.machine_speed import num_cores
from liecbench.estimate.replayed_steps import ReplayedSteps, replayed_steps
from liecbench.estimate.session_cost import SessionCost, rounds_within_limit
from liecbench.network.slowdown import Slowdown
from liecbench.prediction.gloo_ring import TRIPS_PER_MESSAGE
from liecbench.profiles.profile import Profile
from liecbench.worker.session_rounds import BURST_SECONDS

# The number of rounds that a session usually takes until its speed-ups are precise enough: 10 on an idle machine, up to
# 20 beside other work.
_USUAL_ROUNDS: Final = 11
# A burst has one step before the timed ones. The first burst of a session comes after one that probes.
_UNTIMED, _PROBED, _FEWEST_TIMED = 1, 2, 2
# Seconds, measured on 2 cores: of a burst besides its steps, and to measure the cost of messages.
_BURST_SECONDS, _MESSAGE_SECONDS = 0.015, 0.3
# To measure a profile: steps of the model at first and after each compressor and method, pauses included, and seconds
# for each compressor and for each kind of step of a method.
_FIRST_STEPS, _LATER_STEPS, _PAUSE_SECONDS, _MOST_SECONDS = 30, 5, 0.005, 20.0
_COMPRESSOR_SECONDS, _METHOD_SECONDS = 0.7, 0.3

# The steps of each method of a session, by the id of the method's cell and by step kind.
SessionSteps = Mapping[str, Mapping[str, ReplayedSteps]]


def replayed_session(session: Session, expected: ExpectedProfile) -> SessionCost:
    """Return the cost of a session whose ranks replay the profile ``expected``.

    The cost includes measuring the missing parts of the profile, testing the links, and all rounds.

    Raises:
        ProfileError: If the profile has no times for a compressor that a method uses.
    """
    cells = [contestant.cell for contestant in session.contestants]
    steps = session_steps(session, expected.profile)
    # What a GPU will compute is not known, and with it the slowdown.
    is_unknown = expected.profile.origin == "assumed" and session.cell.device == "cuda"
    slowdown = Slowdown() if is_unknown else expected_slowdown(cells, expected.profile, steps)
    return slowed_session(session, expected, steps, slowdown)


def session_steps(session: Session, profile: Profile) -> SessionSteps:
    """Return the steps that a session replays, by the id of the method's cell and then by step kind.

    A key of the inner mappings is the name of a step kind, such as ``averaging``. The value has the messages, the work
    and the expected seconds of a step. The seconds are in emulated time, without the slowdown of the replay.

    Raises:
        ProfileError: If the profile has no times for a compressor that a method uses.
    """
    return {contestant.cell.id: replayed_steps(contestant.cell, profile) for contestant in session.contestants}


def slowed_session(session: Session, expected: ExpectedProfile, steps: SessionSteps, slowdown: Slowdown) -> SessionCost:
    """Return the expected rounds, steps and seconds of a session whose replay is slowed down by ``slowdown``.

    Args:
        session: The session.
        expected: The profile that the session's ranks replay.
        steps: The steps of the session's methods, as ``session_steps`` returns them.
        slowdown: The factors by which the replay takes longer than the emulated training, and sends smaller messages.
    """
    kinds = [kind for found in steps.values() for kind in found.values()]
    probes = sum(_burst(kind, _PROBED, slowdown) for kind in kinds)
    timed = {id_: {name: _timed_steps(kind, slowdown) for name, kind in found.items()} for id_, found in steps.items()}
    round_seconds = sum(
        _burst(kind, timed[id_][name], slowdown) for id_, found in steps.items() for name, kind in found.items()
    )
    return SessionCost(
        rounds=rounds_within_limit(session, _USUAL_ROUNDS, 0.0, round_seconds),
        setup_seconds=_profile_seconds(expected) + (LINK_SECONDS if session.cell.link.shaped else 0.0) + probes,
        placement_seconds=0.0,
        round_seconds=round_seconds,
        steps={id_: {name: steps + _UNTIMED for name, steps in found.items()} for id_, found in timed.items()},
        slowdown=slowdown,
        source=expected.source,
    )


def expected_slowdown(cells: Sequence[Cell], profile: Profile, steps: SessionSteps) -> Slowdown:
    """Return the slowdown with which a timing session will probably replay a profile on this machine.

    If the links are unshaped, the replay is not slowed down. If the cells set ``dilation`` to a number, the replay is
    slowed down by this number. Otherwise the slowdown is one with which this machine probably keeps up.

    Args:
        cells: One cell per method of the session, all with the same links and the same ``dilation``.
        profile: The profile that is replayed.
        steps: The steps of the session's methods, as ``session_steps`` returns them.
    """
    from liecbench.worker.replay.dilation import estimated_slowdown

    if not cells[0].link.shaped:
        return Slowdown()
    if cells[0].dilation != "auto":
        return Slowdown(dilation=cells[0].dilation)
    methods = [(cell, [one.kind for one in steps[cell.id].values()]) for cell in cells]
    return estimated_slowdown(methods, profile, num_cores())


def _timed_steps(kind: ReplayedSteps, slowdown: Slowdown) -> int:
    real = kind.real_seconds(slowdown, num_cores())
    # Steps that send nothing take no time if nothing is known of the model's computing.
    return max(_FEWEST_TIMED, math.ceil(BURST_SECONDS / real)) if real else _FEWEST_TIMED


def _burst(kind: ReplayedSteps, timed: int, slowdown: Slowdown) -> float:
    steps = (_UNTIMED + timed) * kind.real_seconds(slowdown, num_cores())
    return _BURST_SECONDS + steps + slowdown.dilation * _meeting_seconds(kind)


def _meeting_seconds(kind: ReplayedSteps) -> float:
    """Return the seconds for which the links delay the ranks before and after a burst.

    The seconds must still be multiplied by the dilation. ``replay_burst`` has a barrier before the burst and one after
    it. Each barrier takes ⌈log₂ n⌉ trips among n ranks. Then the ranks exchange their measurements, which is one trip.
    Gloo announces every message, so that each trip counts twice.
    """
    world_size = kind.kind.schedule.world_size
    if world_size < 2 or not kind.links.shaped:
        return 0.0
    delays = sorted(kind.links.of(rank).delay_seconds for rank in range(world_size))
    return TRIPS_PER_MESSAGE * (2 * math.ceil(math.log2(world_size)) + 1) * sum(delays[-2:])


def _profile_seconds(expected: ExpectedProfile) -> float:
    """Return the estimated seconds that a session takes to measure the missing times of its profile."""
    profile = expected.profile
    messages = _MESSAGE_SECONDS if None in (profile.message_seconds, profile.hop_seconds) else 0.0
    if not (new := expected.unmeasured):
        return messages
    methods = [(one.algorithm.model_dump(), one.compressor and one.compressor.model_dump()) for one in new]
    num_kinds = sum((one.algorithm, one.compressor) in methods for one in profile.methods)
    num_compressors = len(profile.compressors)
    step = profile.compute_seconds + _PAUSE_SECONDS
    num_steps = (_FIRST_STEPS if expected.is_new else 0) + _LATER_STEPS * (num_compressors + len(new))
    return (
        messages
        + min(_MOST_SECONDS, num_steps * step)
        + num_compressors * _COMPRESSOR_SECONDS
        + num_kinds * _METHOD_SECONDS
    )
