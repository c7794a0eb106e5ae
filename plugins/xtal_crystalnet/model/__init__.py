"""CrystalNet's networks: torch, no files."""
