"""Orders: the messages that tell ranks, other machines and template processes what to do.

A template process has imported torch, and forks the supervisors of launches.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from liecbench.launch.plans import RankSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOrder(RankSettings):
    """An order from the first machine to another machine: launch your share of the ranks.

    Attributes:
        workers: The number of ranks on all machines together.
        threads: The number of OpenMP threads per rank.
    """

    type: ClassVar[str] = "node_order"
    workers: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRefused:
    """The first machine's answer to another machine that cannot take part in the run; ``reason`` says why."""

    type: ClassVar[str] = "node_refused"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCell:
    """An order to the ranks of one side of ``liecbench check``: build a cell, so that later orders can time steps.

    ``cell`` has the fields of the cell, as ``Cell.spec`` returns them.
    """

    # Not a ``Cell``, because the ranks may run another version of liecbench, in which some values do not exist.

    type: ClassVar[str] = "open"
    cell: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainBurst:
    """An order to ranks that have built a cell: train one untimed step, and then ``steps`` timed steps.

    ``first`` is the number of the untimed step in the cell's training. The timed steps have the next numbers.
    ``added_seconds`` maps a step kind to the seconds by which each step of the kind is artificially slowed down. Steps
    of one kind have equal message sizes.
    """

    type: ClassVar[str] = "burst"
    first: int
    steps: int
    added_seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseCell:
    """An order from ``liecbench check`` to ranks that have built a cell: free the cell's model and data."""

    type: ClassVar[str] = "close"


PairedOrder = OpenCell | TrainBurst | CloseCell


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """The settings of torchrun's agent, the process that starts the ranks of one machine.

    Attributes:
        module: The name of the Python module that each rank runs, as ``python -m`` would.
        plan: The path of the plan's file, which is the module's only argument.
        num_nodes: The number of machines.
        node_rank: The number of this machine, from 0.
        local_workers: The number of ranks to start on this machine.
        address: The address at which the ranks of all machines rendezvous.
        port: The port of the rendezvous.
    """

    module: str
    plan: str
    num_nodes: int
    node_rank: int
    local_workers: int
    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkLaunch:
    """An order to a template process, which has imported torch: fork the supervisor of a launch.

    Three file descriptors accompany the order: the write end of the pipe for events, the log, and the socket to which
    the template writes its answer ``LaunchEnded``.

    Attributes:
        agent: Settings of torchrun's agent.
        num_links: The number of shaped links; 0 if the launch has none.
        isolate: Whether the launch has namespaces of its own.
        imports: Modules that the template imports before it forks. They stay imported for later launches.
        directory: The working directory of the launch. Relative paths start there, and a user's modules may lie there.
    """

    type: ClassVar[str] = "fork_launch"
    agent: Agent
    num_links: int
    isolate: bool
    directory: str
    imports: tuple[str, ...] = ()
