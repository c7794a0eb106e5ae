"""Pictures of maps: atoms are where they belong, and surfaces as large as geometry demands."""

import io
import math
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from xtal_core.errors import InputError
from xtal_crystalnet.map_pictures import (
    CORNERS,
    EDGE,
    HIDDEN_EDGE,
    OPACITY,
    Camera,
    Comparison,
    draw_comparison,
    draw_slices,
    draw_surfaces,
    render,
    surface_levels,
    typeset,
)
from xtal_crystalnet.map_similarity import rotated, score_maps

HEXAGONAL = np.array([[4.9, 0, 0], [-2.45, 4.2435, 0], [0, 0, 5.4]])
SHEARED = np.array([[4.0, 0.0, 0.0], [1.9, 3.6, 0.0], [-1.1, 1.3, 5.0]])
PIXELS = 140


def map_of_atoms(positions, lattice, sigma=0.4, heights=None, shape=(30, 30, 30)):
    """Return the sum of Gaussians of `sigma` Å around atoms and their nearest images, 1 at their centres."""
    axes = np.meshgrid(*[np.arange(n) / n for n in shape], indexing="ij")
    points, values = np.stack(axes, axis=-1), np.zeros(shape)
    images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    for position, height in zip(positions, heights or [1] * len(positions), strict=True):
        for image in images:
            distance = np.linalg.norm((points - position - image) @ lattice, axis=-1)
            values += height * np.exp(-((distance / sigma) ** 2) / 2)
    return values


def radius_at(level, sigma=0.4):
    """Return the radius in Å at which a Gaussian has `level` of its height."""
    return sigma * math.sqrt(-2 * math.log(level))


