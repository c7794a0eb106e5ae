"""Says how alike two structures are by every installed metric, and many structures at once by one of them.

python examples/compare_two_structures.py
"""

from __future__ import annotations

from pymatgen.core import Lattice, Structure

from xtal_core.comparison import compare_structures
from xtal_core.registry import installed_registry


def rutile(a: float, c: float, metal: str = "Ti", x: float = 0.305) -> Structure:
    """Return a dioxide of rutile type, cell edges in Å."""
    return Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(a, c), [metal, "O"], [[0, 0, 0], [x, x, 0]])


def main() -> None:
    registry = installed_registry()

    # The same crystal, measured a little differently and described by another cell.
    first, second = rutile(4.594, 2.959), rutile(4.60, 2.96, x=0.307)
    second.make_supercell([[1, 1, 0], [0, 1, 0], [0, 0, 2]])
    for result in compare_structures(first, second, [], registry):
        value = "no match" if result.value is None else f"{result.value:.4f} {result.unit}".rstrip()
        print(f"{result.metric:20} {value:12} {'same structure' if result.same else 'different'}")

    # Metrics work on batches: features are computed once a structure, then every pair is compared.
    structures = [first, rutile(4.737, 3.186, "Sn", 0.306), rutile(4.492, 3.106, "Ru", 0.306)]
    metric = registry.create("metric", "amd")
    features = metric.featurise(structures)
    print(f"\n{metric.name} in {metric.unit} between {', '.join(s.composition.reduced_formula for s in structures)}:")
    print(metric.compare(features, features).round(3))


if __name__ == "__main__":
    main()
