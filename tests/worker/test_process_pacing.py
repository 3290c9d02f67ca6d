import pytest

from liecbench.launch.supervisor import MASTER_VARIABLE
from liecbench.worker.backend_variables import Backend
from liecbench.worker.process_pacing import choose_shaper


@pytest.mark.parametrize(
    ("backend", "share_gpus", "ranks_here", "counted"),
    [
        ("gloo", False, 1, True),
        ("gloo", False, 2, False),
        ("nccl", False, 1, False),
        ("nccl", True, 1, True),
        ("nccl", True, 2, False),
    ],
)
def test_an_interface_counts_if_one_rank_alone_certainly_uses_it(
    monkeypatch: pytest.MonkeyPatch, backend: str, share_gpus: bool, ranks_here: int, counted: bool
) -> None:
    environment = {
        MASTER_VARIABLE: "192.0.2.1",
        "LOCAL_WORLD_SIZE": str(ranks_here),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = Backend(name=backend, shaped=False, share_gpus=share_gpus)

    assert counted == (choose_shaper(None, found, paced=False).wire_bytes() is not None)