def pixels_of(figure):
    """Return (height, width, 3) the figure as its PNG file shows it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return np.asarray(Image.open(buffer).convert("RGB"))


def brightness(figure, image, axes, x, y):
    """Return the sum of red, green and blue at the point (x, y) of `axes`; call with pixels that were just drawn."""
    column, row = axes.transData.transform((x, y))
    return int(image[image.shape[0] - 1 - int(row), int(column)].sum())


def test_png_opens_and_has_the_size_of_the_figure(tmp_path):
    values = map_of_atoms([(0.5, 0.5, 0.5)], 5 * np.eye(3))
    for figure, inches in ((draw_slices(values, "NaCl"), (10.4, 3.9)), (draw_surfaces(values, "NaCl"), (5.2, 5.2))):
        figure.savefig(tmp_path / "map.png")
        with Image.open(tmp_path / "map.png") as image:
            assert image.format == "PNG"
            assert image.size == pytest.approx([150 * inch for inch in inches], abs=1)


def test_atom_is_bright_where_it_is_in_all_three_slices():
    place = (0.2, 0.6, 0.7)
    figure = draw_slices(map_of_atoms([place], 5 * np.eye(3)))
    image = pixels_of(figure)
    panels = figure.axes[:3]
    for axes, (right, up) in zip(panels, ((0, 1), (0, 2), (1, 2)), strict=True):
        # Beside the lines that mark where the planes meet.
        here = brightness(figure, image, axes, place[right] + 0.03, place[up] + 0.03)
        turned = brightness(figure, image, axes, place[up] + 0.03, place[right] + 0.03)
        opposite = brightness(figure, image, axes, (place[right] + 0.47) % 1, (place[up] + 0.47) % 1)
        assert here > 500
        assert opposite < 100
        assert turned < here
    assert [axes.get_title() for axes in panels] == ["z = 0.70", "y = 0.60", "x = 0.20"]


def test_atom_at_the_origin_is_bright_in_all_corners_of_a_slice():
    figure = draw_slices(map_of_atoms([(0, 0, 0)], 5 * np.eye(3)))
    image = pixels_of(figure)
    for x in (0.02, 0.98):
        for y in (0.02, 0.98):
            assert brightness(figure, image, figure.axes[0], x, y) > 500


def test_slices_meet_where_they_are_asked_to():
    values = map_of_atoms([(0.5, 0.5, 0.5)], 5 * np.eye(3), shape=(30, 20, 10))
    titles = [axes.get_title() for axes in draw_slices(values, at=(-0.1, 0.26, 1.0)).axes[:3]]
    assert titles == ["z = 0.00", "y = 0.25", "x = 0.90"]


@pytest.mark.parametrize("lattice", [5 * np.eye(3), HEXAGONAL, SHEARED], ids=["cubic", "hexagonal", "sheared"])
@pytest.mark.parametrize("view", [(24, 18), (200, -35), (0, 0), (90, 90)], ids=str)
def test_surface_of_an_atom_is_a_disk_of_its_radius(lattice, view):
    place = np.array([[0.45, 0.55, 0.5]])
    camera = Camera.of(lattice, *view)
    level = 0.3
    opacity = render(map_of_atoms(place, lattice), np.array([level]), camera, PIXELS)[..., 3]
    pixel = 2 * camera.reach / PIXELS
    # Straight lines between points of the grid, 0.17 Å apart, cut the corners of a sphere of 0.62 Å.
    assert opacity.sum() * pixel**2 == pytest.approx(math.pi * radius_at(level) ** 2, rel=0.04)
    rows, columns = np.indices(opacity.shape)
    found = [((each + 0.5) * pixel - camera.reach)[opacity > 0.5].mean() for each in (columns, rows)]
    assert found == pytest.approx(camera.project(place)[0, 1:], abs=pixel / 2)


def test_radius_of_a_surface_is_exact_in_the_limit_of_a_fine_grid():
    camera, level = Camera.of(SHEARED, 24, 18), 0.3
    values = map_of_atoms([(0.5, 0.5, 0.5)], SHEARED, shape=(60, 60, 60))
    opacity = render(values, np.array([level]), camera, 500)[..., 3]
    area = opacity.sum() * (2 * camera.reach / 500) ** 2
    assert area == pytest.approx(math.pi * radius_at(level) ** 2, rel=0.01)


def test_outer_surface_is_translucent_and_inner_one_is_opaque():
    lattice = 5 * np.eye(3)
    camera = Camera.of(lattice, 24, 18)
    opacity = render(map_of_atoms([(0.5, 0.5, 0.5)], lattice), np.array([0.1, 0.7]), camera, PIXELS)[..., 3]
    across = (np.arange(PIXELS) + 0.5) * 2 * camera.reach / PIXELS - camera.reach
    middle = opacity[PIXELS // 2]
    between = (abs(across) > radius_at(0.7) + 0.1) & (abs(across) < radius_at(0.1) - 0.1)
    assert middle[between] == pytest.approx(np.full(between.sum(), OPACITY), rel=0.01)
    assert middle[abs(across) < radius_at(0.7) - 0.1].min() > 0.99
    assert middle[abs(across) > radius_at(0.1) + 0.1].max() < 1e-6


def test_near_atom_hides_what_is_behind_it():
    lattice = 6 * np.eye(3)
    camera = Camera.of(lattice, 0, 0)  # looks along -x
    level = np.array([1.0])
    near, far = ([(0.75, 0.5, 0.5)], [3.0]), ([(0.25, 0.5, 0.5)], [2.0])
    alone = [render(map_of_atoms(p, lattice, heights=h), level, camera, PIXELS) for p, h in (near, far)]
    both = render(map_of_atoms(near[0] + far[0], lattice, heights=near[1] + far[1]), level, camera, PIXELS)
    assert alone[1][..., 3].sum() > 100
    assert np.allclose(both, alone[0], atol=1e-3)


def test_atom_on_the_near_face_is_seen_in_section():
    lattice = 5 * np.eye(3)
    camera = Camera.of(lattice, 0, 0)
    values = map_of_atoms([(0.0, 0.5, 0.5)], lattice)
    image = render(values, np.array([0.1, 0.7]), camera, PIXELS)
    pixel = 2 * camera.reach / PIXELS
    # Opaque as far as the outer surface reaches, and of different colours inside and outside.
    assert image[..., 3].sum() * pixel**2 == pytest.approx(math.pi * radius_at(0.1) ** 2, rel=0.015)
    middle = PIXELS // 2
    rim = middle + int((radius_at(0.1) - 0.1) / pixel)
    assert image[middle, rim, 3] == pytest.approx(1)
    assert abs(image[middle, rim, :3] - image[middle, middle, :3]).max() > 0.3


def test_surfaces_above_the_maximum_are_empty():
    values = map_of_atoms([(0.5, 0.5, 0.5)], 5 * np.eye(3))
    assert not render(values, np.array([1.5]), Camera.of(None, 24, 18), 50)[..., 3].any()


def test_default_levels_have_the_stated_shares_of_the_cell_outside():
    values = np.random.default_rng(0).exponential(size=(20, 20, 20))
    outside = [(values <= level).mean() for level in surface_levels(values)]
    assert outside == pytest.approx([0.88, 0.97, 0.995], abs=1e-3)


@pytest.mark.parametrize(
    ("lattice", "view"),
    [(None, (24, 18)), (HEXAGONAL, (-70, -25)), (SHEARED, (130, 40))],
    ids=["cube", "hexagonal", "sheared"],
)
def test_an_edge_is_hidden_if_the_cell_is_between_it_and_the_viewer(lattice, view):
    values = np.zeros((8, 8, 8))
    values[4, 4, 4] = 1
    axes = draw_surfaces(values, levels=[0.5], lattice=lattice, azimuth=view[0], elevation=view[1]).axes[0]
    camera = Camera.of(lattice, *view)
    towards_viewer = 1e-3 * camera.axes[0] @ np.linalg.inv(camera.lattice)
    expected = {EDGE: [], HIDDEN_EDGE: []}
    for first, second in combinations(CORNERS, 2):
        if abs(first - second).sum() == 1:
            nearer = (first + second) / 2 + towards_viewer
            inside = ((nearer > 0) & (nearer < 1)).all()
            expected[HIDDEN_EDGE if inside else EDGE].append(camera.project(np.array([first, second]))[:, 1:])
    assert len(expected[HIDDEN_EDGE]) == 3
    for colour, edges in expected.items():
        drawn = [line.get_xydata() for line in axes.lines if line.get_color() == colour]
        assert np.allclose(sorted(ends.tolist() for ends in drawn), sorted(ends.tolist() for ends in edges))


def test_comparison_shows_predictions_turned_to_the_truth_with_their_scores():
    lattice = 5 * np.eye(3)
    positions = [(0.2, 0.3, 0.6), (0.7, 0.55, 0.35), (0.4, 0.8, 0.2)]
    truth = map_of_atoms(positions, lattice, heights=[3, 1, 2])
    predicted = np.stack([0.5 * truth, rotated(truth, 13)])
    scores = score_maps(predicted, truth)
    short = predicted[1:]
    rows = [Comparison("Sr2TiO4", truth, predicted, scores), Comparison("NaCl", truth, short, score_maps(short, truth))]
    figure = draw_comparison(rows)
    first, second = np.array(figure.axes).reshape(2, 3)
    assert "Sr$_{2}$TiO$_{4}$" in first[0].get_title()
    assert f"constant map: SSIM {scores.baseline_ssim:.3f}" in first[0].get_title()
    assert "prediction 1\nSSIM " in first[1].get_title()
    assert first[2].get_title() == "prediction 2\nSSIM 1.000, inf dB"
    assert [axes.title.get_weight() for axes in first[1:]] == ["normal", "bold"]
    shown = [axes.get_images()[0].get_array() for axes in first]
    assert np.array_equal(shown[2], shown[0])
    assert not np.array_equal(shown[1], shown[0])
    assert not second[2].axison
    assert pixels_of(figure).std() > 10


def test_numbers_of_a_formula_are_subscripts():
    assert typeset("Ca0.5Sr12(OH)2") == "Ca$_{0.5}$Sr$_{12}$(OH)$_{2}$"
    assert typeset("2 cells of NaCl") == "2 cells of NaCl"


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="not a map"):
        draw_surfaces(np.zeros((4, 4)))
    with pytest.raises(InputError, match="not finite"):
        draw_slices(np.full((4, 4, 4), np.nan))
    with pytest.raises(InputError, match="without positive values"):
        draw_slices(-np.ones((4, 4, 4)))
    with pytest.raises(InputError, match="nothing to compare"):
        draw_comparison([])
