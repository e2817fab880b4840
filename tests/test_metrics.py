"""Metrics against scikit-learn, SciPy and plain loops."""

import inspect

import jax
import numpy as np
import pytest
import scipy.stats
import sklearn.calibration
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from lessons import metrics

CLASSES = 4


def classes_case(seed, n=37, classes=CLASSES):
    """Labels, and predictions that agree with about half of them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    predictions = np.where(rng.random(n) < 0.5, labels, rng.integers(classes, size=n))
    return labels, predictions


def scores_case(seed, n=53, ties=False):
    """Labels of both classes, and scores that know something about them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=n)
    labels[:2] = 0, 1
    scores = np.clip(0.3 * labels + 0.7 * rng.random(n), 0, 1)
    return labels, np.round(scores, 1) if ties else scores


# Counts from predictions


@pytest.mark.parametrize("seed", range(5))
def test_accuracy_and_confusion_equal_sklearn(seed):
    labels, predictions = classes_case(seed)
    assert metrics.accuracy(labels, predictions) == pytest.approx(
        sk.accuracy_score(labels, predictions), abs=1e-12
    )
    matrix = metrics.confusion_matrix(labels, predictions, CLASSES)
    np.testing.assert_array_equal(
        matrix, sk.confusion_matrix(labels, predictions, labels=range(CLASSES))
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "ours, theirs",
    [
        (metrics.precision, sk.precision_score),
        (metrics.recall, sk.recall_score),
        (metrics.f1, sk.f1_score),
    ],
)
def test_ratios_equal_sklearn(ours, theirs, seed):
    labels, predictions = classes_case(seed)
    wide = CLASSES + 1  # class 4 occurs nowhere: nothing of nothing is 0
    np.testing.assert_allclose(
        ours(labels, predictions, wide),
        theirs(labels, predictions, labels=range(wide), average=None, zero_division=0),
        atol=1e-12,
    )
    labels, predictions = classes_case(seed, classes=2)
    assert ours(labels, predictions) == pytest.approx(
        theirs(labels, predictions), abs=1e-12
    )


@pytest.mark.parametrize(
    "labels, predictions, expected",
    [
        ([0, 0, 0], [0, 0, 0], (0.0, 0.0, 0.0)),
        ([1, 1], [1, 1], (1.0, 1.0, 1.0)),
        ([1, 1], [0, 0], (0.0, 0.0, 0.0)),
        ([0, 0], [1, 1], (0.0, 0.0, 0.0)),
        ([1], [1], (1.0, 1.0, 1.0)),
        ([True, False, True], [True, True, False], (0.5, 0.5, 0.5)),
        ([1, 1, 1, 0], [1, 0, 0, 0], (1.0, 1 / 3, 0.5)),
    ],
)
def test_ratios_at_the_edges(labels, predictions, expected):
    found = [f(labels, predictions) for f in (metrics.precision, metrics.recall)]
    assert (*found, metrics.f1(labels, predictions)) == pytest.approx(expected)
    assert all(type(value) is float for value in found)


def test_confusion_matrix_rows_are_true_classes():
    matrix = metrics.confusion_matrix([0, 0, 2], [1, 1, 2])
    assert matrix.tolist() == [[0, 2, 0], [0, 0, 0], [0, 0, 1]]
    assert matrix.dtype == np.int64
    assert metrics.confusion_matrix([0], [3]).shape == (4, 4)
    assert metrics.confusion_matrix([3], [0]).shape == (4, 4)
    assert metrics.confusion_matrix([0], [0], 1).tolist() == [[1]]


def test_accuracy_takes_jax_arrays_and_gives_a_float():
    value = metrics.accuracy(jax.numpy.array([1, 2, 3]), np.array([1, 2, 0]))
    assert type(value) is float
    assert value == pytest.approx(2 / 3)


COUNTERS = [
    metrics.accuracy,
    metrics.confusion_matrix,
    metrics.precision,
    metrics.recall,
    metrics.f1,
]


