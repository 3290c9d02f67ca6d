"""Paired checks: compare side A with side B, which train in turn on the same machine. Both sides run the same steps."""
