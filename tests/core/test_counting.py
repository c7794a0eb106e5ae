import numpy as np

from xtal_core.counting import background_shape, counted

TWO_THETA = np.linspace(5.0, 90.0, 2000)
PEAK = np.exp(-0.5 * ((TWO_THETA - 30.0) / 0.5) ** 2)


def test_the_strongest_point_has_the_counts_asked_for():
    counts = counted(TWO_THETA, 7 * PEAK, strongest=500.0)
    np.testing.assert_allclose(counts, 500 * PEAK / PEAK.max(), atol=1e-9)


def test_the_background_starts_at_its_fraction_of_the_strongest_point_and_falls_to_a_third():
    background = counted(TWO_THETA, PEAK, strongest=1000.0, background=0.2) - counted(TWO_THETA, PEAK, strongest=1000.0)
    np.testing.assert_allclose(background[0], 200.0)
    np.testing.assert_allclose(background[-1] / background[0], 1 / 3, atol=0.01)
    assert (np.diff(background_shape(TWO_THETA)) < 0).all()


def test_noise_has_the_variance_of_its_mean():
    random = np.random.default_rng(0)
    expected = counted(TWO_THETA, PEAK, strongest=400.0, background=0.5)
    draws = np.array([counted(TWO_THETA, PEAK, strongest=400.0, background=0.5, random=random) for _ in range(400)])
    assert (draws == np.round(draws)).all()
    np.testing.assert_allclose(draws.mean(0), expected, atol=6 * np.sqrt(expected.max() / 400))
    np.testing.assert_allclose((draws.var(0) / expected).mean(), 1.0, atol=0.01)


def test_the_same_seed_gives_the_same_counts():
    one, other = (counted(TWO_THETA, PEAK, strongest=100.0, random=np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
