"""The messages between the ``liecbench`` command and its ranks: plans, orders and events.

The command sends plans and orders to the ranks; the ranks send events to the command. ``launch.channel`` writes a
message as one line of JSON, under the name in ``type``, and validates every field when it reads the line.
"""

from liecbench.launch.events import Event, LaunchEnded
from liecbench.launch.orders import ForkLaunch, NodeOrder, NodeRefused, PairedOrder
from liecbench.launch.plans import Plan

Message = Plan | NodeOrder | NodeRefused | PairedOrder | ForkLaunch | LaunchEnded | Event
