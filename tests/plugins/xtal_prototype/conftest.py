import os
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure


@pytest.fixture(scope="session")
def rock_salt():
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture(scope="session")
def perovskite():
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    return Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.905), ["Sr", "Ti", "O"], sites)


@pytest.fixture(scope="session")
def rutile():
    lattice = Lattice.tetragonal(4.594, 2.959)
    return Structure.from_spacegroup("P4_2/mnm", lattice, ["Ti", "O"], [[0, 0, 0], [0.3053, 0.3053, 0]])


@pytest.fixture(scope="session")
def spinel():
    sites = [[0.125, 0.125, 0.125], [0.5, 0.5, 0.5], [0.2624, 0.2624, 0.2624]]
    return Structure.from_spacegroup("Fd-3m:2", Lattice.cubic(8.083), ["Mg", "Al", "O"], sites)


@pytest.fixture(scope="session")
def corundum():
    lattice = Lattice.hexagonal(4.759, 12.991)
    return Structure.from_spacegroup("R-3c:H", lattice, ["Al", "O"], [[0, 0, 0.3523], [0.3064, 0, 0.25]])


@pytest.fixture(scope="session")
def data_folder():
    folder = Path(os.environ.get("XTAL_DATA", Path(__file__).parents[4] / "shared" / "data"))
    if not (folder / "mp20" / "train.csv.gz").is_file():
        pytest.skip(f"needs mp20/train.csv.gz in {folder}; set XTAL_DATA to the folder with the data sets")
    return folder
