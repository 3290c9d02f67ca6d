"""Facts about this machine: system calls, processors, GPUs."""
