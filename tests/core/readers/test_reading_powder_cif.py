"""Powder CIFs as refinement programs write them: which profile, axis, background and wavelength are taken."""

import numpy as np
import pytest

from xtal_core.errors import PatternError
from xtal_core.readers import read_pattern

N = 12
TWO_THETA = 10 + 2.5 * np.arange(N)
COUNTS = 100.0 + 7 * np.arange(N) ** 2 % 90
BACKGROUND = np.linspace(50, 40, N)
CU = "_diffrn_radiation_wavelength 1.540593"


def loop(**columns):
    """Return a loop of the items `_pd_NAME`; values may be numbers or texts."""
    rows = zip(*columns.values(), strict=True)
    lines = [" ".join(value if isinstance(value, str) else f"{value:.10g}" for value in row) for row in rows]
    return "\n".join(["loop_", *(f"_pd_{name}" for name in columns), *lines])


def write(folder, *parts, name="sample.cif"):
    path = folder / name
    path.write_text("\n".join(["data_sample", *parts]) + "\n")
    return path


def ranges(kind="meas", low=10.0, high=37.5, step=2.5):
    return "\n".join(f"_pd_{kind}_2theta_range_{part} {value}" for part, value in
                     (("min", low), ("max", high), ("inc", step)) if value is not None)  # fmt: skip


SCAN = {"meas_2theta_scan": TWO_THETA}
D = 1.540593 / (2 * np.sin(np.radians(TWO_THETA / 2)))

PROFILES = {
    "counts over 2θ": (loop(**SCAN, meas_counts_total=COUNTS),),
    "intensity over corrected 2θ": (loop(proc_2theta_corrected=TWO_THETA, meas_intensity_total=COUNTS),),
    "net processed": (loop(proc_2theta_corrected=TWO_THETA, proc_intensity_net=COUNTS),),
    "total processed": (loop(**SCAN, proc_intensity_total=COUNTS),),
    "measured range": (ranges(), loop(meas_counts_total=COUNTS)),
    "range without its end": (ranges(high=None), loop(meas_counts_total=COUNTS)),
    "range of which the step is rounded": (ranges(step=2.503), loop(meas_counts_total=COUNTS)),
    "processed range": (ranges("proc"), loop(proc_intensity_total=COUNTS)),
    "each its own range": (ranges(low=1, high=12, step=1), ranges("proc"), loop(proc_intensity_total=COUNTS)),
    "d": (loop(proc_d_spacing=D, meas_intensity_total=COUNTS),),
    "Q": (loop(proc_recip_len_Q=2 * np.pi / D, meas_intensity_total=COUNTS),),
    "range before d": (ranges(), loop(proc_d_spacing=D * 2, meas_intensity_total=COUNTS)),
    "point numbers": (loop(data_point_id=np.arange(N), **SCAN, meas_counts_total=COUNTS),),
    "names of the newer dictionary": (loop(**SCAN, meas_counts_total=COUNTS).replace("_pd_meas_", "_pd_meas."),),
    "upper case": (loop(**SCAN, meas_counts_total=COUNTS).replace("_pd_meas", "_PD_Meas"),),
}


@pytest.mark.parametrize("case", PROFILES)
def test_every_way_of_storing_a_profile_gives_the_same_points(tmp_path, case):
    pattern = read_pattern(write(tmp_path, CU, *PROFILES[case]))
    np.testing.assert_allclose(pattern.two_theta, TWO_THETA, rtol=1e-8)
    np.testing.assert_allclose(pattern.intensity, COUNTS)
    assert (pattern.uncertainty, pattern.background) == (None, None)
    assert pattern.notes == ("the radiation, 1.54059 Å, is the one the file states",)


def test_measured_is_preferred_to_processed_and_calculated(tmp_path):
    columns = {"calc_intensity_total": COUNTS + 2, "proc_intensity_net": COUNTS + 1, "meas_counts_total": COUNTS}
    pattern = read_pattern(write(tmp_path, CU, loop(**SCAN, **columns)))
    np.testing.assert_allclose(pattern.intensity, COUNTS)


