"""Encodings that several compressors share."""
