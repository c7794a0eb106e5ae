"""Readers of powder patterns and crystal structures: the only places where their files are opened.

Everything a file leaves open is asked for and everything done to its contents is noted; see `read_pattern`.
"""

from xtal_core.readers.patterns import read_pattern
from xtal_core.readers.radiation import parse_radiation
from xtal_core.readers.structures import read_structure, read_structures

__all__ = ["parse_radiation", "read_pattern", "read_structure", "read_structures"]
