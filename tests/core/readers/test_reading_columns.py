"""Files of columns: what is read, what is noted, and what is refused where and why."""

import numpy as np
import pytest

from xtal_core.errors import OptionError, PatternError
from xtal_core.pattern import Radiation
from xtal_core.readers import read_pattern

TWO_THETA = 10 + 2.5 * np.arange(12)
COUNTS = 100 + 7.0 * np.arange(12) ** 2 % 90
ALPHA_1 = 1.540593


def rows(separator="  ", number="{:.4f}", extra=(), x=TWO_THETA, y=COUNTS):
    columns = [x, y, *extra]
    return [separator.join(number.format(value) for value in row) for row in zip(*columns, strict=True)]


def write(folder, lines, name="sample.xy", newline="\n", encoding="utf-8"):
    path = folder / name
    path.write_bytes((newline.join(lines) + newline).encode(encoding))
    return path


SIGMA = np.sqrt(COUNTS)
BACKGROUND = np.full(12, 50.0)
GERMAN = [row.replace(".", ",") for row in rows("\t")]

READABLE = {
    "spaces": ("a.xy", rows()),
    "tabs": ("a.dat", rows("\t")),
    "commas": ("a.csv", rows(",")),
    "commas and spaces": ("a.csv", rows(", ")),
    "commas and tabs": ("a.csv", rows(",\t")),
    "semicolons": ("a.csv", rows(";")),
    "trailing separators": ("a.csv", [f"{row}," for row in rows(",")]),
    "quoted fields": ("a.csv", [f'"{row}"' for row in rows('","')]),
    "quoted decimal commas": ("a.csv", ['"' + row.replace(".", ",").replace("|", '","') + '"' for row in rows("|")]),
    "decimal commas between tabs": ("a.txt", GERMAN),
    "decimal commas between semicolons": ("a.csv", [row.replace(".", ",") for row in rows(";")]),
    "decimal commas between spaces": ("a.txt", [row.replace(".", ",") for row in rows(" ")]),
    "exponents": ("a.xy", rows(number="{:.6E}")),
    "Fortran exponents": ("a.xy", [row.replace("E", "D") for row in rows(number="{:.6E}")]),
    "comments of every kind": ("a.xy", ["# 5 6", "! 7 8", "; 9 10", "// 11 12", "% 1 2", "' 3 4", '"Id: 5"', *rows()]),
    "comments between and after": ("a.xy", [*rows()[:5], "# paused", "", *rows()[5:], "##END="]),
    "comments behind the numbers": ("a.xy", [f"{row} # point" for row in rows()]),
    "words before": ("a.csv", ["x,y", *rows(",")]),
    "a report before": ("a.csv", ["[Measurement conditions]", "Start position,10.0", "[Scan points]", *rows(",")]),
    "a title that starts with a number": ("a.xy", ["45.2 GPa, second loading", *rows()]),
    "the number of points before": ("a.dat", ["sample 3", "12", *rows()]),
    "swapped columns with names": ("a.csv", ["Intensity,2Theta", *rows(",", x=COUNTS, y=TWO_THETA)]),
    "no extension": ("a", rows()),
    "fit2d": ("a.chi", ["12.5 25.0 raw.tif", " 2-Theta Angle (Degrees)", " Intensity", "     12", *rows()]),
    "fit2d without a header": ("a.chi", rows()),
}


@pytest.mark.parametrize("case", READABLE)
def test_every_usual_layout_gives_the_same_points(tmp_path, case):
    name, lines = READABLE[case]
    pattern = read_pattern(write(tmp_path, lines, name), wavelength="CuKa1")
    np.testing.assert_allclose(pattern.q, 4 * np.pi * np.sin(np.radians(TWO_THETA / 2)) / ALPHA_1, rtol=1e-12)
    np.testing.assert_allclose(pattern.two_theta, TWO_THETA, rtol=1e-12)
    np.testing.assert_allclose(pattern.intensity, COUNTS)
    assert (pattern.uncertainty, pattern.background, pattern.notes) == (None, None, ())
    assert pattern.source.endswith(name)


@pytest.mark.parametrize(("newline", "encoding"), [("\r\n", "utf-8"), ("\r", "utf-8"), ("\n", "utf-8-sig"),
                                                  ("\r\n", "utf-16"), ("\n", "latin-1")])  # fmt: skip
