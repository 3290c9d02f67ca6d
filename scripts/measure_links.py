#!/usr/bin/env python
"""Measure emulated links against what was asked for, and print a table per question.

    .venv/bin/python scripts/measure_links.py [--quick] [TABLE]…

Tables:
    rates    rate and round trip of links with delays, as a launch measures them and as one TCP stream between two
             workers sees them
    loss     frames lost of those sent, beside the 95 % interval of the binomial distribution
    goodput  one TCP stream on a lossy link, beside the estimate of dry runs (Mathis' formula)
    cpu      CPU seconds of the delay line per Gbit that crosses it

All tables take about two minutes, ``--quick`` a few seconds with figures that mean little. Run it on an idle machine.
Small messages are measured by ``liecbench bench link`` (``after_idle``).
"""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scipy.stats import binom

from liecbench.host.linux import enter_network_namespace
from liecbench.launch.supervisor import NAMESPACES_VARIABLE, Orders
from liecbench.network.emulation import WorkerLink, round_trip_seconds
from liecbench.network.goodput import stream_bits_per_second
from liecbench.network.link_map import LinkMap

SEGMENT_BYTES, FRAME_BYTES = 1448, 1514
# A stream is counted after its window has grown to the round trip's bytes: TCP doubles it per round trip.
WARM_UP_TRIPS, COUNTED_SECONDS = 14, 2.0


class Workers:
    """Two workers in one process: a socket stays in the namespace in which it was opened."""

    def __init__(self) -> None:
        hub = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.links, listeners, self.datagrams = [], [], []
        for rank, namespace in enumerate(os.environ[NAMESPACES_VARIABLE].split(",")):
            enter_network_namespace(hub)
            self.links.append(WorkerLink(rank, namespace))
            listeners.append(socket.create_server(("0.0.0.0", 5000)))  # noqa: S104 - in a namespace of its own
            self.datagrams.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._listener = listeners[0]
        for own in (0, 1):
            self.datagrams[own].bind((f"10.0.0.{own + 1}", 5001))
            self.datagrams[own].settimeout(1.0)
        for own, peer in ((0, 1), (1, 0)):
            self.datagrams[own].connect((f"10.0.0.{peer + 1}", 5001))

    @contextmanager
    def shaped(self, links: LinkMap) -> Iterator[None]:
        """Limit both workers' links for the body of the ``with`` statement."""
        for rank, link in enumerate(self.links):
            link.choose(links, len(self.links), "auto")
            link.shape(links.of(rank))
        yield
        for link in self.links:
            link.unshape()

    def connect(self) -> tuple[socket.socket, socket.socket]:
        """Return the ends of a new connection from worker 1 to worker 0."""
        near = socket.create_connection(("10.0.0.1", 5000))
        far, _ = self._listener.accept()
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return near, far

    def round_trip(self) -> float:
        """Return the seconds of a byte's way from worker 1 to worker 0 and back."""
        near, far = self.connect()
        with near, far:
            return round_trip_seconds(near, far)

    def stream(self, warm_up: float, counted: float) -> float:
        """Return the payload bytes per second of a TCP stream from worker 1 to worker 0, after ``warm_up`` seconds."""
        near, far = self.connect()
        stop = threading.Event()

        def send() -> None:
            chunk = bytes(2**18)
            while not stop.is_set():
                near.sendall(chunk)
            near.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        buffer, received, started = bytearray(2**18), 0, time.perf_counter()
        counted_from = counted_bytes = 0.0
        with near, far:
            while num_bytes := far.recv_into(buffer):
                received += num_bytes
                now = time.perf_counter()
                if not counted_from and now - started >= warm_up:
                    counted_from, counted_bytes = now, received
                elif counted_from and now - counted_from >= counted and not stop.is_set():
                    rate = (received - counted_bytes) / (now - counted_from)
                    stop.set()
            sender.join()
        return rate


def rates(workers: Workers, quick: bool) -> None:
    """Print asked and measured rates and round trips."""
    print("asked                 launch's measurement              between two workers")
    print("rate      delay       up Mbit/s  down Mbit/s  RTT ms    RTT ms (asked)    stream Mbit/s of frames")
    delays, speeds = (
        (["5ms"], ["100mbit"]) if quick else (["1ms", "5ms", "20ms", "50ms"], ["10mbit", "100mbit", "1gbit"])
    )
    for delay in delays:
        for rate in speeds:
            links = LinkMap.parse({"rate": rate, "delay": delay})
            # Worker 1's link, because the process is in that worker's namespace now.
            workers.links[1].choose(links, 2, "auto")
            measured = workers.links[1].measure(links.of(1))
            asked = 4 * links.of(0).delay_seconds
            with workers.shaped(links):
                trip = workers.round_trip()
                stream = workers.stream(
                    0.5 if quick else 0.5 + WARM_UP_TRIPS * asked, 0.5 if quick else COUNTED_SECONDS
                )
            print(
                f"{rate:9} {delay:9} {measured.up_bits_per_second / 1e6:11.1f}"
                f"{measured.down_bits_per_second / 1e6:13.1f}{1e3 * measured.round_trip_seconds:8.2f}"
                f"{1e3 * trip:10.2f} ({1e3 * asked:.0f}){8e-6 * stream * FRAME_BYTES / SEGMENT_BYTES:20.1f}",
                flush=True,
            )


