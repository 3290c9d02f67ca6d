"""The variables of each rank, written out for every combination."""

from typing import Any

import pytest

from liecbench.launch.plans import RankSettings
from liecbench.worker.backend_variables import Backend

GLOO = {"GLOO_SOCKET_IFNAME": "eth0"}
FREE = {**GLOO, "NCCL_SOCKET_IFNAME": "=eth0"}
SOCKETS = {
    **FREE,
    "NCCL_NET": "Socket",
    "NCCL_P2P_DISABLE": "1",
    "NCCL_SHM_DISABLE": "1",
    "NCCL_IB_DISABLE": "1",
    "NCCL_NVLS_ENABLE": "0",
    "NCCL_HOSTID": "liecbench-rank-3",
}


@pytest.mark.parametrize(
    ("settings", "shaped", "variables", "sockets_only"),
    [
        ({"backend": "gloo", "share_gpus": False}, False, GLOO, True),
        ({"backend": "gloo", "share_gpus": False}, True, GLOO, True),
        ({"backend": "gloo", "share_gpus": True}, True, GLOO, True),
        ({"backend": "nccl", "share_gpus": False}, False, FREE, False),
        ({"backend": "nccl", "share_gpus": False}, True, SOCKETS, True),
        ({"backend": "nccl", "share_gpus": True}, False, SOCKETS, True),
        ({"backend": "nccl", "share_gpus": True}, True, SOCKETS, True),
    ],
)
def test_the_environment_of_a_rank(
    settings: dict[str, Any], shaped: bool, variables: dict[str, str], sockets_only: bool
) -> None:
    backend = Backend.of(RankSettings(**settings, device="cuda"), shaped=shaped)

    assert (variables, sockets_only) == (backend.variables("eth0", 3), backend.sockets_only)


def test_ranks_that_share_a_gpu_are_hosts_of_their_own() -> None:
    backend = Backend(name="nccl", shaped=False, share_gpus=True)
    hosts = {backend.variables("lo", rank)["NCCL_HOSTID"] for rank in range(100)}

    assert len(hosts) == 100


def test_the_record_describes_no_gloo() -> None:
    assert Backend(name="gloo", shaped=True, share_gpus=False).describe() == {}
