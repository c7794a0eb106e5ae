"""Whatever a file holds, the readers return something valid or refuse it in one line that names the file."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xtal_core.errors import InputError
from xtal_core.readers import read_pattern, read_structures

TOKENS = [
    *("10", "20.5", "1,5", "-3", "0", "1e300", "1D2", "nan", "?", ".", "#", "!", ";", ",", "\t", " ", "\n", "\r\n"),
    *("'", '"', "2theta", "Q", "nm^-1", "I", "sigma", "lambda = 1.54", "CuKa", "(3)", "{", "[", "]", "Fe"),
    *("data_a\n", "loop_\n", "_pd_meas_2theta_scan\n", "_pd_meas_counts_total\n", "_pd_proc_d_spacing\n"),
    *("_cell_length_a 4\n", "_cell_length_b 4\n", "_atom_site_label\n", "_atom_site_fract_x\n"),
]
ROWS = "".join(f"{10 + i} {i % 5}\n" for i in range(15))
CONTENTS = st.lists(st.one_of(st.sampled_from(TOKENS), st.just(ROWS), st.text(max_size=5)), max_size=40).map("".join)
ANYTHING = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def check_refusal(error, path):
    assert str(error).startswith(str(path))
    assert error.remedy
    assert "\n" not in str(error)


@ANYTHING
@given(CONTENTS, st.sampled_from(["a.xy", "a.xye", "a.csv", "a.chi", "a.cif"]), st.sampled_from(["auto", "q"]))
def test_any_text_is_a_pattern_or_refused(tmp_path, text, name, axis):
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        pattern = read_pattern(path, "CuKa", axis)
    except InputError as error:
        check_refusal(error, path)
    else:
        assert len(pattern) >= 10


@ANYTHING
@given(CONTENTS, st.sampled_from(["a.cif", "POSCAR", "a.json"]))
def test_any_text_is_structures_or_refused(tmp_path, text, name):
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        structures = read_structures(path)
    except InputError as error:
        check_refusal(error, path)
    else:
        assert all(len(structure) for structure in structures)
