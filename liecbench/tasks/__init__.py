"""Datasets and models."""