def test_a_measured_item_without_any_value_is_passed_over(tmp_path):
    columns = {"meas_counts_total": ["?"] * N, "proc_intensity_total": COUNTS}
    pattern = read_pattern(write(tmp_path, CU, loop(**SCAN, **columns)))
    np.testing.assert_allclose(pattern.intensity, COUNTS)


def test_a_calculated_profile_is_the_last_choice_and_noted(tmp_path):
    pattern = read_pattern(write(tmp_path, CU, loop(**SCAN, calc_intensity_total=COUNTS)))
    np.testing.assert_allclose(pattern.intensity, COUNTS)
    assert any("is a calculated one" in note for note in pattern.notes)


@pytest.mark.parametrize("item", ["proc_intensity_bkg_calc", "meas_counts_background", "meas_intensity_background"])
def test_the_stored_background_comes_with_the_pattern(tmp_path, item):
    pattern = read_pattern(write(tmp_path, CU, loop(**SCAN, meas_counts_total=COUNTS, **{item: BACKGROUND})))
    np.testing.assert_allclose(pattern.background, BACKGROUND)


def test_the_background_may_be_in_a_loop_of_its_own(tmp_path):
    parts = loop(**SCAN, meas_counts_total=COUNTS), loop(proc_intensity_bkg_calc=BACKGROUND)
    np.testing.assert_allclose(read_pattern(write(tmp_path, CU, *parts)).background, BACKGROUND)


def test_the_background_beside_the_intensity_is_preferred_to_one_elsewhere(tmp_path):
    parts = (
        loop(proc_intensity_bkg_calc=BACKGROUND + 1),
        loop(**SCAN, meas_counts_total=COUNTS, meas_counts_background=BACKGROUND),
    )
    np.testing.assert_allclose(read_pattern(write(tmp_path, CU, *parts)).background, BACKGROUND)


def test_a_background_of_another_number_of_points_is_noted(tmp_path):
    parts = loop(**SCAN, meas_counts_total=COUNTS), loop(proc_intensity_bkg_calc=BACKGROUND[1:])
    pattern = read_pattern(write(tmp_path, CU, *parts))
    assert pattern.background is None
    assert any("_pd_proc_intensity_bkg_calc was not used: it has 11 values" in note for note in pattern.notes)


def test_the_background_of_a_net_intensity_is_not_used_twice(tmp_path):
    pattern = read_pattern(
        write(tmp_path, CU, loop(**SCAN, proc_intensity_net=COUNTS, proc_intensity_bkg_calc=BACKGROUND))
    )
    assert pattern.background is None
    assert any("has the background subtracted" in note for note in pattern.notes)


def test_standard_uncertainties_are_read_from_parentheses(tmp_path):
    """As GSAS writes them: 119(17), and 1190.5(17) is 1190.5 ± 1.7."""
    values = [f"{count:.1f}({index + 1})" for index, count in enumerate(COUNTS)]
    pattern = read_pattern(write(tmp_path, CU, loop(**SCAN, meas_intensity_total=values)))
    np.testing.assert_allclose(pattern.intensity, COUNTS)
    np.testing.assert_allclose(pattern.uncertainty, 0.1 * (np.arange(N) + 1))


def test_standard_uncertainties_are_read_from_their_own_item(tmp_path):
    sigma = np.sqrt(COUNTS)
    pattern = read_pattern(
        write(tmp_path, CU, loop(**SCAN, meas_intensity_total=COUNTS, meas_intensity_total_su=sigma))
    )
    np.testing.assert_allclose(pattern.uncertainty, sigma)


def test_uncertainties_known_at_some_points_only_are_not_used(tmp_path):
    values = [f"{count:.0f}(9)" for count in COUNTS]
    values[3] = "120"
    pattern = read_pattern(write(tmp_path, CU, loop(**SCAN, meas_intensity_total=values)))
    assert pattern.uncertainty is None
    assert any("standard uncertainties are missing at 1 points" in note for note in pattern.notes)


def test_unmeasured_points_are_left_out_and_counted(tmp_path):
    values = [f"{count:.0f}" for count in COUNTS]
    values[0], values[5] = "?", "."
    pattern = read_pattern(write(tmp_path, CU, ranges(), loop(meas_counts_total=values)))
    kept = np.delete(np.arange(N), [0, 5])
    np.testing.assert_allclose(pattern.two_theta, TWO_THETA[kept])
    np.testing.assert_allclose(pattern.intensity, COUNTS[kept])
    assert any(note.startswith("2 points without a value") for note in pattern.notes)


