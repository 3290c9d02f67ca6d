"""Shorten the timing sessions of the ranks that are forked from this process: see tests/short_sessions.py."""

from liecbench.worker import cell_link, interleaved_session, session_rounds

for module in (session_rounds, interleaved_session):
    setattr(module, "FIRST_ROUNDS", session_rounds.MIN_ROUNDS)  # noqa: B010 - it is final
setattr(session_rounds, "BURST_SECONDS", 0.05)  # noqa: B010
cell_link._PAUSE_SECONDS = 0.0
