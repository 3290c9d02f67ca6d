"""Where a rank computes."""

import gc
import os

import torch
from torch import Tensor


def rank_device(kind: str) -> torch.device:
    """Of a ``kind``, ``cpu`` or ``cuda``, this rank's own; ranks beyond the machine's GPUs share them in turn."""
    if kind == "cpu":
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())


def random_states(device: torch.device) -> list[Tensor]:
    """What the generators stand at that a rank on ``device`` draws from."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def set_random_states(states: list[Tensor], device: torch.device) -> None:
    """The inverse of ``random_states``."""
    torch.set_rng_state(states[0])
    for state in states[1:]:
        torch.cuda.set_rng_state(state, device)


def release_memory(device: torch.device) -> None:
    """Give back what nothing refers to, on a GPU: it is counted as used, and other ranks may share it."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()


def gpu_uuids() -> list[str]:
    """Of the GPUs that this machine's ranks use."""
    used = range(min(int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()))
    return [str(torch.cuda.get_device_properties(index).uuid) for index in used]
