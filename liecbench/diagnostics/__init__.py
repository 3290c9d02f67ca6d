"""Diagnostics of this machine: namespaces, shaped links, torch, GPUs."""
