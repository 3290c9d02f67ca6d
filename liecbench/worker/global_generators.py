"""Save and restore the global random generators of Python and NumPy, because a user's model may draw from them."""

import random
from typing import Any

import numpy as np
import torch


def generator_states() -> dict[str, Any]:
    """Return the states of Python's and NumPy's global generators as plain data.

    ``torch.load`` reads plain data with ``weights_only=True``.
    """
    state: Any = np.random.get_state(legacy=False)
    key = torch.from_numpy(state["state"]["key"].astype(np.int64))
    plain = {"key": key, "pos": int(state["state"]["pos"]), "has_gauss": int(state["has_gauss"])}
    return {"python": random.getstate(), "numpy": {**plain, "gauss": float(state["gauss"])}}


def set_generator_states(states: dict[str, Any]) -> None:
    """Restore Python's and NumPy's global generators to ``states``, a result of ``generator_states``."""
    random.setstate(states["python"])
    saved = states["numpy"]
    key = saved["key"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", key, saved["pos"], saved["has_gauss"], saved["gauss"]))
