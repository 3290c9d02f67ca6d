"""Diagnostics of this machine: does it offer the namespaces, shaped links, torch and GPUs that runs need?"""
