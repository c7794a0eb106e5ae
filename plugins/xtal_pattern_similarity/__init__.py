"""Similarity of powder patterns: residuals, cosine and L1 distance."""
