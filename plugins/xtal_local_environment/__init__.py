"""Similarity of structures by the surroundings of their atoms."""