@pytest.mark.parametrize("f", COUNTERS)
@pytest.mark.parametrize(
    "labels, predictions, message",
    [
        ([[0], [1]], [0, 1], r"expected labels of shape \(n,\), got \(2, 1\)"),
        ([0, 1], [[0], [1]], r"predictions of shape \(2,\), got \(2, 1\)"),
        ([0, 1], [0, 1, 1], r"predictions of shape \(2,\), got \(3,\)"),
        ([], [], r"expected labels of shape \(n,\), got \(0,\)"),
        (1, 1, r"expected labels of shape \(n,\), got \(\)"),
        ([0, 1], [0.2, 0.9], "expected integer predictions, got float64"),
        ([0.0, 1.0], [0, 1], "expected integer labels, got float64"),
    ],
)
def test_counters_refuse(f, labels, predictions, message):
    with pytest.raises(ValueError, match=message):
        f(labels, predictions)


@pytest.mark.parametrize(
    "labels, predictions, classes, message",
    [
        ([0, 2], [0, 1], 2, r"expected classes in 0..1, got 0..2"),
        ([0, 1], [0, 2], 2, r"expected classes in 0..1, got 0..2"),
        ([0, -1], [0, 1], None, r"expected classes in 0..1, got -1..1"),
        ([0, 1], [0, -1], None, r"expected classes in 0..1, got -1..1"),
    ],
)
def test_confusion_matrix_refuses_what_is_no_class(
    labels, predictions, classes, message
):
    with pytest.raises(ValueError, match=message):
        metrics.confusion_matrix(labels, predictions, classes)


@pytest.mark.parametrize("f", [metrics.precision, metrics.recall, metrics.f1])
def test_binary_ratios_refuse_a_third_class(f):
    with pytest.raises(ValueError, match=r"classes in 0..1, got 0..2"):
        f([0, 2], [0, 1])


# Curves from scores


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_curves_equal_sklearn(seed, ties):
    labels, scores = scores_case(seed, ties=ties)
    for ours, theirs in zip(
        metrics.roc_curve(labels, scores),
        sk.roc_curve(labels, scores, drop_intermediate=False),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    for ours, theirs in zip(
        metrics.precision_recall_curve(labels, scores),
        sk.precision_recall_curve(labels, scores),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    assert metrics.auc(labels, scores) == pytest.approx(
        sk.roc_auc_score(labels, scores), abs=1e-12
    )
    assert metrics.average_precision(labels, scores) == pytest.approx(
        sk.average_precision_score(labels, scores), abs=1e-12
    )


def rank_statistic(labels, scores):
    """How often a positive beats a negative, a tie being half a win."""
    wins = [
        (a > b) + 0.5 * (a == b)
        for a in scores[labels == 1]
        for b in scores[labels == 0]
    ]
    return float(np.mean(wins))


@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=30))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_auc_is_the_rank_statistic(rows):
    labels = np.array([0, 1, *(int(label) for label, _ in rows)])
    scores = np.array([0, 0, *(score for _, score in rows)])
    assert metrics.auc(labels, scores) == pytest.approx(rank_statistic(labels, scores))


@pytest.mark.parametrize(
    "labels, scores, area, average",
    [
        ([0, 1], [0.1, 0.9], 1.0, 1.0),
        ([0, 1], [0.9, 0.1], 0.0, 0.5),
        ([0, 1], [0.5, 0.5], 0.5, 0.5),
        ([1, 0, 0, 0], [1, 1, 1, 1], 0.5, 0.25),
    ],
)
def test_areas_by_hand(labels, scores, area, average):
    assert metrics.auc(labels, scores) == pytest.approx(area)
    assert metrics.average_precision(labels, scores) == pytest.approx(average)


def test_precision_recall_works_without_negatives():
    assert metrics.average_precision([1, 1], [0.3, 0.7]) == 1.0


SCORED = [
    metrics.roc_curve,
    metrics.auc,
    metrics.precision_recall_curve,
    metrics.average_precision,
]
PROMISED = [
    metrics.brier_score,
    metrics.calibration_curve,
    metrics.expected_calibration_error,
]


