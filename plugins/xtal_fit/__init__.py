"""Least-squares refinement of structures against a powder pattern."""
