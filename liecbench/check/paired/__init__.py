"""Paired checks: side A against side B, measured in turn on the same machine."""