@pytest.mark.parametrize("f", SCORED + PROMISED)
@pytest.mark.parametrize(
    "labels, values, message",
    [
        ([[0], [1]], [0.1, 0.2], r"expected labels of shape \(n,\), got \(2, 1\)"),
        ([0, 1], [[0.1], [0.2]], r"of shape \(2,\), got \(2, 1\)"),
        ([], [], r"expected labels of shape \(n,\), got \(0,\)"),
        ([0, 2], [0.1, 0.2], r"expected labels 0 or 1, got \[0, 2\]"),
        ([-1, 1], [0.1, 0.2], r"expected labels 0 or 1, got \[-1, 1\]"),
        ([0, 1], [0.1, np.nan], "finite (scores|probabilities), got NaN or infinity"),
        ([0, 1], [0.1, np.inf], "finite (scores|probabilities), got NaN or infinity"),
    ],
)
def test_score_metrics_refuse(f, labels, values, message):
    with pytest.raises(ValueError, match=message):
        f(labels, values)


@pytest.mark.parametrize("f", SCORED)
def test_scores_need_a_positive(f):
    with pytest.raises(ValueError, match="at least one label 1, got only 0"):
        f([0, 0], [0.1, 0.2])


@pytest.mark.parametrize("f", [metrics.roc_curve, metrics.auc])
def test_roc_needs_both_classes(f):
    with pytest.raises(ValueError, match="labels of both classes, got only 1"):
        f([1, 1], [0.1, 0.2])


# Calibration


@pytest.mark.parametrize("bins", [1, 4, 10])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_calibration_equals_sklearn(seed, ties, bins):
    labels, probabilities = scores_case(seed, ties=ties)
    happened, promised = sklearn.calibration.calibration_curve(
        labels, probabilities, n_bins=bins
    )
    ours = metrics.calibration_curve(labels, probabilities, bins)
    np.testing.assert_allclose(ours[0], promised, atol=1e-12)
    np.testing.assert_allclose(ours[1], happened, atol=1e-12)
    assert ours[2].sum() == len(labels)
    assert metrics.brier_score(labels, probabilities) == pytest.approx(
        sk.brier_score_loss(labels, probabilities), abs=1e-12
    )
    gap = sum(
        (np.abs(probabilities[rows].mean() - labels[rows].mean()) * rows.sum())
        for i in range(bins)
        if (
            rows := (np.linspace(0, 1, bins + 1)[i] < probabilities)
            & (probabilities <= np.linspace(0, 1, bins + 1)[i + 1])
            | ((i == 0) & (probabilities == 0))
        ).any()
    )
    assert metrics.expected_calibration_error(
        labels, probabilities, bins
    ) == pytest.approx(gap / len(labels), abs=1e-12)


def test_calibration_counts_and_edges():
    promised, happened, counts = metrics.calibration_curve(
        [0, 1, 1, 0, 1], [0.0, 0.5, 0.5, 0.75, 1.0], bins=2
    )
    np.testing.assert_allclose(promised, [1 / 3, 0.875])
    np.testing.assert_allclose(happened, [2 / 3, 0.5])
    assert counts.tolist() == [3, 2]


@pytest.mark.parametrize("f", PROMISED)
@pytest.mark.parametrize("wrong", [-0.01, 1.01])
def test_probabilities_lie_between_0_and_1(f, wrong):
    message = r"expected probabilities in \[0, 1\], got .*" + str(wrong)
    with pytest.raises(ValueError, match=message):
        f([0, 1], [0.5, wrong])


@pytest.mark.parametrize("f", PROMISED[1:])
def test_bins_are_counted_from_1(f):
    assert inspect.signature(f).parameters["bins"].default == 10
    with pytest.raises(ValueError, match="at least 1 bin, got 0"):
        f([0, 1], [0.5, 0.5], bins=0)


# Intervals


