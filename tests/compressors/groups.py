"""Linear quantization of groups of values, computed with numpy for tests."""

import numpy as np


def expected_levels(values: np.ndarray, group: int, largest_level: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the scale of every ``group`` values, and the nearest levels of the values of each group."""
    scales, levels = [], []
    for start in range(0, values.size, group):
        part = values[start : start + group]
        scale = np.float32(max(float(np.abs(part).max()) / largest_level, 2.0**-149 if part.any() else 0.0))
        exact = part / scale if scale else part
        scales.append(scale)
        levels.append(np.rint(exact).clip(-largest_level, largest_level).astype(int))
    return np.array(scales), levels
