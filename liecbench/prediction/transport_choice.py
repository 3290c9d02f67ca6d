"""Choose the constants of the transport, such as the seconds per message, from which step times are predicted.

The constants are fitted to a benchmark if one is given. Otherwise they are assumed, except that a profile can replace
the assumed seconds per message.
"""

import dataclasses
from pathlib import Path

from liecbench.prediction.transport_costs import TransportCosts
from liecbench.prediction.transport_fit import fit_transport
from liecbench.profiles.profile import Profile


def transport_costs(path: Path | None, profile: Profile | None) -> TransportCosts:
    """Return the constants of the transport for a prediction.

    If ``path`` is given, the constants are fitted to the benchmark, and the profile is not used. If ``path`` is None,
    the constants are assumed: those of NCCL if the profile is of a GPU, else those of Gloo. If the profile has
    ``message_seconds``, this value replaces the assumed one.

    Args:
        path: The JSON output of ``liecbench bench exchange`` or ``bench link`` over Gloo; None without a benchmark.
        profile: The profile; None without a profile.

    Raises:
        LiecbenchError: If the constants cannot be fitted to ``path``, for example because it is not a JSON file.
    """
    if path is not None:
        return fit_transport(path)
    costs = TransportCosts.assumed("nccl" if profile is not None and profile.device == "cuda" else "gloo")
    if profile is None or profile.message_seconds is None:
        return costs
    message = f"{profile.message_seconds * 1e6:.0f} µs per message, from the profile"
    over = " (measured over Gloo)" if costs.backend == "nccl" and profile.origin == "measured" else ""
    source = f"{message}{over}; links that reach their rates"
    return dataclasses.replace(costs, message_seconds=profile.message_seconds, source=source)
