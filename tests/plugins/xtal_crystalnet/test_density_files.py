"""Files with densities, by round trip, in a hand-made file as VASP writes it, and by pymatgen's readers."""

import gzip

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.common import VolumetricData
from pymatgen.io.vasp import Chgcar

from xtal_core.cells import CellBatch
from xtal_core.errors import InputError
from xtal_crystalnet.density_files import read_chgcar, write_chgcar, write_cube
from xtal_crystalnet.density_map import DensityMap, electron_density


@pytest.fixture(scope="module")
def crystal():
    """A triclinic crystal whose sites are not in groups of one element."""
    return Structure(
        Lattice.from_parameters(3.9, 5.1, 6.3, 71, 98, 115),
        ["Na+", "Ti", "O", "Ti"],
        [[0.05, 0.1, 0.9], [0.5, 0.45, 0.3], [0.2, 0.8, 0.6], [0.7, 0.9, 0.1]],
    )


@pytest.fixture(scope="module")
def density(crystal):
    """A map whose axes and rows have lengths that no other axis or line has."""
    return electron_density(CellBatch.from_structures([crystal]), 0, (22, 27, 31))


@pytest.mark.parametrize("name", ["CHGCAR", "CHGCAR_x.gz"])
def test_chgcar_round_trip(tmp_path, crystal, density, name):
    path = tmp_path / name
    write_chgcar(path, density, crystal)
    found, structure = read_chgcar(path)
    np.testing.assert_allclose(found.values, density.values, rtol=1e-9)
    np.testing.assert_allclose(found.lattice, density.lattice, atol=1e-9)
    np.testing.assert_allclose(structure.frac_coords, crystal.frac_coords, atol=1e-9)
    assert [site.specie.symbol for site in structure] == ["Na", "Ti", "O", "Ti"]
    assert path.read_bytes().startswith(b"\x1f\x8b") == name.endswith(".gz")


def test_chgcar_holds_density_times_volume(tmp_path, crystal, density):
    """Whose mean is the number of electrons."""
    write_chgcar(tmp_path / "CHGCAR", density, crystal)
    total = Chgcar.from_file(str(tmp_path / "CHGCAR")).data["total"]
    assert total.shape == (22, 27, 31)
    assert total.mean() == pytest.approx(11 + 22 + 8 + 22, rel=1e-3)


def test_chgcar_as_vasp_writes_it_is_read_with_the_first_axis_fastest(tmp_path):
    """With a scale, the occupancies of augmentation, and the magnetisation as second block."""
    numbers = [f"0.{n:011d}E+04" for n in range(1, 25)]
    block = "".join(" " + " ".join(numbers[i : i + 5]) + "\n" for i in range(0, 24, 5))
    augmentation = (
        "augmentation occupancies   1   7\n  0.1E+00  0.2E+00  0.3E+00 -0.4E+00  0.5E+00\n  0.6E+00  0.7E+00\n"
    )
    path = tmp_path / "CHGCAR"
    path.write_text(
        "silicon\n   2.00000000000000\n     1.0 0.0 0.0\n     0.0 1.5 0.0\n     0.0 0.0 2.0\n   Si\n     1\nDirect\n"
        f"  0.000000  0.500000  0.250000\n\n    2    3    4\n{block}{augmentation}"
        f"  0.1000000E+01\n    2    3    4\n{block.replace('E+04', 'E+01')}{augmentation}"
    )
    found, structure = read_chgcar(path)
    assert structure.formula == "Si1"
    np.testing.assert_allclose(found.lattice, np.diag([2.0, 3.0, 4.0]))
    expected = np.arange(1, 25).reshape(4, 3, 2).transpose(2, 1, 0) * 1e-11 * 1e4 / 24
    np.testing.assert_allclose(found.values, expected)


def test_pymatgen_reads_the_cube(tmp_path, crystal, density):
    path = tmp_path / "density.cube"
    write_cube(path, density, crystal)
    found = VolumetricData.from_cube(path)
    np.testing.assert_allclose(found.structure.lattice.matrix, density.lattice, atol=1e-4)
    np.testing.assert_allclose(found.structure.cart_coords, crystal.cart_coords, atol=1e-5)
    assert list(found.structure.atomic_numbers) == [11, 22, 8, 22]
    electrons_per_cubic_bohr = density.values * 0.529177**3
    np.testing.assert_allclose(found.data["total"], electrons_per_cubic_bohr, rtol=1e-5)