def test_line_ends_byte_order_marks_and_encodings_make_no_difference(tmp_path, newline, encoding):
    path = write(tmp_path, ["# 2θ" if encoding != "latin-1" else "# °2Th, 25 °C", *rows()], "a.xy", newline, encoding)
    pattern = read_pattern(path, wavelength="CuKa")
    np.testing.assert_allclose(pattern.intensity, COUNTS)


@pytest.mark.parametrize(
    ("name", "header", "extra"),
    [
        ("a.xye", [], (SIGMA,)),
        ("a.dat", ["# 2theta I sigma"], (SIGMA,)),
        ("a.csv", ["Angle,Counts,ESD"], (SIGMA,)),
        ("a.txt", ["#  2th_deg    I    sigma    bkg"], (SIGMA, BACKGROUND)),
        ("a.csv", ["two_theta,intensity,background,uncertainty"], (BACKGROUND, SIGMA)),
    ],
)
def test_uncertainties_and_backgrounds_are_found_by_place_or_name(tmp_path, name, header, extra):
    separator = "," if name.endswith("csv") else " "
    pattern = read_pattern(write(tmp_path, [*header, *rows(separator, "{:.12g}", extra)], name), wavelength="CuKa")
    np.testing.assert_allclose(pattern.uncertainty, SIGMA)
    assert pattern.notes == ()
    if len(extra) == 2:
        np.testing.assert_allclose(pattern.background, BACKGROUND)


def test_an_unnamed_third_column_is_noted_outside_xye_files(tmp_path):
    pattern = read_pattern(write(tmp_path, rows(extra=(SIGMA,)), "a.dat"), wavelength="CuKa")
    np.testing.assert_allclose(pattern.uncertainty, SIGMA, atol=1e-4)
    assert "third column" in pattern.notes[0]


def test_a_third_column_that_is_the_same_everywhere_is_no_uncertainty(tmp_path):
    pattern = read_pattern(write(tmp_path, rows(extra=(np.ones(12),)), "a.txt"), wavelength="CuKa")
    assert pattern.uncertainty is None
    assert pattern.notes == ("the third column is 1 everywhere: it was not taken as the standard uncertainty",)
    assert read_pattern(write(tmp_path, rows(extra=(np.ones(12),)), "a.xye"), wavelength="CuKa").uncertainty[0] == 1


def test_a_header_that_names_x_rays_beside_neutrons_is_accepted(tmp_path):
    lines = ["# X-ray pattern, joint refinement with neutron data", *rows()]
    np.testing.assert_allclose(read_pattern(write(tmp_path, lines), "CuKa").intensity, COUNTS)


def test_columns_that_are_not_used_are_noted(tmp_path):
    header = '"2theta","y_obs","weight","y_calc","y_bkg","Q"'
    lines = [header, *rows(",", extra=(COUNTS, COUNTS + 1, BACKGROUND, TWO_THETA / 20))]
    pattern = read_pattern(write(tmp_path, lines, "a.csv"), wavelength="CuKa")
    np.testing.assert_allclose(pattern.two_theta, TWO_THETA)
    np.testing.assert_allclose(pattern.background, BACKGROUND)
    assert pattern.notes == ("columns not used: 'weight', 'y_calc', 'Q'",)


def test_of_two_named_axes_the_one_asked_for_is_used(tmp_path):
    lines = ["2theta,intensity,Q", *rows(",", extra=(TWO_THETA / 20,))]
    pattern = read_pattern(write(tmp_path, lines, "a.csv"), wavelength="CuKa", axis="q")
    np.testing.assert_allclose(pattern.q, TWO_THETA / 20)


Q = TWO_THETA / 8


@pytest.mark.parametrize(
    ("header", "axis", "factor"),
    [
        (["# Q I"], "auto", 1),
        (["Q (1/Å),Intensity"], "auto", 1),
        (["#  q_A^-1   I"], "auto", 1),
        (["# q_nm^-1   I"], "auto", 10),
        (["Q [nm^-1],Intensity"], "auto", 10),
        (["Q (1/nm);counts"], "auto", 10),
        (["q,I", "nm⁻¹,counts"], "auto", 10),
        ([], "q", 1),
        (["# unit: nm^-1"], "q", 10),
    ],
)
def test_q_axes_are_read_in_either_unit(tmp_path, header, axis, factor):
    path = write(tmp_path, [*header, *rows(number="{:.12g}", x=Q * factor)])
    pattern = read_pattern(path, wavelength="CuKa", axis=axis)
    np.testing.assert_allclose(pattern.q, Q, rtol=1e-9)
    assert ("Q was converted from nm⁻¹ to Å⁻¹" in pattern.notes) == (factor == 10)


