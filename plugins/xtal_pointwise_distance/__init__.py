"""Similarity of structures by interatomic distances: PDD with the earth mover's distance, AMD with Chebyshev's."""
