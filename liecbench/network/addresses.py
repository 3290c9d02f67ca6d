"""IP addresses in the network that a launch builds for its ranks."""

from typing import Final

# The address of the bridge that joins the links of all ranks. Ranks behind shaped links rendezvous at this address.
HUB_ADDRESS: Final = "10.0.255.254"
