"""Where the search takes its templates from: the user's library, the embedded table, the AFLOW collection."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from xtal_prototype.aflow import aflow_templates
from xtal_prototype.library import StructureLibrary, library_path
from xtal_prototype.plugin import PrototypeOptions
from xtal_prototype.table import embedded_table
from xtal_prototype.template import Template, anonymous_key


class TemplateSources:
    """All sources that the options allow, as one; a context manager that closes the library.

    Raises InputError when a library was named that does not exist. The default library may be absent.
    """

    def __init__(self, options: PrototypeOptions) -> None:
        self.options = options
        self.library: StructureLibrary | None = None
        self._open = ExitStack()
        path = used_library(options)
        if path is not None:
            self.library = self._open.enter_context(StructureLibrary.open(path))

    def of_composition(self, amounts: dict[int, int], z: int | None) -> list[Template]:
        """Return templates with as many atoms of each of some elements as `amounts` of a formula unit.

        `z` is the number of formula units, primitive or conventional; None for any. Without `same_formula`
        structures of that very formula are left out, wherever they come from.
        """
        anonymous = anonymous_key(amounts.values())
        templates = [] if self.library is None else self.library.templates(anonymous, z)
        if self.options.table:
            templates += embedded_table().templates(anonymous, z)
        if self.options.aflow:
            templates += aflow_templates(anonymous, z)
        if self.options.same_formula:
            return templates
        return [template for template in templates if not template.is_of(amounts)]

    def of_size(self, n_atoms: int) -> list[Template]:
        """Return templates with `n_atoms` atoms in the primitive cell, whatever their composition."""
        templates = [] if self.library is None else self.library.templates_of_size(n_atoms)
        if self.options.table:
            templates += embedded_table().templates_of_size(n_atoms)
        return templates

    def __enter__(self) -> TemplateSources:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.close()


def used_library(options: PrototypeOptions) -> Path | None:
    """Return the library file that a search with `options` reads; None where there is none to read."""
    if not options.use_library:
        return None
    path = library_path(options.library)
    return path if options.library is not None or path.exists() else None