def test_of_several_axes_the_corrected_angle_is_used_unless_q_is_asked_for(tmp_path):
    path = write(tmp_path, CU, loop(meas_2theta_scan=TWO_THETA + 0.1, proc_2theta_corrected=TWO_THETA,
                                    proc_d_spacing=D * 1.5, meas_counts_total=COUNTS))  # fmt: skip
    pattern = read_pattern(path)
    np.testing.assert_allclose(pattern.two_theta, TWO_THETA)
    assert any("_pd_proc_2theta_corrected and _pd_meas_2theta_scan, the first was used" in n for n in pattern.notes)
    np.testing.assert_allclose(read_pattern(path, axis="q").q, (2 * np.pi / D / 1.5), rtol=1e-8)


PROFILE = loop(**SCAN, meas_counts_total=COUNTS)
DOUBLET = """loop_
_diffrn_radiation_wavelength_id
_diffrn_radiation_wavelength
_diffrn_radiation_wavelength_wt
1 1.540500(10) 1.0
2 1.544300(10) 0.5"""


@pytest.mark.parametrize(
    ("item", "wavelengths"),
    [
        ("_diffrn_radiation_wavelength 1.54056(2)", (1.54056,)),
        ("_diffrn_radiation_wavelength.value 0.41285", (0.41285,)),
        ("_pd_proc_wavelength 0.7", (0.7,)),
        ("_diffrn_radiation_type 'Cu K\\a'", (1.540593, 1.544427)),
        ("_diffrn_radiation_type CuK\\a~1~", (1.540593,)),
        ("_diffrn_radiation_type 'Cu K\\a'\n_diffrn_radiation_wavelength 1.5418", (1.540593, 1.544427)),
        ("_diffrn_radiation_type 'Cu K\\a'\n_diffrn_radiation_wavelength 1.54056", (1.540593, 1.544427)),
        ("_diffrn_radiation_type synchrotron\n_diffrn_radiation_wavelength 0.5", (0.5,)),
        ("_diffrn_radiation_wavelength CuKa1", (1.540593,)),
        (DOUBLET, (1.5405, 1.5443)),
    ],
)
def test_the_radiation_is_read_from_the_file(tmp_path, item, wavelengths):
    assert read_pattern(write(tmp_path, item, PROFILE)).radiation.wavelengths == pytest.approx(wavelengths)


def test_the_weights_of_a_doublet_are_kept(tmp_path):
    assert read_pattern(write(tmp_path, DOUBLET, PROFILE)).radiation.weights == (1.0, 0.5)


def test_the_wavelength_may_be_in_another_block(tmp_path):
    pattern = read_pattern(write(tmp_path, PROFILE, "data_instrument", CU))
    assert pattern.radiation.wavelength == 1.540593
    assert any("block 'instrument'" in note for note in pattern.notes)


def test_the_block_with_the_pattern_is_found_among_others(tmp_path):
    pattern = read_pattern(
        write(tmp_path, "_cell_length_a 4", "data_publ", "_journal_year 2020", "data_profile", CU, PROFILE)
    )
    np.testing.assert_allclose(pattern.intensity, COUNTS)


def test_a_cif_is_recognised_by_its_contents(tmp_path):
    pattern = read_pattern(write(tmp_path, CU, PROFILE, name="sample.txt"))
    np.testing.assert_allclose(pattern.intensity, COUNTS)


TEXTS = [f"{count:.0f}" for count in COUNTS]

