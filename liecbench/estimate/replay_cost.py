"""Estimate the seconds of a timing session whose ranks replay a profile, perhaps in dilated time."""

import math
from collections.abc import Sequence

from liecbench.config.cell import Cell
from liecbench.config.jobs import Session
from liecbench.estimate.cost import LINK_SECONDS
from liecbench.estimate.expected_profile import ExpectedProfile
from liecbench.estimate.machine_speed import num_cores
from liecbench.estimate.replayed_steps import ReplayedSteps, replayed_kinds, replayed_steps
from liecbench.estimate.session_cost import SessionCost, rounds_within_limit
from liecbench.profiles.profile import Profile
from liecbench.worker.session_rounds import BURST_SECONDS, FIRST_ROUNDS

# A burst has one step before the timed ones. The first burst in a placement comes after one that probes.
_UNTIMED, _PROBED, _FEWEST_TIMED = 1, 2, 2
# Seconds, measured on 2 cores: of a burst besides its steps, and to measure the cost of messages.
_BURST_SECONDS, _MESSAGE_SECONDS = 0.015, 0.3
# To measure a profile: steps of the model at first and after each compressor and method, pauses included, and seconds
# for each compressor and for each kind of step of a method.
_FIRST_STEPS, _LATER_STEPS, _PAUSE_SECONDS, _MOST_SECONDS = 30, 5, 0.005, 20.0
_COMPRESSOR_SECONDS, _METHOD_SECONDS = 0.7, 0.3


def replayed_session(session: Session, expected: ExpectedProfile) -> SessionCost:
    """Return what a session takes whose ranks replay ``expected``: to measure it, to try the links, and all rounds.

    Raises:
        LiecbenchError: If the profile has no times for a compressor that a method uses.
    """
    cells = [contestant.cell for contestant in session.contestants]
    steps = {cell.id: replayed_steps(cell, expected.profile) for cell in cells}
    dilation = expected_dilation(cells, expected.profile)
    kinds = [kind for found in steps.values() for kind in found.values()]
    probes = sum(_burst(kind, _PROBED, dilation) for kind in kinds)
    timed = {id_: {name: _timed_steps(kind, dilation) for name, kind in found.items()} for id_, found in steps.items()}
    round_seconds = sum(
        _burst(kind, timed[id_][name], dilation) for id_, found in steps.items() for name, kind in found.items()
    )
    tries_links = session.cell.link.shaped and session.cell.dilation == "auto"
    return SessionCost(
        rounds=rounds_within_limit(session, FIRST_ROUNDS, probes, round_seconds),
        setup_seconds=(
            _profile_seconds(expected)
            + (LINK_SECONDS if session.cell.link.shaped else 0.0)
            + (probes if tries_links else 0.0)
        ),
        placement_seconds=probes,
        round_seconds=round_seconds,
        steps={id_: {name: steps + _UNTIMED for name, steps in found.items()} for id_, found in timed.items()},
        dilation=dilation,
        source=expected.source,
    )


def expected_dilation(cells: Sequence[Cell], profile: Profile) -> int:
    """Return how many times more slowly a session of these cells will replay, if the scenario leaves it open."""
    from liecbench.worker.replay.dilation import estimated_dilation

    if not cells[0].link.shaped:
        return 1
    if cells[0].dilation != "auto":
        return cells[0].dilation
    return max(estimated_dilation(cell, replayed_kinds(cell, profile).values(), profile, num_cores()) for cell in cells)


def _timed_steps(kind: ReplayedSteps, dilation: int) -> int:
    real = kind.real_seconds(dilation, num_cores())
    # Steps that send nothing take no time if nothing is known of the model's computing.
    return max(_FEWEST_TIMED, math.ceil(BURST_SECONDS / real)) if real else _FEWEST_TIMED


def _burst(kind: ReplayedSteps, timed: int, dilation: int) -> float:
    return _BURST_SECONDS + (_UNTIMED + timed) * kind.real_seconds(dilation, num_cores())


def _profile_seconds(expected: ExpectedProfile) -> float:
    """Return the seconds to measure what a session measures before its first round."""
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
