"""Pair distribution functions: calculated, read, morphed and compared."""