def test_an_axis_that_may_be_either_has_to_be_said(tmp_path):
    path = write(tmp_path, rows(x=Q))
    with pytest.raises(PatternError, match="--axis two-theta or --axis q"):
        read_pattern(path, wavelength="CuKa")
    np.testing.assert_allclose(read_pattern(path, "CuKa", axis="q").q, Q, atol=1e-4)
    np.testing.assert_allclose(read_pattern(path, "CuKa", axis="two-theta").two_theta, Q, atol=1e-4)


def test_values_beyond_backscattering_can_only_be_angles(tmp_path):
    """4π/λ is 8.2 Å⁻¹ for Cu Kα and 60 Å⁻¹ for 0.21 Å: the same file is clear with one and open with the other."""
    path = write(tmp_path, rows())
    np.testing.assert_allclose(read_pattern(path, "CuKa").two_theta, TWO_THETA)
    with pytest.raises(PatternError, match="may be 2θ in degrees or Q"):
        read_pattern(path, "0.21")


def test_the_axis_asked_for_overrides_the_header_with_a_note(tmp_path):
    pattern = read_pattern(write(tmp_path, ["# 2theta I", *rows(x=Q)]), "CuKa", axis="q")
    np.testing.assert_allclose(pattern.q, Q, atol=1e-4)
    assert "the header says that the axis is two-theta" in pattern.notes[0]


def test_a_grid_may_end_exactly_at_backscattering(tmp_path):
    q = np.linspace(0.1, 4 * np.pi / ALPHA_1, 12)
    pattern = read_pattern(write(tmp_path, rows(number="{:.17g}", x=q)), "CuKa1", axis="q")
    assert pattern.q[-1] == q[-1]


def test_the_wavelength_in_the_header_is_used_and_noted(tmp_path):
    pattern = read_pattern(write(tmp_path, ["# Wavelength: 1.5406", *rows()]))
    assert pattern.radiation.wavelengths == (1.5406,)
    assert pattern.notes == ("the radiation, 1.5406 Å, is the one the file states",)


def test_the_wavelength_given_overrides_the_header_and_says_so_when_they_differ(tmp_path):
    path = write(tmp_path, ["# Wavelength: 1.5406", *rows()])
    assert read_pattern(path, wavelength="CuKa").notes == ()
    pattern = read_pattern(path, wavelength="CoKa1")
    assert pattern.radiation == Radiation.from_line("CoKa1")
    assert pattern.notes == ("the file says 1.5406 Å; the wavelength given, CoKa1 (1.789 Å), was used instead",)


def test_the_mean_of_a_doublet_is_pointed_out(tmp_path):
    pattern = read_pattern(write(tmp_path, rows()), wavelength="1.5418")
    assert "weighted mean of CuKa" in pattern.notes[0]


def test_reversed_points_are_put_in_order_with_a_note(tmp_path):
    pattern = read_pattern(write(tmp_path, rows()[::-1]), "CuKa")
    np.testing.assert_allclose(pattern.intensity, COUNTS)
    assert pattern.notes == ("the points were in reversed order",)


def test_unsorted_points_are_sorted_with_a_note(tmp_path):
    shuffled = np.random.default_rng(0).permutation(12)
    pattern = read_pattern(write(tmp_path, [rows(extra=(SIGMA,))[i] for i in shuffled], "a.xye"), "CuKa")
    np.testing.assert_allclose(pattern.two_theta, TWO_THETA)
    np.testing.assert_allclose(pattern.intensity, COUNTS)
    np.testing.assert_allclose(pattern.uncertainty, SIGMA, atol=1e-4)
    assert pattern.notes == ("the points were sorted",)


def test_points_of_the_same_position_become_their_mean(tmp_path):
    pattern = read_pattern(write(tmp_path, [*rows(), "10.0 160", "37.5 0"]), "CuKa")
    assert len(pattern) == 12
    assert pattern.intensity[0] == pytest.approx((COUNTS[0] + 160) / 2)
    assert pattern.intensity[-1] == pytest.approx(COUNTS[-1] / 2)
    assert "2 points of repeated position were merged into the mean" in pattern.notes


