"""Replay: ranks sleep for recorded computing and compression, and send real messages over the real links.

A sleeping rank needs almost no processor. So many more ranks than this machine has cores behave as if each had a device
of its own. Time may be dilated: everything then happens k times more slowly, and measured seconds are divided by k.
Overhead of this machine, such as system calls, then becomes k times smaller relative to the emulated times.
"""
