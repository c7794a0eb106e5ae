"""What import-linter cannot see: that its contracts cover every plugin, and what loading a manifest costs."""

import json
import subprocess
import sys

HEAVY = {"torch", "torch_geometric", "pymatgen", "scipy", "ot", "matplotlib", "gemmi", "spglib"}

LOAD_EVERY_MANIFEST = """
import json, sys
from xtal_core.registry import installed_registry
registry = installed_registry()
print(json.dumps({
    "loaded": sorted({name.partition(".")[0] for name in sys.modules}),
    "own": sorted({o.entry_point for offers in registry.offers.values() for o in offers.values()
                   if o.distribution == "xtal-solve"}),
    "failures": [f.reason for f in registry.failures if f.distribution == "xtal-solve"],
}))
"""


def manifests_loaded_in_a_fresh_process():
    process = subprocess.run([sys.executable, "-c", LOAD_EVERY_MANIFEST], capture_output=True, text=True, check=True)
    return json.loads(process.stdout)


def contract(pyproject, name):
    return next(c for c in pyproject["tool"]["importlinter"]["contracts"] if c["name"] == name)


def test_every_plugin_folder_has_an_entry_point(pyproject, plugin_names):
    assert set(pyproject["project"]["entry-points"]["xtal"].values()) == {f"{name}.plugin" for name in plugin_names}


def test_import_contracts_cover_core_and_every_plugin(pyproject, plugin_names):
    assert set(pyproject["tool"]["importlinter"]["root_packages"]) == {"xtal_core", *plugin_names}


def test_core_is_forbidden_every_plugin_and_torch(pyproject, plugin_names):
    forbidden = contract(pyproject, "Core imports no plugin and no torch")
    assert forbidden["source_modules"] == ["xtal_core"]
    assert set(forbidden["forbidden_modules"]) == {"torch", "torch_geometric", *plugin_names}
    assert "ignore_imports" not in forbidden


def test_every_plugin_is_independent_of_the_others_but_for_pxrdnet_which_is_cdvae_and_more(pyproject, plugin_names):
    independent = contract(pyproject, "Plugins do not import each other")
    assert set(independent["modules"]) == plugin_names
    assert independent["ignore_imports"] == ["xtal_pxrdnet.** -> xtal_cdvae.**"]


def test_loading_every_manifest_imports_nothing_heavy():
    assert HEAVY & set(manifests_loaded_in_a_fresh_process()["loaded"]) == set()


def test_every_manifest_loads_and_offers_something(pyproject):
    found = manifests_loaded_in_a_fresh_process()
    assert found["failures"] == []
    assert set(found["own"]) == set(pyproject["project"]["entry-points"]["xtal"])
