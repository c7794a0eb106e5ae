from collections import Counter

import numpy as np
import pytest

from xtal_core.errors import StructureError
from xtal_prototype.atomic_volumes import element_volumes, expected_volume
from xtal_prototype.volume_fit import fit_volumes, read_compositions, volume_spread, write_volumes


@pytest.mark.parametrize(
    ("amounts", "measured"),
    [
        ({11: 4, 17: 4}, 179.4),
        ({22: 2, 8: 4}, 62.4),
        ({12: 8, 13: 16, 8: 32}, 528.1),
        ({29: 4}, 47.2),
        ({31: 4, 33: 4}, 180.7),
    ],
)
def test_measured_cell_volumes_are_met_within_a_fifth(amounts, measured):
    assert expected_volume(amounts) == pytest.approx(measured, rel=0.2)


def test_volumes_are_extensive():
    assert expected_volume({22: 10, 8: 20}) == pytest.approx(10 * expected_volume({22: 1, 8: 2}))


def test_sodium_is_smaller_in_its_chloride_than_in_its_alloys():
    table = element_volumes()
    assert table[11].slope < 0
    assert table[11].surroundings > table[11].electronegativity


def test_radii_grow_down_the_groups():
    table = element_volumes()
    for group in ([3, 11, 19, 37, 55], [9, 17, 35, 53], [4, 12, 20, 38, 56]):
        radii = [table[number].radius for number in group]
        assert radii == sorted(radii)


def test_an_unknown_element_is_an_error():
    with pytest.raises(StructureError, match="85"):
        expected_volume({85: 1, 11: 1})


def test_a_fit_recovers_the_law_that_made_the_volumes_in_spite_of_outliers():
    random = np.random.default_rng(0)
    true = {3: 15.0, 8: 11.0, 26: 12.0, 50: 27.0}
    contents = []
    for _ in range(400):
        chosen = random.choice(list(true), 2, replace=False).tolist()
        contents.append(Counter({number: int(random.integers(1, 6)) for number in chosen}))
    volumes = np.array([sum(true[z] * n for z, n in content.items()) for content in contents])
    volumes[::20] *= 2.5
    table = fit_volumes(contents, volumes)
    expected = np.array([expected_volume(content, table) for content in contents])
    assert volume_spread(expected, volumes).median < 2e-3
    assert table[8].n_structures == sum(8 in content for content in contents)


def test_a_fitted_table_is_written_as_it_is_read(tmp_path):
    import json

    write_volumes(tmp_path / "volumes.json", element_volumes())
    text = (tmp_path / "volumes.json").read_text()
    assert json.loads(text)["elements"]["8"][0] == element_volumes()[8].volume


def test_typical_error_on_structures_that_were_not_fitted(data_folder):
    contents, volumes, refusals = read_compositions([data_folder / "mp20" / "val.csv.gz"])
    spread = volume_spread(np.array([expected_volume(content) for content in contents]), volumes)
    assert refusals == []
    assert spread.median < 0.045
    assert spread.ninetieth < 0.15
    assert abs(spread.bias) < 0.02