#: parts, line of the message (None: none), words of the problem or remedy
REFUSED = {
    "several patterns": (
        (CU, PROFILE, "data_two", CU, PROFILE),
        None,
        "several patterns (blocks sample, two); keep one",
    ),
    "a structure": (("_cell_length_a 4",), None, "holds no powder profile; give a powder CIF with a profile"),
    "reflections": (("loop_", "_refln_index_h", "1", "2"), None, "holds reflections but no powder profile"),
    "all unknown": ((CU, loop(**SCAN, meas_counts_total=["?"] * N)), None, "no powder profile"),
    "no axis": ((CU, loop(meas_counts_total=COUNTS)), 3, "add _pd_meas_2theta_range_min"),
    "no increment": ((CU, ranges(step=None), loop(meas_counts_total=COUNTS)), 5, "no axis beside"),
    "a range that does not fit": (
        (CU, ranges(high=40), loop(meas_counts_total=COUNTS)),
        5,
        "gives 13 points, _pd_meas_counts_total has 12",
    ),
    "an increment of zero": ((CU, ranges(step=0), loop(meas_counts_total=COUNTS)), 5, "give a positive step"),
    "a range in words": ((CU, ranges(low="low"), loop(meas_counts_total=COUNTS)), 3, "give a number"),
    "time of flight": ((CU, loop(meas_time_of_flight=COUNTS, meas_counts_total=COUNTS)), 3, "a time-of-flight pattern"),
    "neutrons": ((CU, "_diffrn_radiation_probe neutron", PROFILE), 3, "measured with neutron; give an X-ray pattern"),
    "words for numbers": ((CU, loop(**SCAN, meas_counts_total=[*TEXTS[:-1], "many"])), 3, "'many' at point 12"),
    "a missing angle": (
        (CU, loop(meas_2theta_scan=["?", *TEXTS[1:]], meas_counts_total=COUNTS)),
        3,
        "point 1 has an intensity but no position",
    ),
    "a negative angle": (
        (CU, loop(meas_2theta_scan=TWO_THETA - 12, meas_counts_total=COUNTS)),
        None,
        "point 1: 2θ is -2°",
    ),
    "a d of zero": ((CU, loop(proc_d_spacing=D * 0, meas_counts_total=COUNTS)), 3, "a d spacing is not positive"),
    "no wavelength": ((PROFILE,), None, "no wavelength in the file; give --wavelength, e.g. CuKa"),
    "unknown wavelength": (("_diffrn_radiation_wavelength ?", PROFILE), None, "no wavelength in the file"),
    "a wavelength of 0": (
        ("_diffrn_radiation_wavelength 0.0", PROFILE),
        2,
        "_diffrn_radiation_wavelength is not positive",
    ),
    "a wavelength in pm": (
        ("_diffrn_radiation_wavelength 154.06", PROFILE),
        None,
        "not one of powder diffraction; give --wavelength",
    ),
    "two blocks, two wavelengths": (
        (PROFILE, "data_a", CU, "data_b", "_diffrn_radiation_wavelength 0.7"),
        None,
        "several wavelengths",
    ),
    "name and number at odds": (
        ("_diffrn_radiation_type MoKa", CU, PROFILE),
        None,
        "several wavelengths (MoKa (0.709317 Å), 1.54059 Å); give --wavelength",
    ),
    "varying wavelength": (
        (loop(proc_wavelength=COUNTS / 100, **SCAN, meas_counts_total=COUNTS),),
        2,
        "varies from point to point",
    ),
    "a short row": ((CU, PROFILE, "5"), None, "is not a valid CIF (Wrong number of values in loop"),
    "an open quote": (("_a 'open",), 2, "is not a valid CIF (unterminated"),
    "a tag twice": ((CU, CU), None, "is not a valid CIF (duplicate tag"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_files_are_refused_naming_file_line_and_remedy(tmp_path, case):
    parts, line, words = REFUSED[case]
    path = write(tmp_path, *parts)
    with pytest.raises(PatternError) as caught:
        read_pattern(path)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)
    assert line is None or caught.value.line == line
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_an_axis_that_is_not_in_the_file_is_refused(tmp_path):
    with pytest.raises(PatternError, match=r"no Q or d axis beside .* or drop --axis"):
        read_pattern(write(tmp_path, CU, PROFILE), axis="q")


def test_a_text_named_cif_is_refused(tmp_path):
    path = tmp_path / "sample.cif"
    path.write_text("10 20\n11 21\n")
    with pytest.raises(PatternError, match="not a valid CIF") as caught:
        read_pattern(path, "CuKa")
    assert caught.value.line == 1
