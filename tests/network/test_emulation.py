"""Real links, explored by tests/network/exploring_rank.py from behind them."""

import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from liecbench.network.hub import INTERFACE, refusal_reason
from liecbench.network.link_map import LinkMap
from tests.namespace_support import skip_without_namespaces
from tests.namespaces import interfaces, listening_inodes, network_namespace
from tests.network.exploring_rank import DIRECTIONS, FRAME_PER_PAYLOAD, LINKS, MESSAGE_BYTES, STREAM_BYTES
from tests.supervised import Supervised, supervise
from tests.waiting import TIMEOUT_SECONDS

USERS: Final = ("this user", "ordinary user")
# An ordinary user as far as namespaces go: of root's capabilities only the one that maps uid 0 into a user namespace.
WITHOUT_PRIVILEGES: Final = ["setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all"]


def _asked(name: str, direction: str) -> int:
    link = LinkMap.parse(LINKS[name]).of(0)
    return link.up_bits_per_second if direction == "up" else link.down_bits_per_second


@dataclass(frozen=True, slots=True)
class Machine:
    """The state of this test's own network namespace."""

    interfaces: set[str]
    namespace: str

    @classmethod
    def now(cls) -> "Machine":
        return cls(interfaces(), network_namespace())


@dataclass(frozen=True, slots=True)
class Seen:
    """The facts found behind the links, and on the machine meanwhile."""

    facts: dict[str, Any]
    before: Machine
    during: Machine
    after: Machine
    inodes_outside: set[int]
    status: int


def ordinary_user(user: str) -> list[str]:
    if user == "this user":
        return []
    if os.getuid() != 0:
        pytest.skip("this user is an ordinary one: 'this user' has tested that")
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not installed: it takes root's privileges away for this test")
    with supervise(["true"], num_links=1, prefix=WITHOUT_PRIVILEGES) as supervised:
        event = supervised.events.next()
        if supervised.status() != 0:
            pytest.skip(f"the kernel refuses user namespaces: {event or supervised.printed()}")
    return WITHOUT_PRIVILEGES


@pytest.fixture(scope="module")
def explorations() -> Iterator[dict[str, Future[Seen]]]:
    """Explore as each user at the same time: both mostly wait for slow links."""
    skip_without_namespaces()
    with ThreadPoolExecutor(len(USERS)) as threads:
        yield {user: threads.submit(explore, user) for user in USERS}


@pytest.fixture(scope="module", params=USERS)
def seen(request: pytest.FixtureRequest, explorations: dict[str, Future[Seen]]) -> Seen:
    return explorations[request.param].result()


def explore(user: str) -> Seen:
    prefix = ordinary_user(user)
    before = Machine.now()
    with supervise([sys.executable, "-m", "tests.network.exploring_rank"], num_links=2, prefix=prefix) as supervised:
        facts = supervised.next_event(4 * TIMEOUT_SECONDS)
        during, outside = Machine.now(), listening_inodes()
        held = supervised.tree.namespaces()
        status = _end(supervised)
        supervised.tree.assert_gone(held)
    facts["privileged"] = os.getuid() == 0 and not prefix
    return Seen(facts, before, during, Machine.now(), outside, status)


def _end(supervised: Supervised) -> int:
    supervised.go_on()
    return supervised.status()


def test_the_launch_succeeds(seen: Seen) -> None:
    assert seen.status == 0


def test_user_namespace_only_without_privileges(seen: Seen) -> None:
    outside = Path("/proc/self/uid_map").read_text().split()
    assert (seen.facts["uid_map"] == outside) == seen.facts["privileged"]


def test_a_worker_has_its_own_interface_and_nothing_else(seen: Seen) -> None:
    assert [worker["interfaces"] for worker in seen.facts["workers"]] == [[INTERFACE, "lo"]] * 2
    assert seen.facts["hub"]["interfaces"] == ["bridge", "hub", "hubport", "lo", "port0", "port1"]


def test_no_ipv6_on_the_links(seen: Seen) -> None:
    for place in (seen.facts["hub"], *seen.facts["workers"]):
        assert set(place["ipv6"]) <= {"lo"}


def test_tcp_is_the_same_on_every_machine(seen: Seen) -> None:
    for place in (seen.facts["hub"], *seen.facts["workers"]):
        assert place["tcp"] == {"congestion_control": "reno", "slow_start_after_idle": "0"}


def test_hub_and_workers_have_namespaces_of_their_own(seen: Seen) -> None:
    inside = {seen.facts["hub"]["namespace"], *(worker["namespace"] for worker in seen.facts["workers"])}
    assert len(inside) == 3
    assert seen.before.namespace not in inside


def test_the_machine_stays_as_it_is(seen: Seen) -> None:
    assert seen.before == seen.during == seen.after


def test_listeners_are_not_on_the_machine(seen: Seen) -> None:
    for place in (seen.facts["hub"], seen.facts["workers"][1]):
        assert place["sees_listener"]
        assert place["listener"] not in seen.inodes_outside


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("method", ["measured", "streamed"])
@pytest.mark.parametrize("name", LINKS)
def test_rate_is_as_asked(seen: Seen, name: str, method: str, direction: str) -> None:
    rate = seen.facts["rates"][name][method][direction]
    assert rate == pytest.approx(_asked(name, direction), rel=0.1)


@pytest.mark.parametrize("way", ["up", "down", "rank to rank"])
def test_messages_of_64_kb_are_held_to_the_rate(seen: Seen, way: str) -> None:
    wire_seconds = MESSAGE_BYTES * FRAME_PER_PAYLOAD * 8 / 20e6
    assert seen.facts["message_seconds"][way] == pytest.approx(wire_seconds, rel=0.1)


def test_wire_bytes_count_payload_and_headers(seen: Seen) -> None:
    up_sent, up_received = seen.facts["counted"]["up"]
    down_sent, down_received = seen.facts["counted"]["down"]
    for there, back in ((up_sent, up_received), (down_received, down_sent)):
        assert 1.03 * STREAM_BYTES < there < 1.08 * STREAM_BYTES
        assert 0 < back < 0.05 * STREAM_BYTES


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_unshape_removes_the_limits(seen: Seen, direction: str) -> None:
    assert seen.facts["unshaped"] > 500e6
    assert seen.facts["unshaped again"][direction] > 500e6


def test_refusal_reason_is_the_kernels() -> None:
    assert refusal_reason(PermissionError(1, "unshare")) == "Operation not permitted"
    assert refusal_reason(RuntimeError("no such thing")) == "no such thing"
