"""Bad input of every kind, through the real command line: one line that names what to do, exit code 2, nothing left."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SCAN = [f"{10 + 2.5 * i:.1f} {100 + 7 * i * i % 90}" for i in range(20)]
XY = "\n".join(SCAN)


def scan(*changes: tuple[int, str]) -> str:
    """Return the lines of a good scan with some replaced, counted from 1."""
    lines = list(SCAN)
    for number, text in changes:
        lines[number - 1] = text
    return "\n".join(lines)


def powder_cif(items: str, values: str = "_pd_meas_2theta_scan _pd_meas_counts_total") -> str:
    """Return a powder CIF of a good scan."""
    return f"data_scan\n{items}\nloop_\n{values}\n{XY}\n"


def cif(*atoms: str, cell: float = 5.64, symmetry: str = "F m -3 m") -> str:
    """Return a cubic structure as CIF; an atom is "label symbol x y z occupancy"."""
    lengths = [f"_cell_length_{name} {cell}" for name in "abc"]
    angles = [f"_cell_angle_{name} 90" for name in ("alpha", "beta", "gamma")]
    items = ["label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy"]
    loop = ["loop_", *(f"_atom_site_{item}" for item in items), *atoms]
    return "\n".join(["data_sample", *lengths, *angles, f"_symmetry_space_group_name_H-M '{symmetry}'", *loop, ""])


SALT = cif("Na1 Na 0 0 0 1", "Cl1 Cl 0.5 0.5 0.5 1")
POSCAR_WITHOUT_NAMES = "cell\n1.0\n3 0 0\n0 3 0\n0 0 3\n1\ndirect\n0 0 0\n"


@dataclass(frozen=True)
class Case:
    """A call of `xtal`, the files it finds, what its message must say, and what must not exist afterwards."""

    arguments: str
    says: str
    files: dict[str, str | bytes] = field(default_factory=dict)
    leaves_no: str = "out"


def solve(says: str, options: str = "", pattern: str | bytes = XY, name: str = "a.xy", formula: str = "NaCl") -> Case:
    """Return a case of `xtal solve` on a pattern."""
    wavelength = "" if "--wavelength" in options or name.endswith(".cif") else "--wavelength CuKa"
    return Case(f"solve {name} --formula {formula} {wavelength} --out out {options}", says, {name: pattern})


def refine(says: str, options: str = "", pattern: str = XY, text: str = SALT, refiner: str = "none") -> Case:
    """Return a case of `xtal refine` on a pattern and a structure."""
    command = f"refine a.xy a.cif --wavelength CuKa --refiner {refiner} --out out {options}"
    return Case(command, says, {"a.xy": pattern, "a.cif": text, "b.xy": XY, "short.xy": "\n".join(SCAN[5:])})


def rerun(says: str, text: str) -> Case:
    """Return a case of `xtal rerun` on a run file."""
    return Case("rerun run.toml --out out", says, {"run.toml": text, "a.xy": XY})


def run_toml(command: str = "solve", arguments: str = '["a.xy"]', options: str = "", files: str = "files = []") -> str:
    """Return a run file; `files` stands before the tables."""
    return f'command = "{command}"\nxtal = "0"\narguments = {arguments}\n{files}\n[options]\n{options}\n[plugins]\n'


def structure(says: str, text: str | bytes, name: str = "bad.cif") -> Case:
    """Return a case of `xtal compare` with a bad structure."""
    return Case(f"compare good.cif {name}", says, {"good.cif": SALT, name: text})


def simulate(says: str, options: str = "", text: str = SALT) -> Case:
    """Return a case of `xtal simulate`."""
    wavelength = "" if "--wavelength" in options else "--wavelength CuKa"
    return Case(f"simulate a.cif {wavelength} --out out {options}", says, {"a.cif": text})


def library(says: str, paths: str, files: dict[str, str | bytes] | None = None) -> Case:
    """Return a case of `xtal library add` to a new library."""
    return Case(f"library add {paths} --jobs 1 --library out", says, files or {})


def study(says: str, arguments: str, files: dict[str, str | bytes] | None = None) -> Case:
    """Return a case of `xtal study` that leaves no folder."""
    return Case(f"study {arguments} --metric pdd --jobs 1 --out out", says, files or {})


GR = "#### start data\n#L r G\n" + "\n".join(f"{0.1 * i:.1f} {i % 7}" for i in range(1, 60))

CASES = {
    # patterns: the file
    "missing pattern": Case("solve no.xy --formula NaCl --wavelength CuKa --out out", "give a powder pattern"),
    "folder for a pattern": Case(
        "solve . --formula NaCl --wavelength CuKa --out out", "is a folder; give a powder pattern"
    ),
    "empty pattern": solve("is empty; give a powder pattern", pattern=""),
    "binary pattern": solve("export it as text", pattern=b"RAW1.01\0\0\x01", name="a.raw"),
    "XML pattern": solve("export it as .xy", pattern="<?xml version='1.0'?><xrdMeasurements/>", name="a.xrdml"),
    "text for a pattern": solve("give lines of 2θ or Q", pattern="Dear diary,\ntoday we measured.\n"),
    "one column": solve("give lines of 2θ or Q", pattern="\n".join(str(i) for i in range(20))),
    "four columns without names": solve("name them in a header line", pattern="\n".join(f"{r} 1 2" for r in SCAN)),
    "two intensity columns": solve(
        "keep one intensity column", pattern="2theta I_obs counts\n" + "\n".join(f"{r} 1" for r in SCAN)
    ),
    # patterns: lines
    "unreadable line": solve(
        "line 7: '25.0 abc' is not a line of numbers in columns; remove or correct it", pattern=scan((7, "25.0 abc"))
    ),
    "unreadable first line": solve("line 1: '10.0 ***' is not a line of numbers", pattern=scan((1, "10.0 ***"))),
    "intensity that is not finite": solve(
        "line 3: a value is not finite; remove the point", pattern=scan((3, "15.0 nan"))
    ),
    "thousands separators in quotation marks": solve(
        'line 2: \'"15.000","6,021.5"\' is not a line of numbers',
        pattern='"2theta","I"\n"15.000","6,021.5"\n"15.020","450.0"\n"15.040","451.0"\n"15.060","452.0"\n',
        name="a.csv",
    ),
    "a thousands separator further down": solve(
        'line 14: \'"25.000","6,021.5"\' is not a line of numbers',
        pattern="\n".join([f'"{15 + i / 10:.3f}","{450 + i}.0"' for i in range(13)] + ['"25.000","6,021.5"', ""]),
        name="a.csv",
    ),
    "thousands separators between commas": solve(
        "line 2: the header names 2 columns, the lines have 3; name them all",
        pattern="2theta,I\n15.00,6,021\n15.02,7,450\n15.04,8,451\n15.06,7,452\n",
        name="a.csv",
    ),
    "missing field": solve("line 5: 1 column(s), the lines before have 2; give as many", pattern=scan((5, "20.0"))),
    "additional field": solve("line 5: 3 column(s)", pattern=scan((5, "20.0 5 6"))),
    "mixed decimal signs": solve("decimal point", pattern=scan((4, "17,5\t100")), name="a.txt"),
    "truncated chi": solve(
        "line 4: the header announces 512 points, 20 follow; get the whole file",
        pattern=f"t\n2-Theta Angle (Degrees)\nIntensity\n512\n{XY}",
        name="a.chi",
    ),
    # patterns: values
    "too few points": solve("at least 10 points", pattern="\n".join(SCAN[:9])),
    "negative angle": solve("line 1: 2θ is -10°; remove points", pattern=scan((1, "-10 5"))),
    "angle beyond 180": solve("line 20: 2θ is 180°; 2θ must be below 180°; give degrees", pattern=scan((20, "180 5"))),
    "neutron pattern": solve("give an X-ray pattern", pattern=f"# neutron powder data\n{XY}"),
    "constant intensity": solve(
        "check which column is the intensity", pattern="\n".join(f"{r.split()[0]} 3" for r in SCAN)
    ),
    "no positive intensity": solve("check which column", pattern="\n".join(r.replace(" ", " -") for r in SCAN)),
    "uncertainty of zero": solve(
        "line 1: the standard uncertainty is 0; give a positive one",
        pattern="\n".join(f"{r} {min(i, 1)}" for i, r in enumerate(SCAN)),
        name="a.xye",
    ),
    # patterns: axis and wavelength
    "axis that may be either": solve(
        "--axis two-theta or --axis q", pattern="\n".join(f"{0.1 + i / 10} {i}" for i in range(40))
    ),
    "unknown axis": solve("'auto', 'two-theta', 'q'", "--axis theta"),
    "θ as the axis": solve("convert it to 2θ", pattern=f"theta intensity\n{XY}"),
    "Q beyond backscattering": solve("line 1: Q is 10 Å⁻¹; Q ends at 4π/λ", "--axis q"),
    "no wavelength": Case("solve a.xy --formula NaCl --out out", "give --wavelength, e.g. CuKa", {"a.xy": XY}),
    "contradictory wavelengths": Case(
        "solve a.xy --formula NaCl --out out",
        "several wavelengths (CuKa (1.54059 Å), 0.7107 Å); give --wavelength",
        {"a.xy": f"# Cu Ka, wavelength 0.7107\n{XY}"},
    ),
    "unknown radiation": solve("did you mean 'CuKa'?", "--wavelength CuKq"),
    "energy for a wavelength": solve("if it is an energy in keV, write 8.05keV", "--wavelength 8.05"),
    "nanometres for a wavelength": solve("if it is in nm, write 0.0709nm", "--wavelength 0.0709"),
    "negative wavelength": solve("give a wavelength from 0.1 to 5 Å", "--wavelength=-1.54"),
    "decimal comma in the wavelength": solve("decimal point", "--wavelength 1,5406"),
    # powder CIF
    "CIF without a pattern": solve("holds no powder profile; give a powder CIF", pattern=SALT, name="a.cif"),
    "CIF with two patterns": solve(
        "keep one of these data blocks",
        name="a.cif",
        pattern=powder_cif("") + powder_cif("").replace("data_scan", "data_other"),
    ),
    "broken CIF": solve("is not a valid CIF", pattern="data_a\n_pd_block_id 'open", name="a.cif"),
    "CIF without an axis": solve(
        "add _pd_meas_2theta_range_min", name="a.cif", pattern=powder_cif("", "_pd_data_point_id _pd_meas_counts_total")
    ),
    "CIF range that does not fit": solve(
        "gives 81 points",
        name="a.cif",
        pattern=powder_cif(
            "_pd_meas_2theta_range_min 10\n_pd_meas_2theta_range_max 90\n_pd_meas_2theta_range_inc 1",
            "_pd_meas_point_id _pd_meas_counts_total",
        ),
    ),
    "CIF without a wavelength": solve("give --wavelength, e.g. CuKa", pattern=powder_cif(""), name="a.cif"),
    "neutron CIF": solve("give an X-ray pattern", pattern=powder_cif("_diffrn_radiation_probe neutron"), name="a.cif"),
    # preparation of the pattern
    "region that is none": solve("give two angles 2θ in degrees, like 20.1:22.4", "--exclude 20-22"),
    "region in the wrong order": solve("give two angles 2θ in degrees", "--exclude 22:20"),
    "region beyond the pattern": solve(
        "exclude regions of the pattern, which covers 10.00° to 57.50°", "--exclude 70:80"
    ),
    "everything excluded": solve("fewer than 10 points are left to fit; exclude less", "--exclude 5:60"),
    "missing blank": solve("give a powder pattern", "--blank no.xy"),
    "blank as smooth as the background": solve("leave out --blank", "--blank a.xy --background-terms 36"),
    "blank that ends too early": refine("give a blank over the whole range", "--blank short.xy"),
    "negative number of background terms": solve("give a number from 0 to 36", "--background-terms=-1"),
    "too many background terms": solve("give a number from 0 to 36", "--background-terms 99"),
    "more background terms than points allow": solve("fewer --background-terms", "--background-terms 15"),
    "robust refinement without refinement": refine("leave out one", "--robust"),
    # refinement of a given structure
    "no structure to refine": Case("refine a.xy --wavelength CuKa --out out", "xtal refine --help", {"a.xy": XY}),
    "missing structure to refine": Case(
        "refine a.xy no.cif --wavelength CuKa --out out", "give a crystal structure", {"a.xy": XY}
    ),
    "pattern and structure exchanged": Case(
        "refine a.cif a.xy --wavelength CuKa --out out", "give a crystal structure as CIF", {"a.cif": SALT, "a.xy": XY}
    ),
    "overlapping atoms to refine": refine(
        "remove one of them", text=cif("Na1 Na 0 0 0 1", "Cl1 Cl 0 0 0.02 1", symmetry="P 1")
    ),
    "element without scattering factors to refine": refine("Lr", text=SALT.replace("Na1 Na", "Lr1 Lr")),
    "unknown refiner to refine with": refine("did you mean 'fit'?", refiner="fitt"),
    "--set of a plugin that takes no part in refinement": refine("takes no part", "--set prototype.table=no"),
    "negative size to refine": refine("give a positive size in Å", "--size=-5"),
    # run files
    "missing run file": Case("rerun no.toml --out out", "give the run.toml of a report"),
    "run file that is no TOML": rerun("is not valid TOML", "command: solve"),
    "run file without a command": rerun("has no command", "a = 1"),
    "run file of a command that cannot be repeated": rerun("'compare' is not a command", run_toml("compare")),
    "run file whose input is gone": rerun(
        "correct its path in the run file", run_toml(files='files = [{path = "gone.xy", sha256 = "00"}]')
    ),
    "run file whose input has changed": rerun(
        "is no longer the file that the run read", run_toml(files='files = [{path = "a.xy", sha256 = "00"}]')
    ),
    "run file with an unknown option": rerun("No such option: --formulas", run_toml(options='formulas = "NaCl"')),
    "run file with an option of the wrong type": rerun("--z", run_toml(options='formula = "NaCl"\nz = "four"')),
    "run file without a table of options": rerun("has no options", 'command = "solve"\nxtal = "0"\narguments = []'),
    # what is known of the sample
    "no formula": Case("solve a.xy --wavelength CuKa --out out", "--formula", {"a.xy": XY}),
    "empty formula": Case("solve a.xy --wavelength CuKa --out out --formula=", "write it like TiO2", {"a.xy": XY}),
    "unknown element": solve("write it like TiO2", formula="NaXy"),
    "fractional formula": solve("with whole numbers", formula="Fe0.95O"),
    "words for a formula": solve("write it like TiO2", formula="salt"),
    "amount of zero": solve("write it like TiO2", formula="Na0"),
    "z of zero": solve("number of formula units in the cell, at least 1", "--z 0"),
    "z in words": solve("--z", "--z four"),
    "z against the formula": solve("contradicts --z 2; write --formula NaCl --z", "--z 2", formula="Na4Cl4"),
    "size of zero": solve("give a positive size in Å", "--size 0"),
    "negative size": solve("give a positive size in Å", "--size=-10"),
    "size in words": solve("--size", "--size big"),
    "size that is not a number": solve("give a positive size in Å", "--size nan"),
    "space group 231": solve("give a number from 1 to 230", "--space-group 231"),
    # names and options
    "unknown command": Case("slove a.xy", "did you mean 'solve'?"),
    "unknown option": solve("xtal solve --help", "--formulas NaCl"),
    "unknown generator": solve("did you mean 'prototype'?", "--generator prototypes"),
    "unknown refiner": solve("did you mean 'fit'?", "--refiner fitt"),
    "unknown metric": solve("did you mean 'structure-matcher'?", "--metric structure-macher"),
    "unknown simulator": solve("did you mean 'powder'?", "--simulator powders"),
    "no candidates": solve("ask for at least 1", "--candidates 0"),
    "negative seed": solve("--seed", "--seed=-1"),
    "no jobs": solve("--jobs", "--jobs 0"),
    "--set without a plugin": solve("plugin.option=value", "--set steps=3"),
    "--set of a plugin that takes no part": solve("takes no part", "--set pdd.k=3"),
    "--set of an unknown option": solve("did you mean 'steps'?", "--set fit.step=3"),
    "--set of a wrong type": solve("give a value of type int", "--set fit.steps=many"),
    "--set out of bounds": solve("give a value from 1", "--set fit.steps=0"),
    "--set that is neither true nor false": solve("give true or false", "--set fit.keep_symmetry=perhaps"),
    "--set of an unknown choice": solve("choose from code, text", "--set powder.kernel=gauss"),
    # where results go
    "--out is a file": Case(
        "solve a.xy --formula NaCl --wavelength CuKa --out a.xy/b", "choose another --out", {"a.xy": XY}
    ),
    "--out holds something else": Case(
        "solve a.xy --formula NaCl --wavelength CuKa --out full",
        "choose another --out",
        {"a.xy": XY, "full/thesis.txt": "precious"},
    ),
    # structures
    "missing reference": solve("give a crystal structure", "--reference no.cif"),
    "missing structure": Case("compare good.cif no.cif", "give a crystal structure", {"good.cif": SALT}),
    "only one structure": Case("compare good.cif", "xtal compare --help", {"good.cif": SALT}),
    "empty structure file": structure("is empty; give a crystal structure", ""),
    "binary structure file": structure("is a binary file; decompress it", gzip.compress(b"data_") + b"\0"),
    "unknown kind of structure file": structure("give a crystal structure as CIF, POSCAR", "ATOM", "bad.pdb"),
    "structure without atoms": structure("give a CIF with _atom_site_ items", "data_a\n_cell_length_a 4\n"),
    "overlapping atoms": structure("remove one of them", cif("Na1 Na 0 0 0 1", "Cl1 Cl 0 0 0.02 1", symmetry="P 1")),
    "too high an occupancy": structure("add up to 1.2; correct them", cif("Na1 Na 0 0 0 0.8", "K1 K 0 0 0 0.4")),
    "atom that is no element": structure("correct _atom_site_type_symbol", cif("Na1 Na 0 0 0 1", "J1 J 0.5 0.5 0.5 1")),
    "atom without coordinates": structure("give its fractional coordinates", cif("Na1 Na 0 0 0 1", "H1 H ? ? ? 1")),
    "structure without symmetry": structure("add the symmetry operations", cif("Na1 Na 0 0 0 1", symmetry="?")),
    "structure without a cell": structure("give the cell in Å", SALT.replace("_cell_length_b 5.64\n", "")),
    "two structures in one file": structure("keep one of them", SALT + SALT.replace("data_sample", "data_other")),
    "POSCAR without elements": structure("name the elements", POSCAR_WITHOUT_NAMES, "POSCAR"),
    "broken JSON structure": structure("line 1: is not valid JSON", "{", "bad.json"),
    "unknown metric to compare by": Case("compare a.cif a.cif --metric pddd", "did you mean 'pdd'?", {"a.cif": SALT}),
    # measured G(r)
    "G(r) for a metric of structures": Case(
        "compare a.gr a.cif --metric pdd", "give structures, or another metric", {"a.gr": GR, "a.cif": SALT}
    ),
    "text for a G(r)": Case(
        "compare a.gr a.cif --metric pdf-rw", "give a G(r): lines of r in Å", {"a.gr": "words", "a.cif": SALT}
    ),
    "G(r) with uneven steps": Case(
        "compare a.gr a.cif --metric pdf-rw",
        "line 9: r goes from 0.6 to 0.75 Å",
        {"a.gr": GR.replace("0.7 0", "0.75 0"), "a.cif": SALT},
    ),
    "G(r) to too small r": Case(
        "compare a.gr a.cif --metric pdf-rw --set pdf-rw.r_min=5.8",
        "compare over a range of r that both sides cover",
        {"a.gr": GR, "a.cif": SALT},
    ),
    # all with each other
    "matrix of one structure": Case("compare a.cif --matrix out.csv", "give at least two items", {"a.cif": SALT}),
    "matrix of another kind of file": Case(
        "compare a.cif b.cif --matrix out.xls", ".csv", {"a.cif": SALT, "b.cif": SALT}
    ),
    "matrix that exists": Case(
        "compare a.cif b.cif --metric amd --matrix m.csv",
        "--force",
        {"a.cif": SALT, "b.cif": SALT, "m.csv": "precious"},
    ),
    "threshold of several metrics": Case(
        "compare a.cif b.cif --threshold 0.1 --metric amd --metric pdd", "metric", {"a.cif": SALT, "b.cif": SALT}
    ),
    "empty folder to compare": Case("compare folder", "structures or patterns in it", {"folder/a.pdf": "x"}),
    # studies
    "missing structures to study": study("give structure files, folders of them", "correlate no.cif"),
    "another kind of file to study": study("neither a structure file nor a table", "sensitivity a.xy", {"a.xy": XY}),
    "unreadable structure to study": study(
        "_cell_length_a is missing", "sensitivity a.cif", {"a.cif": SALT.replace("_cell_length_a 5.64\n", "")}
    ),
    "one structure to correlate": study("give at least two structures", "correlate a.cif", {"a.cif": SALT}),
    "table without structures to study": study(
        "give a table with a column 'cif'", "correlate a.csv", {"a.csv": "id\n1\n"}
    ),
    "candidates that are no folder": study(
        "subfolder of CIF files for each reference", "correlate a.cif --candidates a.cif", {"a.cif": SALT}
    ),
    "unknown view to study": study("nowhere", "sensitivity a.cif --metric pdd@nowhere", {"a.cif": SALT}),
    "studies into a file": Case(
        "study sensitivity a.cif --metric pdd --out a.cif/b", "choose another --out", {"a.cif": SALT}
    ),
    # simulation
    "no wavelength to simulate": Case("simulate a.cif --out out", "--wavelength", {"a.cif": SALT}),
    "unknown radiation to simulate": simulate("did you mean 'MoKa", "--wavelength MoKaa"),
    "angles in the wrong order": simulate("give two angles between 0 and 180", "--two-theta-min 90 --two-theta-max 10"),
    "angles beyond 180": simulate("give two angles between 0 and 180", "--two-theta-max 180"),
    "negative size to simulate": simulate("give a positive size", "--size=-3"),
    "negative noise": simulate("positive number of counts", "--noise=-5"),
    "too few points to simulate": simulate("--points", "--points 1"),
    "unknown simulator to simulate": simulate("did you mean 'powder'?", "--simulator powdr"),
    "element without scattering factors": simulate("Lr", text=SALT.replace("Na1 Na", "Lr1 Lr")),
    "simulated file exists": Case("simulate a.cif --wavelength CuKa --out a.cif", "--force", {"a.cif": SALT}),
    # libraries
    "missing collection": library("give CIF files, folders", "no.cif"),
    "collection of another kind": library("give CIF files, folders", "a.xy", {"a.xy": XY}),
    "folder without CIF": library("give CIF files, folders", "folder", {"folder/a.xy": XY}),
    "table without its columns": library("give a table with a column 'cif'", "a.csv", {"a.csv": "id,structure\n1,2\n"}),
    "damaged table": library(
        "check that the file is complete", "a.csv.gz", {"a.csv.gz": gzip.compress(b"material_id,cif\n" * 99)[:-9]}
    ),
    "no collection": library("xtal library --help", ""),
    "not a library": Case("library add a.cif --jobs 1 --library a.xy", "library", {"a.cif": SALT, "a.xy": XY}),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_ends_in_one_line_that_says_what_to_do(name, xtal, tmp_path):
    case = CASES[name]
    for file, content in case.files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(content.encode() if isinstance(content, str) else content)
    before = contents(tmp_path)
    outcome = xtal(*case.arguments.split())
    assert outcome.code == 2, outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.err.startswith("xtal: error: ")
    assert case.says in outcome.err
    assert "Traceback" not in outcome.out + outcome.err
    assert contents(tmp_path) == before
    assert not (tmp_path / case.leaves_no).exists()


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below `folder` and what it holds."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_there_are_as_many_cases_as_promised():
    assert len(CASES) >= 60
