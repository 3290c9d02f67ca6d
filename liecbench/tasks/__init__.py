"""What is trained: datasets and models."""