def test_numbers_in_a_cube_stay_apart_whatever_their_size(tmp_path):
    """A fixed width, which an exponent of three digits would not fit."""
    values = np.array([-1e-101, -1e-98, 1e30, -1e30, 0.0, -2.0, 3.0]).reshape(1, 1, 7)
    write_cube(tmp_path / "a.cube", DensityMap(values, np.eye(3)))
    found = VolumetricData.from_cube(tmp_path / "a.cube").data["total"].ravel() / 0.529177210544**3
    np.testing.assert_allclose(found, [0, -1e-98, 1e30, -1e30, 0, -2, 3], rtol=1e-5)


def test_cube_has_a_new_line_for_every_row_and_six_numbers_on_a_line(tmp_path, density, crystal):
    write_cube(tmp_path / "a.cube", density, crystal)
    lengths = [len(line.split()) for line in (tmp_path / "a.cube").read_text().splitlines()[6 + 4 :]]
    assert lengths == [6, 6, 6, 6, 6, 1] * (22 * 27)


def test_cube_without_a_structure_has_no_atoms(tmp_path, density):
    write_cube(tmp_path / "a.cube", density)
    found = VolumetricData.from_cube(tmp_path / "a.cube")
    assert len(found.structure) == 0
    assert found.data["total"].mean() == pytest.approx(density.values.mean() * 0.529177**3, rel=1e-5)


def test_shared_sites_are_refused_in_a_chgcar_and_are_their_most_frequent_species_in_a_cube(tmp_path):
    structure = Structure(Lattice.cubic(4), [{"Ni": 0.3, "Co": 0.6}], [[0, 0, 0]])
    density = DensityMap(np.ones((2, 2, 2)), structure.lattice.matrix)
    with pytest.raises(InputError, match=r"partly occupied.*cube"):
        write_chgcar(tmp_path / "CHGCAR", density, structure)
    write_cube(tmp_path / "a.cube", density, structure)
    assert (tmp_path / "a.cube").read_text().splitlines()[6].split()[0] == "27"


def test_chgcar_without_a_structure_is_refused(tmp_path, density):
    with pytest.raises(InputError, match=r"without the atoms; give a structure, or write a cube"):
        write_chgcar(tmp_path / "CHGCAR", density, None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("write", [write_chgcar, write_cube])
def test_densities_without_a_lattice_or_with_another_are_refused(tmp_path, density, crystal, write):
    with pytest.raises(InputError, match="without a lattice"):
        write(tmp_path / "CHGCAR", DensityMap(density.values), crystal)
    turned = DensityMap(density.values, density.lattice[[1, 2, 0]])
    with pytest.raises(InputError, match="not that of the structure"):
        write(tmp_path / "CHGCAR", turned, crystal)


@pytest.mark.parametrize("write", [write_chgcar, write_cube])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, density, crystal, write):
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "no folder" / "CHGCAR", density, crystal)
    (tmp_path / "CHGCAR").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "CHGCAR", density, crystal)
    assert [path.name for path in tmp_path.iterdir()] == ["CHGCAR"]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("CHGCAR", lambda content: b""),
        ("CHGCAR", lambda content: content[: len(content) // 2]),
        ("CHGCAR", lambda content: content[::-1]),
        ("CHGCAR.gz", lambda content: b""),
        ("CHGCAR.gz", lambda content: content[: len(content) // 2]),
        ("CHGCAR.gz", lambda content: content[:1000] + b"xyz" + content[1003:]),
        ("CHGCAR.gz", gzip.decompress),
    ],
)
def test_damaged_files_are_named(tmp_path, density, crystal, name, damage):
    path = tmp_path / name
    write_chgcar(path, density, crystal)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"CHGCAR.*: cannot be read as a CHGCAR"):
        read_chgcar(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_chgcar(tmp_path / "CHGCAR")


def test_the_same_density_is_the_same_compressed_file(tmp_path, density, crystal):
    contents = []
    for name in ("CHGCAR_a.gz", "CHGCAR_b.gz"):
        write_chgcar(tmp_path / name, density, crystal)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]
    assert gzip.decompress(contents[0]).decode().count("\n") > 22 * 27 * 31 / 5