def loss(workers: Workers, quick: bool) -> None:
    """Print the frames that links of 1 % loss lost, one after the other."""
    sent = 500 if quick else 10_000
    low, high = (int(binom.ppf(quantile, sent, 0.01)) for quantile in (0.025, 0.975))
    for sender in (0, 1):
        links = LinkMap.parse({"rate": "20mbit", "loss": "1%", "workers": {str(1 - sender): {"loss": "0%"}}})
        with workers.shaped(links):
            before = workers.links[0].tally()
            arrived = _send_datagrams(workers.datagrams[sender], workers.datagrams[1 - sender], sent)
            counted = workers.links[0].tally().since(before)
        print(f"loss of 1 %: {sent - arrived} of {sent:,} frames lost, 95 % interval {low} to {high};", end=" ")
        print(f"{counted.lost_sent_segments[sender]} lost on purpose, {counted.dropped_frames} dropped")


def _send_datagrams(sender: socket.socket, receiver: socket.socket, number: int) -> int:
    """Send so many datagrams, and return how many arrive."""

    def send() -> None:
        for _ in range(number):
            sender.send(bytes(1000))

    thread, arrived = threading.Thread(target=send), 0
    thread.start()
    with contextlib.suppress(TimeoutError):
        while receiver.recv(1000):
            arrived += 1
    thread.join()
    return arrived


def goodput(workers: Workers, quick: bool) -> None:
    """Print the goodput of one stream on lossy links."""
    print("one stream at 100mbit   loss    RTT ms   goodput Mbit/s   Mathis Mbit/s")
    for delay in ["5ms"] if quick else ["5ms", "20ms"]:
        for percent in [1.0] if quick else [1.0, 0.1]:
            lossless = {"loss": "0%"}
            links = LinkMap.parse(
                {"rate": "100mbit", "delay": delay, "loss": f"{percent}%", "workers": {"0": lossless}}
            )
            with workers.shaped(links):
                trip = workers.round_trip()
                rate = workers.stream(0.5 if quick else 5.0, 0.5 if quick else 15.0)
            mathis = 1e-6 * stream_bits_per_second(links.of(1), links.of(0)) * SEGMENT_BYTES / FRAME_BYTES
            print(f"delay {delay:17} {percent:4}%{1e3 * trip:10.1f}{8e-6 * rate:17.2f}{mathis:16.2f}", flush=True)


def cpu(workers: Workers, quick: bool) -> None:
    """Print the CPU seconds of the delay line per Gbit."""
    for rate in ["100mbit"] if quick else ["20mbit", "100mbit", "1gbit"]:
        with workers.shaped(LinkMap.parse(rate)):
            link = workers.links[1]
            before, bytes_before = link.tally(), link.wire_bytes()[0]
            workers.stream(0.1, 0.5 if quick else 4.0)
            used, num_bytes = link.tally().since(before).cpu_seconds, link.wire_bytes()[0] - bytes_before
        gbit = 8e-9 * num_bytes
        print(f"delay line at {rate}: {used:.2f} CPU seconds for {gbit:.3f} Gbit, {used / gbit:.2f} per Gbit")


TABLES: dict[str, Callable[[Workers, bool], None]] = {"rates": rates, "loss": loss, "goodput": goodput, "cpu": cpu}


def main() -> None:
    """Start a supervisor with two links, and this script behind them; behind them, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="rates, loss, goodput, cpu; by default all")
    parser.add_argument("--quick", action="store_true", help="a few seconds, with figures that mean little")
    arguments = parser.parse_args()
    if unknown := set(arguments.tables) - set(TABLES):
        parser.error(f"no table is called {min(unknown)}; write {', '.join(TABLES)}")
    if NAMESPACES_VARIABLE in os.environ:
        workers = Workers()
        for name in arguments.tables or TABLES:
            TABLES[name](workers, arguments.quick)
            print(flush=True)
        return
    reading, writing = os.pipe()
    command = [sys.executable, str(Path(__file__).resolve()), *sys.argv[1:]]
    orders = Orders(parent=os.getpid(), events=writing, num_links=2, command=command)
    status = subprocess.run(orders.arguments(), pass_fds=(writing,), check=False).returncode
    os.close(writing)
    refused = os.read(reading, 2**12).decode()
    sys.exit(refused or status)


if __name__ == "__main__":
    main()