@pytest.mark.parametrize("n", [1, 10, 2000])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_wilson_equals_scipy(n, share, level):
    successes = round(share * n)
    theirs = scipy.stats.binomtest(successes, n).proportion_ci(level, "wilson")
    ours = metrics.wilson_interval(successes, n, level)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= ours[0] <= successes / n <= ours[1] <= 1


def test_wilson_defaults_to_95_per_cent():
    assert metrics.wilson_interval(3, 7) == metrics.wilson_interval(3, 7, 0.95)


@pytest.mark.parametrize(
    "successes, n, level, message",
    [
        (-1, 5, 0.95, "successes in 0..n and n >= 1, got -1, 5"),
        (6, 5, 0.95, "successes in 0..n and n >= 1, got 6, 5"),
        (0, 0, 0.95, "successes in 0..n and n >= 1, got 0, 0"),
        (1, 5, 0.0, "a level between 0 and 1, got 0.0"),
        (1, 5, 1.0, "a level between 0 and 1, got 1.0"),
    ],
)
def test_wilson_refuses(successes, n, level, message):
    with pytest.raises(ValueError, match=message):
        metrics.wilson_interval(successes, n, level)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_bootstrap_of_a_mean_is_the_normal_interval(level):
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    low, high = metrics.bootstrap_interval(
        jax.random.key(1), values, level=level, resamples=4000
    )
    error = values.std() / np.sqrt(len(values))
    z = scipy.stats.norm.ppf((1 + level) / 2)
    assert low == pytest.approx(values.mean() - z * error, abs=0.12 * error)
    assert high == pytest.approx(values.mean() + z * error, abs=0.12 * error)


def test_bootstrap_defaults_and_keys():
    values = np.arange(20.0)
    first = metrics.bootstrap_interval(jax.random.key(0), values)
    assert first == metrics.bootstrap_interval(
        jax.random.key(0), values, np.mean, 0.95, 1000
    )
    assert first != metrics.bootstrap_interval(jax.random.key(1), values)
    assert all(type(end) is float for end in first)


def test_bootstrap_draws_rows_with_replacement():
    seen = []
    metrics.bootstrap_interval(
        jax.random.key(0), np.arange(6), lambda v: seen.append(v) or 0.0, resamples=50
    )
    assert len(seen) == 50
    assert {len(sample) for sample in seen} == {6}
    assert set(np.concatenate(seen).tolist()) == set(range(6))
    assert any(len(set(sample.tolist())) < 6 for sample in seen)


def test_bootstrap_keeps_rows_of_a_tuple_together():
    labels, scores = scores_case(0, n=80)
    low, high = metrics.bootstrap_interval(
        jax.random.key(0), (labels, scores), metrics.auc, resamples=200
    )
    assert low < metrics.auc(labels, scores) < high
    assert high - low < 0.35
    row = np.arange(9)
    assert metrics.bootstrap_interval(
        jax.random.key(0), (row, row), lambda a, b: float((a != b).sum()), resamples=1
    ) == (0.0, 0.0)


@pytest.mark.parametrize(
    "values, options, message",
    [
        ([], {}, r"one leading length, got shapes \[\(0,\)\]"),
        (3.0, {}, r"one leading length, got shapes \[\(\)\]"),
        ((np.ones(3), np.ones(4)), {}, r"got shapes \[\(3,\), \(4,\)\]"),
        ([1.0], {"resamples": 0}, "at least 1 resample, got 0"),
        ([1.0], {"level": 0.0}, "level between 0 and 1, got 0.0"),
        ([1.0], {"level": 1.0}, "level between 0 and 1, got 1.0"),
    ],
)
def test_bootstrap_refuses(values, options, message):
    with pytest.raises(ValueError, match=message):
        metrics.bootstrap_interval(jax.random.key(0), values, **options)


def test_everything_public_is_listed():
    for name in metrics.__all__:
        assert callable(getattr(metrics, name))
    assert metrics.__all__ == sorted(metrics.__all__)
