"""What runs under torchrun."""
