"""The constants of the transport for a prediction: fitted to a benchmark, taken from the profile, or assumed."""

import dataclasses
from pathlib import Path

from liecbench.prediction.transport_costs import TransportCosts
from liecbench.prediction.transport_fit import fit_transport
from liecbench.profiles.profile import Profile


def transport_costs(path: Path | None, profile: Profile | None) -> TransportCosts:
    """Return the constants of the transport.

    Without a benchmark, NCCL's constants are assumed if the profile is of a GPU, else Gloo's. If the profile has the
    seconds per message, they replace the assumed ones.

    Args:
        path: The output of a benchmark over Gloo, from which the constants are computed; None without a benchmark.
        profile: The profile; None without a profile.

    Raises:
        LiecbenchError: If the file ``path`` is not the output of such a benchmark.
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
