"""Framework of `xtal`: types, interfaces, registry, pipeline and command line.

Importing this package costs nothing: torch, pymatgen and every plugin are loaded on first use.
"""

__version__ = "0.1.0"
