"""CrystalNet: electron density from a powder pattern, and atoms from the density."""
