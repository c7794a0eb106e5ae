"""Similarity of structures by pymatgen's StructureMatcher."""
