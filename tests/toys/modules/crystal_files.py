"""Folders of structure files, for tests of what reads many of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toys import caesium_chloride_type, rocksalt


def write_cifs(folder: Path, n: int = 6) -> Path:
    """Make a folder of CIFs of `n` crystals, CsCl types and rock salts in turn, of different sizes."""
    folder.mkdir()
    for i, edge in enumerate(np.linspace(4.0, 6.5, n)):
        structure = rocksalt(edge) if i % 2 else caesium_chloride_type(edge / 1.4)
        structure.to_file(str(folder / f"{i:02}.cif"))
    return folder
