"""Facts about this machine (processors, memory, GPUs), and Linux system calls."""
