"""Search for seeds of the trajectories' network with which float32 rounding changes no decision of a compressor."""

import sys

import numpy as np

from tests.algorithms import simulation
from tests.algorithms import test_trajectories as trajectories

NOISE = 1e-9  # the residual of vectors that are compressed exactly


def smallest_margin(seed: int, enough: float) -> float:
    """Return how close any sign or choice of any combination is to changing, relative to its scale."""
    margins = [np.inf]

    def signs(v: simulation.Vector) -> simulation.Vector:
        scale = np.abs(v).mean()
        if scale > NOISE:
            margins.append(float(np.abs(v).min() / scale))
        return simulation.scaled_sign(v)

    def choices(v: simulation.Vector) -> simulation.Vector:
        order = np.sort(np.abs(v))[::-1]
        kept = int(np.ceil(0.1 * v.size))
        if kept < v.size and order[kept - 1] > NOISE:
            margins.append(float(1 - order[kept] / order[kept - 1]))
        return simulation.top_tenth(v)

    for name, spy in (("sign", signs), ("top_k", choices)):
        trajectories.COMPRESSORS[name] = (trajectories.COMPRESSORS[name][0], spy)
    trajectories.SEED = seed
    for combination in trajectories.COMBINATIONS:
        if combination[0] not in trajectories.UNCOMPRESSED:
            for num_workers in (2, 3, 4):
                trajectories.simulated(combination, num_workers)
                if min(margins) < enough:
                    return min(margins)
    return min(margins)


if __name__ == "__main__":
    enough = float(sys.argv[1])
    for seed in range(int(sys.argv[2]), int(sys.argv[3])):
        print(seed, smallest_margin(seed, enough), flush=True)
