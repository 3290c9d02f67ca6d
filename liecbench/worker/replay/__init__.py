"""Replay: ranks sleep for recorded computing and compression, and send real messages over the real links.

A sleeping rank needs almost no processor, so this machine can replay many more ranks than it has cores. Time may be
dilated: everything then happens k times more slowly, and measured seconds are divided by k. This machine's overhead,
such as system calls, then distorts the results k times less.
"""
