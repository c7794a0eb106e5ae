"""PXRDNet's benchmark: its page, its figures, and one material from pattern to row."""

import pytest

from case_runs import Case
from judgement import summarise
from pxrdnet import GENERATORS, REFINED, Job, propose_and_refine
from pxrdnet_page import NAMES, SIZES, result_page, write_figures
from toys import rocksalt
from xtal_core.candidate import Candidate
from xtal_core.interfaces import Generator
from xtal_core.registry import installed_registry


def row(name, system, r2wp):
    shares = dict.fromkeys(("match_first", "match_ten", "strict_first", "strict_ten"), r2wp < 0.1)
    return {"material_id": name, "crystal_system": system, "r2wp_best": r2wp, "r2wp_first": r2wp, **shares}


@pytest.fixture
def record():
    found = {"cdvae-search": (0.8, 0.6), "pxrdnet": (0.4, 0.2), "refined": (0.01, 0.09)}
    rows = {name: [row("mp-1", "cubic", a), row("mp-2", "triclinic", b)] for name, (a, b) in found.items()}
    results = {
        f"{size:g}": {
            name: {
                "all": summarise(judged),
                "type in train: yes": summarise(judged[:1]),
                "type in train: no": summarise(judged[1:]),
                "cubic": summarise(judged[:1]),
                "triclinic": summarise(judged[1:]),
            }
            for name, judged in rows.items()
        }
        for size in SIZES
    }
    took = {"seconds": 10.0, "cpu_seconds": 9.0}
    return {
        "materials": 2,
        "weights": {"name": "mine", "sha256": "0123456789abcdef"},
        "results": results,
        "timings": [{"size": size} | dict.fromkeys(NAMES, took) for size in SIZES],
        "failures": {"mp-2_10": "ValueError: no"},
        "making": {"command": "command", "xtal": "1", "python": "3", "packages": {}, "sources": "abc", "seed": 0}
        | {"workers": 2},
        "rows": [{"size": size, "method": name} | one for size in SIZES for name in rows for one in rows[name]],
    }


def test_the_page_puts_both_generators_beside_the_paper_and_says_which_aims_are_met(record):
    page = result_page(record)
    assert "| 10 | CDVAE-Search | 0.700 ± 0.100 | 0.647 ± 0.301 | 0.700 | 0.000 | 0.000 |" in page
    assert "| 10 | PXRDNet, refined | 0.050 ± 0.040 | 0.132 ± 0.166 | 0.050 | 1.000 | 1.000 |" in page
    assert "| 10 | R²wp before refinement at most 0.325 | 0.300 | met |" in page
    assert "| 10 | the same over CDVAE-Search's at most 0.55 | 0.429 | met |" in page
    assert "| 100 | R²wp after refinement at most 0.068 | 0.050 | met |" in page
    assert "| cubic | 1 | 0.800 | 0.400 | 0.185 | 0.010 | 0.800 | 0.400 | 0.224 | 0.010 |" in page
    assert "| tetragonal | 0 |  |  | 0.443 |  |" in page
    assert "10.0 s, 2 at a time; aim 30 s: met" in page
    assert "- mp-2_10: ValueError: no" in page


def test_the_figures_are_drawn(record, tmp_path):
    write_figures(tmp_path, record["rows"])
    assert all((tmp_path / f"pxrdnet-{name}.png").stat().st_size > 10_000 for name in ("distribution", "refinement"))


class _Guess(Generator):
    """Rock salt, a little too large."""

    def generate(self, problem, workbench):
        return [Candidate(rocksalt(5.66), "guess", "the answer")]


def test_a_material_is_proposed_and_refined(tmp_path, salt_case, monkeypatch):
    registry = installed_registry()
    create = type(registry).create
    monkeypatch.setattr(
        type(registry),
        "create",
        lambda self, kind, name, settings=None: _Guess() if kind == "generator" else create(self, kind, name, settings),
    )
    case: Case = salt_case()
    folders = {method: tmp_path / method for method in (*GENERATORS, REFINED)}
    row = propose_and_refine(Job(case, folders, "any", 0))
    assert [row[method]["candidates"] for method in GENERATORS] == [1, 1]
    assert row[REFINED]["candidates"] >= 1
    assert all((folder / "salt" / "01.cif").is_file() for folder in folders.values())
    assert row[REFINED]["seconds"] > 0