def test_points_of_the_same_position_are_weighted_by_their_uncertainties(tmp_path):
    pattern = read_pattern(write(tmp_path, [*rows(extra=(np.full(12, 2.0),)), "10.0 160 1"], "a.xye"), "CuKa")
    assert pattern.intensity[0] == pytest.approx((COUNTS[0] / 4 + 160) / (1 / 4 + 1))
    assert pattern.uncertainty[0] == pytest.approx((1 / 4 + 1) ** -0.5)
    assert pattern.uncertainty[1] == 2


def test_negative_intensities_are_kept_and_counted(tmp_path):
    pattern = read_pattern(write(tmp_path, rows(y=COUNTS - 110)), "CuKa")
    np.testing.assert_allclose(pattern.intensity, COUNTS - 110)
    assert pattern.notes == (f"{np.sum(COUNTS < 110)} intensities are negative; they were kept as they are",)


def test_a_first_point_at_the_origin_is_left_out_with_a_note(tmp_path):
    pattern = read_pattern(write(tmp_path, ["0.0 5", *rows()]), "CuKa")
    np.testing.assert_allclose(pattern.two_theta, TWO_THETA)
    assert pattern.notes == ("the first point, at 0, was left out: Q must be positive",)


def test_zero_uncertainty_of_zero_counts_becomes_that_of_one_count(tmp_path):
    counts = COUNTS.copy()
    counts[3] = 0
    pattern = read_pattern(write(tmp_path, rows(y=counts, extra=(np.sqrt(counts),)), "a.xye"), "CuKa")
    assert pattern.uncertainty[3] == pattern.uncertainty[counts > 0].min()
    assert "zero counts" in pattern.notes[0]


def test_a_column_of_zero_uncertainties_is_not_used(tmp_path):
    pattern = read_pattern(write(tmp_path, rows(extra=(0 * SIGMA,)), "a.xye"), "CuKa")
    assert pattern.uncertainty is None
    assert "every standard uncertainty is 0" in pattern.notes[0]


def changed(index, text):
    return [text if i == index else row for i, row in enumerate(rows())]


