"""PXRDNet's networks, beyond those of CDVAE: torch only, no files."""
