import csv
import gzip
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from xtal_core.cli.app import main
from xtal_core.errors import InputError
from xtal_prototype.ingest import IngestReport, add_structures
from xtal_prototype.library import StructureLibrary


def add(library_file, *paths, jobs=1):
    report = IngestReport()
    with StructureLibrary.open_for_adding(library_file) as library:
        add_structures(library, paths, report, jobs)
        return report, library.counts().structures


def write_table(path, rows, columns=("material_id", "cif")):
    with (gzip.open if path.suffix == ".gz" else open)(path, "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def triclinic_salts(count):
    """Rows of different structures, so that a repeated one cannot hide a missing one."""
    for number in range(count):
        edge = 5 + 0.001 * number
        yield (
            f"salt-{number}",
            f"""data_salt
_cell_length_a {edge}
_cell_length_b 4.1
_cell_length_c 6.3
_cell_angle_alpha 97
_cell_angle_beta 101
_cell_angle_gamma 92
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na 0 0 0
Cl 0.5 0.5 0.5
""",
        )


def test_cif_files_folders_and_tables_are_read(tmp_path, rutile, perovskite, spinel):
    folder = tmp_path / "folder"
    (folder / "deeper").mkdir(parents=True)
    rutile.to(str(folder / "rutile.cif"))
    CifWriter(perovskite, symprec=0.01).write_file(folder / "deeper" / "perovskite.CIF")
    (folder / "spinel.cif.gz").write_bytes(gzip.compress(CifWriter(spinel, symprec=0.01).__str__().encode()))
    table = write_table(tmp_path / "table.csv.gz", triclinic_salts(2))
    report, total = add(tmp_path / "library.sqlite", folder, table)
    assert (report.added, report.refusals, total) == (5, [], 5)
    with StructureLibrary.open(tmp_path / "library.sqlite") as library:
        assert [t.source for t in library.templates("A1B1C3")] == ["library deeper/perovskite.CIF"]
        (template,) = library.templates("A1B2C4")
        assert template.label == "AB2C4_cF56_227_a_d_e"


def test_every_block_of_a_cif_file_is_a_structure(tmp_path, rutile, perovskite):
    text = (
        rutile.to(fmt="cif")
        + perovskite.to(fmt="cif").replace("data_", "data_second_")
        + "data_empty\n_cell_length_a 1\n"
    )
    (tmp_path / "both.cif").write_text(text)
    report, _ = add(tmp_path / "library.sqlite", tmp_path / "both.cif")
    assert (report.added, report.refusals) == (2, [])


def test_the_label_of_the_table_is_used(tmp_path, rutile):
    rows = [("a", rutile.to(fmt="cif"), "A2B_tP6_136_f_a"), ("b", rutile.to(fmt="cif"), "rutile")]
    table = write_table(tmp_path / "table.csv", rows, ("material_id", "cif", "protostructure"))
    report, _ = add(tmp_path / "library.sqlite", table)
    assert [refusal.source for refusal in report.refusals] == ["b"]
    assert "'rutile' is not a protostructure label" in report.refusals[0].reason
    with StructureLibrary.open(tmp_path / "library.sqlite") as library:
        assert library.templates("A1B2")[0].label == "AB2_tP6_136_a_f"


def test_what_cannot_be_a_template_is_listed_with_its_reason(tmp_path, rock_salt, perovskite):
    disordered = rock_salt.copy()
    disordered.replace_species({"Na": {"Na": 0.5, "K": 0.5}})
    vacancy = perovskite.to(fmt="cif").replace("O2  1  0.5000", "O2  1  0.5000")
    vacancy = re.sub(r"(  O  O\d+ .*?)1(\.0)?\s*$", r"\g<1>0.9", vacancy, flags=re.MULTILINE)
    overlapping = Structure(Lattice.cubic(4), ["Fe", "Fe"], [[0, 0, 0], [0, 0, 0.05]])
    rows = [
        ("disordered", disordered.to(fmt="cif")),
        ("vacancy", vacancy),
        ("overlapping", overlapping.to(fmt="cif")),
        ("text", "this is no CIF"),
        ("nothing", ""),
        ("dummy", rock_salt.to(fmt="cif").replace("Na", "Xx")),
        ("unknown", re.sub(r"(?m)^(  Cl  Cl\S+ +\d+ +)\S+", r"\1?", rock_salt.to(fmt="cif"))),
        ("flat", rock_salt.to(fmt="cif").replace("_cell_angle_gamma", "_cell_angle_delta")),
    ]
    report, total = add(tmp_path / "library.sqlite", write_table(tmp_path / "bad.csv", rows))
    reasons = {refusal.source: refusal.reason for refusal in report.refusals}
    assert total == 0
    assert set(reasons) == {name for name, _ in rows}
    assert "partial occupancy 0.5" in reasons["disordered"]
    assert "partial occupancy 0.9" in reasons["vacancy"]
    assert "0.20 Å apart" in reasons["overlapping"]
    assert "not a CIF text" in reasons["text"]
    assert "not a CIF text" in reasons["nothing"]
    assert "not an element" in reasons["dummy"]
    assert "unknown coordinates" in reasons["unknown"]
    assert "unit cell" in reasons["flat"]


def test_a_second_run_adds_only_what_is_new(tmp_path):
    table = write_table(tmp_path / "table.csv", [*triclinic_salts(3), ("junk", "junk")])
    add(tmp_path / "library.sqlite", table)
    write_table(table, [*triclinic_salts(5), ("junk", "junk")])
    report, total = add(tmp_path / "library.sqlite", table)
    assert (report.added, report.known, len(report.refusals), total) == (2, 4, 0, 5)


def test_a_changed_structure_of_the_same_name_is_a_new_one(tmp_path, rock_salt, rutile):
    table = write_table(tmp_path / "table.csv", [("mp-1", rock_salt.to(fmt="cif"))])
    add(tmp_path / "library.sqlite", table)
    write_table(table, [("mp-1", rutile.to(fmt="cif"))])
    report, total = add(tmp_path / "library.sqlite", table)
    assert (report.added, total) == (1, 2)


def test_several_processes_store_the_same_as_one(tmp_path):
    table = write_table(tmp_path / "table.csv", triclinic_salts(40))
    add(tmp_path / "one.sqlite", table, jobs=1)
    add(tmp_path / "two.sqlite", table, jobs=2)
    with StructureLibrary.open(tmp_path / "one.sqlite") as one, StructureLibrary.open(tmp_path / "two.sqlite") as two:
        first, second = one.templates("A1B1"), two.templates("A1B1")
    assert [t.source for t in first] == [t.source for t in second]
    assert [t.volume for t in first] == [t.volume for t in second]


def test_a_killed_run_keeps_finished_slices_and_can_be_repeated(tmp_path):
    table = write_table(tmp_path / "table.csv", triclinic_salts(2000))
    library_file = tmp_path / "library.sqlite"
    arguments = ["library", "add", str(table), "--library", str(library_file), "--jobs", "1"]
    program = f"from xtal_core.cli.app import main; main({arguments})"
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    kept = 0
    while not kept and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
        if library_file.exists():
            try:
                with StructureLibrary.open(library_file) as library:
                    kept = library.counts().structures
            except InputError:
                continue  # The run is about to write the tables.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert 0 < kept < 2000
    report, total = add(library_file, table)
    assert total == 2000
    assert report.known >= kept
    assert report.added + report.known == 2000


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.csv", None, "no such file or folder"),
        ("notes.txt", b"hello", "neither a CIF file nor a CSV table"),
        ("empty.csv", b"", "column 'cif' is missing"),
        ("columns.csv", b"material_id,structure\n1,2\n", "column 'cif' is missing"),
        ("cut.csv.gz", gzip.compress(b"material_id,cif\n" + b"a,b\n" * 9999, mtime=0)[:-40], "cannot be read"),
        ("binary.csv", b"material_id,cif\n\xff\xfe\x00,\xff\n", "cannot be read"),
    ],
)
def test_files_that_cannot_be_read_are_errors_that_name_them(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        add(tmp_path / "library.sqlite", tmp_path / name)
    assert name in str(caught.value)


def test_a_folder_without_cif_files_is_an_error(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="holds no CIF file"):
        add(tmp_path / "library.sqlite", tmp_path / "folder")


def test_the_commands_add_list_and_describe(tmp_path, capsys, rutile):
    table = write_table(tmp_path / "table.csv", [("mp-1", rutile.to(fmt="cif")), ("mp-2", "junk")])
    where = ["--library", str(tmp_path / "library.sqlite")]
    assert main(["library", "add", str(table), "--jobs", "1", *where]) == 0
    output = capsys.readouterr()
    assert "1 added, 0 known before, 1 not added; 1 structures in all" in output.out
    assert "not added: mp-2: not a CIF text" in output.err
    assert main(["library", "list", "--formula", "Ti2O4", *where]) == 0
    assert capsys.readouterr().out == "mp-1\tAB2_tP6_136_a_f\tspace group 136\tZ = 2\n"
    assert main(["library", "info", "--refused", *where]) == 0
    assert "structures    1\n" in (information := capsys.readouterr().out)
    assert "mp-2: not a CIF text" in information


def test_nothing_that_could_be_added_is_an_error_and_leaves_no_library(tmp_path, capsys):
    table = write_table(tmp_path / "table.csv", [("mp-1", "junk"), ("mp-2", "more junk")])
    assert main(["library", "add", str(table), "--jobs", "1", "--library", str(tmp_path / "new.sqlite")]) == 2
    *reasons, error = capsys.readouterr().err.splitlines()
    assert [reason.split(": ")[1] for reason in reasons] == ["mp-1", "mp-2"]
    assert "no structure could be added" in error
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_library_that_was_there_before_stays_whatever_is_refused(tmp_path, rutile):
    library = tmp_path / "library.sqlite"
    add(library, write_table(tmp_path / "good.csv", [("mp-1", rutile.to(fmt="cif"))]))
    bad = write_table(tmp_path / "bad.csv", [("mp-2", "junk")])
    assert main(["library", "add", str(bad), "--jobs", "1", "--library", str(library)]) == 2
    # What was refused is remembered, so that it is known, and no error, the next time.
    assert main(["library", "add", str(bad), "--jobs", "1", "--library", str(library)]) == 0
    with StructureLibrary.open(library) as opened:
        assert opened.counts().structures == 1


def test_commands_without_a_library_end_with_one_line(tmp_path, capsys):
    assert main(["library", "info", "--library", str(tmp_path / "none.sqlite")]) == 2
    error = capsys.readouterr().err
    assert "make one with xtal library add" in error
    assert error.count("\n") == 1
