import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xtal_core.errors import InputError
from xtal_pair_distribution.gr_file import read_gr, stated_conditions, write_gr
from xtal_pair_distribution.pair_distribution import PairDistribution

PDFGETX3 = """\
[DEFAULT]

version = pdfgetx3-2.1.1
mode = {mode}
wavelength = 0.2128
qmaxinst = 25
qmin = 0.5
qmax = 21.5
rmin = 0.0
rmax = 0.04
rstep = 0.01

# End of config ----------------------------

#### start data
#S 1
#L r($\\AA$)  G($\\AA^{{-2}}$)
"""

PDFGETX2 = """\
History written: Mon Apr 21 20:48:28 2008
##### Data&Background
det#  used  xcol detcol
  0    1    0    1
## S(q)  qmin=0.30000    qmax=27.000000    qgrid=0.000000
## G(r)  rmin=0.010000    rmax=60.000000    rgrid=0.010000
optqmin=20.0000    optqmax=40.0000    optqgrid=0.000000
##### start data
#F nickel.gr
#L r(A)    G(r)    d_r    d_Gr
"""

ROWS = "0.00 0.0\n0.01 -0.5\n0.02 1.25\n0.03 2e-3\n"
FOUR_COLUMNS = """\
  1.000000e-002    6.873431e-002   -7.539822e-004    2.439251e-004
  2.000000e-002    1.419026e-001   -1.507964e-003    4.744725e-004
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "sample.gr"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_pdfgetx3_files_are_read_with_their_header_and_range_of_q(written):
    header = PDFGETX3.format(mode="xray")
    measured = read_gr(written(header + ROWS))
    np.testing.assert_array_equal(measured.r, [0, 0.01, 0.02, 0.03])
    np.testing.assert_array_equal(measured.g, [0, -0.5, 1.25, 2e-3])
    assert measured.header == header
    assert measured.extra is None
    assert stated_conditions(measured).known() == {"q_min": 0.5, "q_max": 21.5, "radiation": "xray"}


def test_pdfgetx2_files_are_read_though_their_header_holds_lines_of_numbers(written):
    measured = read_gr(written(PDFGETX2 + FOUR_COLUMNS))
    np.testing.assert_array_equal(measured.r, [0.01, 0.02])
    np.testing.assert_array_equal(measured.extra, [[-7.539822e-4, 2.439251e-4], [-1.507964e-3, 4.744725e-4]])
    assert measured.header == PDFGETX2
    assert stated_conditions(measured).known() == {"q_min": 0.3, "q_max": 27.0}


@pytest.mark.parametrize(
    ("header", "stated"),
    [
        ("# PDFgetN 1.6\n# Qmin: 0.8 Qmax: 35.0\n", {"q_min": 0.8, "q_max": 35.0, "radiation": "neutron"}),
        ("# stype=N qdamp=0.02 qbroad = 1e-2\n", {"q_damp": 0.02, "q_broad": 0.01, "radiation": "neutron"}),
        ("# stype=X\n", {"radiation": "xray"}),
        ("", {}),
        ("# a title with no statement about qmax\n", {}),
    ],
)
def test_what_headers_state_is_understood(written, header, stated):
    assert stated_conditions(read_gr(written(header + ROWS))).known() == stated


def test_three_columns_hold_the_uncertainty_of_g(written):
    measured = read_gr(written("1 2 0.1\n2 3 0.2\n"))
    np.testing.assert_array_equal(measured.extra, [[0.1], [0.2]])


@pytest.mark.parametrize("label", ["#L r(nm) G(nm^-2)", "# r [nm]  G", "#L r($\\mathrm{nm}$)  G($\\mathrm{nm}^{-2}$)"])
def test_lengths_are_in_nanometres_where_the_file_says_so(written, label):
    measured = read_gr(written(f"qmax = 250\n{label}\n0.1 100.0 0.001 5.0\n0.2 200.0 0.001 5.0\n"))
    np.testing.assert_allclose(measured.r, [1.0, 2.0])
    np.testing.assert_allclose(measured.g, [1.0, 2.0])
    np.testing.assert_allclose(measured.extra, [[0.01, 0.05], [0.01, 0.05]])
    assert stated_conditions(measured).q_max == 25.0


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    g=arrays(float, 5, elements=st.floats(-1e6, 1e6)),
    first=st.floats(0, 2),
    step=st.floats(1e-3, 1),
    columns=st.integers(0, 2),
    header=st.sampled_from(["", PDFGETX2, PDFGETX3.format(mode="neutron"), "# no end of line"]),
)
def test_what_was_written_is_read_back_to_the_last_digit(tmp_path_factory, g, first, step, columns, header):
    path = tmp_path_factory.mktemp("gr") / "copy.gr"
    extra = np.outer(g, np.arange(1, columns + 1)) if columns else None
    original = PairDistribution(first + step * np.arange(5), g, header=header, extra=extra)
    write_gr(path, original)
    copy = read_gr(path)
    np.testing.assert_array_equal(copy.r, original.r)
    np.testing.assert_array_equal(copy.g, original.g)
    assert copy.header.rstrip("\n") == header.rstrip("\n")
    if columns:
        np.testing.assert_array_equal(copy.extra, extra)


def test_files_in_nanometres_are_written_in_nanometres(written, tmp_path):
    measured = read_gr(written("#L r(nm) G(nm^-2)\n0.1 100.0\n0.2 200.0\n"))
    write_gr(tmp_path / "copy.gr", measured)
    copy = read_gr(tmp_path / "copy.gr")
    np.testing.assert_allclose(copy.r, measured.r, rtol=1e-15)
    np.testing.assert_allclose(copy.g, measured.g, rtol=1e-15)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        ("no data at all\n", r"holds no lines of r and G; give a G\(r\)"),
        ("#### start data\n#L r G\nnothing\n1 2\n", "holds no lines of r and G"),
        ("0.1 1.0\n0.2 abc\n", r"line 2: expected numbers, found '0.2 abc'"),
        ("0.1 1.0\n0.2 2.0\n#S 2\n0.1 1.0\n", r"line 3: expected numbers, found '#S 2'; end the file after"),
        ("0.1 1.0\n0.2 2.0 3.0\n", r"line 2: 3 columns, the lines before have 2"),
        ("0.1 1.0\n0.2 nan\n", r"line 2: a value is not finite"),
        ("0.1 1.0\n\n0.2 1.0\n0.3 1.0\n0.35 2.0\n", r"line 5: r goes from 0.3 to 0.35 Å, the usual step is 0.1 Å"),
        ("0.1 nan\n0.2 1.0\n", r"line 1: a value is not finite"),
        ("0.3 1.0\n0.2 1.0\n", r"line 2: r goes from 0.3 to 0.2"),
        ("-0.1 1.0\n0.0 1.0\n", r"line 1: r is -0.1 Å; begin at 0"),
        ("0.1 1.0\n", r"line 1: holds a single line of data"),
        ("0.1 1 2 3 4\n0.2 1 2 3 4\n", r"line 1: 5 columns; give a G\(r\)"),
    ],
)
def test_what_is_no_g_of_r_is_refused_with_the_line_and_what_to_do(written, text, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        read_gr(written(text))
    assert caught.value.path.endswith("sample.gr")


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("# qmax = 20\n# qmax = 25\n", "states qmax as 20 and as 25 Å⁻¹; remove what does not hold"),
        ("# qmin = 20\n# qmax = 15\n", "q_min = 20 Å⁻¹, q_max = 15 Å⁻¹; correct it"),
        ("# qdamp = -0.1\n", "q_damp = -0.1 Å⁻¹"),
        ("# stype=X\n# mode = neutron\n", "states two radiations"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(written, header, complaint):
    with pytest.raises(InputError, match=complaint):
        stated_conditions(read_gr(written(header + ROWS)))


def test_a_file_that_is_not_there_or_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent.gr: there is no such file"):
        read_gr(tmp_path / "absent.gr")
    with pytest.raises(InputError, match=r"cannot be written"):
        write_gr(tmp_path / "no folder" / "x.gr", PairDistribution(np.arange(3.0), np.zeros(3)))
