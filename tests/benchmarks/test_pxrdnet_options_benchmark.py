"""The benchmark of PXRDNet's options: its variants, its page, and one material."""

import pytest

from pxrdnet_options import VARIANTS, Job, propose, result_page
from xtal_core.registry import installed_registry


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_has_options_that_its_generator_knows_and_that_are_not_the_defaults(variant):
    generator, options = VARIANTS[variant]
    registry = installed_registry()
    made, usual = registry.create("generator", generator, options), registry.create("generator", generator)
    assert (made.options == usual.options) == (variant in {"default", "cdvae-search"})


def test_the_page_has_a_row_for_each_variant():
    shares = {"match_first": 0.5, "match_ten": 0.75, "strict_ten": 0.25}
    row = {"r2wp_best_mean": 0.125, "r2wp_best_std": 0.0625, "r2wp_first_mean": 0.25, "done": 4} | shares
    record = {
        "materials": 4,
        "size": 10.0,
        "weights": {"name": "mine", "sha256": "0123456789abcdef"},
        "making": {"command": "command", "xtal": "1", "python": "3", "packages": {}, "sources": "abc", "seed": 0}
        | {"workers": 2},
        "rows": [
            {"variant": "default", "cpu_seconds": 6.04} | row,
            {"variant": "none done", "cpu_seconds": None} | row,
        ],
    }
    page = result_page(record)
    assert "# Options of pxrdnet at 10 Å" in page
    assert "| default | 0.125 ± 0.062 | 0.250 | 0.500 | 0.750 | 0.250 | 6.0 |" in page
    assert "| none done | 0.125 ± 0.062 | 0.250 | 0.500 | 0.750 | 0.250 |" in page


def test_a_material_is_proposed_for(tmp_path, salt_case):
    case = salt_case()
    options = {"candidates": 2, "proposals": 1, "again": 0.0, "symmetrise": False, "levels": 5}
    row = propose(Job(case, tmp_path, "pxrdnet", options, 0))
    assert 1 <= row["candidates"] <= 2
    assert len(list((tmp_path / case.name).glob("*.cif"))) == row["candidates"]
