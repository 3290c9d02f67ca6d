"""Addresses inside a launch's own network."""

from typing import Final

# The bridge that joins the links of all ranks; the ranks of a shaped launch rendezvous at it.
HUB_ADDRESS: Final = "10.0.255.254"
