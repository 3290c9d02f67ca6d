"""Profiles: what one device needs to compute a training step of one model and to compress its gradients, alone."""