#: name, lines, line of the message (None: none), words of the problem or remedy
REFUSED = {
    "not a number": ("a.xy", changed(4, "20.0 abc"), 5, "'20.0 abc' is not a line of numbers in columns; remove"),
    "not a number at the start": ("a.xy", changed(0, "10.0 abc"), 1, "not a line of numbers"),
    "not a number after comments": ("a.xy", ["#", "#", *changed(4, "20.0 --")], 7, "not a line of numbers"),
    "a row of one number at the start": ("a.xy", ["7.5", *rows()], 1, "'7.5' is not a line of numbers in columns"),
    "words at the end": ("a.xy", [*rows(), "the end"], 13, "not a line of numbers"),
    "nan": ("a.xy", changed(4, "20.0 NaN"), 5, "not finite; remove the point"),
    "nan at the start": ("a.xy", changed(0, "NaN NaN"), 1, "not finite"),
    "infinity": ("a.xy", changed(11, "37.5 -inf"), 12, "not finite"),
    "overflow": ("a.xy", changed(4, "20.0 1e999"), 5, "not finite"),
    "a column less": ("a.xy", changed(4, "20.0"), 5, "1 column(s), the lines before have 2; give as many"),
    "a column more": ("a.xy", changed(4, "20.0 30 40"), 5, "3 column(s)"),
    "empty field": ("a.csv", [*rows(",")[:4], "20.0,,3"], 5, "not a line of numbers"),
    "one column": ("a.xy", [f"{value}" for value in COUNTS], None, "no two columns of numbers; give lines of 2θ or Q"),
    "no numbers": ("a.xy", ["nothing", "to see"], None, "no two columns"),
    "xml": ("a.xrdml", ["<?xml version='1.0'?>", *rows()], None, "XML, not columns of numbers; export it"),
    "four columns": ("a.dat", rows(extra=(SIGMA, BACKGROUND)), None, "name them in a header line"),
    "two intensities": ("a.csv", ["2theta,I_obs,counts", *rows(",", extra=(COUNTS,))], None, "keep one intensity"),
    "theta": ("a.xy", ["theta intensity", *rows()], None, "the axis is 'theta'; convert it to 2θ"),
    "d spacing": ("a.csv", ["d (A),intensity", *rows(",")], None, "convert it to 2θ in degrees or Q"),
    "time of flight": ("a.csv", ["TOF,counts,sigma", *rows(",", extra=(SIGMA,))], None, "the axis is 'TOF'"),
    "a pair distribution": ("a.gr", ["twotheta", "#L r($\\AA$)  G($\\AA^{-2}$)", *rows()], None, "the axis is 'r("),
    "neutrons": ("a.xy", ["# Instrument: D2B, neutron", *rows()], None, "('# Instrument: D2B, neutron'); give an X"),
    "radians": ("a.dat", ["# 2th_rad I", *rows()], None, "the axis is '2th_rad'"),
    "mixed decimal signs": ("a.txt", [*GERMAN[:6], *rows("\t")[6:]], 7, "mixed; write all numbers with"),
    "thousands separators": ("a.txt", [f"{i}\t1,{i}00" for i in range(10, 30)], 1, "thousands separator"),
    "truncated fit2d": ("a.chi", ["raw", "2-Theta Angle", "I", "2048", *rows()], 4, "announces 2048 points, 12 follow"),
    "too few points": ("a.xy", rows()[:9], None, "holds 9 points; give a profile of at least 10"),
    "too few after merging": ("a.xy", [*rows()[:9], *rows()[:9]], None, "holds 9 points"),
    "negative angle": ("a.xy", changed(0, "-10.0 5"), 1, "2θ is -10°; remove points at and below 0"),
    "zero angle inside": ("a.xy", changed(4, "0.0 5"), 5, "2θ is 0°"),
    "two points at zero": ("a.xy", ["0 5", "0 6", *rows()], 1, "2θ is 0°"),
    "angle of 180": ("a.xy", changed(11, "180.0 5"), 12, "2θ must be below 180°; give degrees"),
    "hundredths of degrees": ("a.xy", rows(x=100 * TWO_THETA), 1, "not their hundredths"),
    "constant": ("a.xy", rows(y=0 * COUNTS + 7), None, "every intensity is 7; check which column"),
    "all zero": ("a.xy", rows(y=0 * COUNTS), None, "no intensity is positive; check which column"),
    "all negative": ("a.xy", rows(y=-COUNTS), None, "no intensity is positive"),
    "negative uncertainty": ("a.xye", rows(extra=(SIGMA - 11,)), 1, "remove the column"),
    "zero uncertainty": ("a.xye", [*rows(extra=(SIGMA,)), "60 100 0"], 13, "standard uncertainty is 0"),
    "Q beyond backscattering": ("a.xy", ["# Q (1/A)  I", *rows()], 2, "Q ends at 4π/λ = 8.157 Å⁻¹ for 1.54059 Å"),
    "empty": ("a.xy", [], None, "is empty; give a powder pattern"),
    "binary": ("a.raw", ["RAW1.01\0\0\0", *rows()], None, "is a binary file; decompress it or export it as text"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bad_files_are_refused_naming_file_line_and_remedy(tmp_path, case):
    name, lines, line, words = REFUSED[case]
    path = write(tmp_path, lines, name)
    with pytest.raises(PatternError) as caught:
        read_pattern(path, wavelength="CuKa")
    place = f"{path}: " if line is None else f"{path}, line {line}: "
    assert str(caught.value).startswith(place)
    assert words in str(caught.value)
    assert caught.value.line == line
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ([], "no wavelength in the file; give --wavelength, e.g. CuKa for the α1/α2 doublet, CuKa1, or a number in Å"),
        (["# Cu Ka, wavelength 0.7107"], "several wavelengths (CuKa (1.54059 Å), 0.7107 Å); give --wavelength"),
        (["# CuKa or MoKa?"], "several wavelengths (CuKa (1.54059 Å), MoKa (0.709317 Å)); give --wavelength"),
    ],
)
def test_the_wavelength_is_never_assumed(tmp_path, header, words):
    path = write(tmp_path, [*header, *rows()])
    with pytest.raises(PatternError) as caught:
        read_pattern(path)
    assert str(caught.value) == f"{path}: {words}" or words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.xy", "there is no such file"),
        ("", "is a folder"),
        ("a" * 300, "cannot be read"),
        ("\0", "cannot be read"),
    ],
)
def test_files_that_are_not_there_are_refused(tmp_path, name, words):
    with pytest.raises(PatternError, match=words) as caught:
        read_pattern(tmp_path / name, "CuKa")
    assert str(tmp_path) in str(caught.value)
    assert caught.value.remedy


def test_an_unknown_axis_or_radiation_is_an_error_of_the_option(tmp_path):
    path = write(tmp_path, rows())
    with pytest.raises(OptionError, match="auto, two-theta, q"):
        read_pattern(path, "CuKa", axis="theta")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="CuKa"):
        read_pattern(path, "Cuka9")
