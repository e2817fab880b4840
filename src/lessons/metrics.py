"""How good are the predictions? Labels come first, as in scikit-learn.

All work on finished predictions in NumPy and give Python floats or NumPy arrays;
inside `jit` write the mean of a comparison instead. A ratio with nothing in its
denominator (precision when nothing was predicted positive) is 0.
"""

import numpy as np

from lessons.curves import auc, average_precision, precision_recall_curve, roc_curve
from lessons.intervals import (
    bootstrap_interval,
    brier_score,
    calibration_curve,
    expected_calibration_error,
    wilson_interval,
)

__all__ = [
    "accuracy",
    "auc",
    "average_precision",
    "bootstrap_interval",
    "brier_score",
    "calibration_curve",
    "confusion_matrix",
    "expected_calibration_error",
    "f1",
    "precision",
    "precision_recall_curve",
    "recall",
    "roc_curve",
    "wilson_interval",
]


def accuracy(labels, predictions) -> float:
    """Give the share of predictions that equal their label.

    `accuracy = mean(labels == predictions)`

    Parameters
    ----------
    labels : (n,) integers
    predictions : (n,) integers

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    ValueError
        If the shapes are not equal and one-dimensional, there is no row, or values
        are not integers.

    Notes
    -----
    Built in chapter 03; chapter 06 says when it misleads.

    Examples
    --------
    >>> accuracy([0, 1, 2, 2], [0, 1, 1, 2])
    0.75
    """
    labels, predictions = _pair(labels, predictions)
    return float(np.mean(labels == predictions))


def confusion_matrix(labels, predictions, classes: int | None = None) -> np.ndarray:
    """Count every pair of true and predicted class.

    `matrix[i, j] = sum((labels == i) & (predictions == j))`

    Parameters
    ----------
    labels : (n,) integers in 0..classes - 1
    predictions : (n,) integers in 0..classes - 1
    classes : number of classes K, or None for the largest value plus 1

    Returns
    -------
    (K, K) int64; rows are true classes, columns predicted ones

    Raises
    ------
    ValueError
        If the shapes are not equal and one-dimensional, there is no row, or a
        value is not a class.

    Notes
    -----
    Built in chapter 06.

    Examples
    --------
    >>> confusion_matrix([0, 1, 1], [0, 1, 0])
    array([[1, 0],
           [1, 1]])
    """
    labels, predictions = _pair(labels, predictions)
    low = min(labels.min(), predictions.min())
    high = max(labels.max(), predictions.max())
    classes = int(high) + 1 if classes is None else classes
    if low < 0 or high >= classes:
        raise ValueError(f"expected classes in 0..{classes - 1}, got {low}..{high}")
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, predictions), 1)
    return matrix


def precision(labels, predictions, classes: int | None = None):
    """Give the share of positive predictions that are right.

    `precision = true_positives / predicted_positives`, and 0 if none was predicted.

    Parameters
    ----------
    labels : (n,) integers
    predictions : (n,) integers
    classes : None for two classes, of which 1 is positive; or the number of
        classes K, for one value per class taken as the positive one

    Returns
    -------
    float in [0, 1], or (K,) float64; its mean is the macro average

    Raises
    ------
    ValueError
        If the shapes are not equal and one-dimensional, there is no row, or a
        value is not a class.

    Notes
    -----
    scikit-learn warns where the denominator is 0 and gives 0 too. Built in
    chapter 06.

    Examples
    --------
    >>> precision([0, 1, 1, 0], [1, 1, 0, 1])
    0.3333333333333333
    """
    matrix = _matrix(labels, predictions, classes)
    return _one_or_all(_ratio(np.diag(matrix), matrix.sum(axis=0)), classes)


def recall(labels, predictions, classes: int | None = None):
    """Give the share of truly positive rows that were found.

    `recall = true_positives / positives`, and 0 if there is no positive.

    Parameters
    ----------
    labels : (n,) integers
    predictions : (n,) integers
    classes : None for two classes, of which 1 is positive; or the number of
        classes K, for one value per class taken as the positive one

    Returns
    -------
    float in [0, 1], or (K,) float64; its mean is the macro average

    Raises
    ------
    ValueError
        If the shapes are not equal and one-dimensional, there is no row, or a
        value is not a class.

    Notes
    -----
    Also called sensitivity or true positive rate. scikit-learn warns where the
    denominator is 0 and gives 0 too. Built in chapter 06.

    Examples
    --------
    >>> recall([0, 1, 1, 0], [1, 1, 0, 1])
    0.5
    """
    matrix = _matrix(labels, predictions, classes)
    return _one_or_all(_ratio(np.diag(matrix), matrix.sum(axis=1)), classes)


def f1(labels, predictions, classes: int | None = None):
    """Give the harmonic mean of precision and recall.

    `f1 = 2 true_positives / (positives + predicted_positives)`, and 0 if both are
    none.

    Parameters
    ----------
    labels : (n,) integers
    predictions : (n,) integers
    classes : None for two classes, of which 1 is positive; or the number of
        classes K, for one value per class taken as the positive one

    Returns
    -------
    float in [0, 1], or (K,) float64; its mean is the macro average

    Raises
    ------
    ValueError
        If the shapes are not equal and one-dimensional, there is no row, or a
        value is not a class.

    Notes
    -----
    The formula equals `2 precision recall / (precision + recall)` and needs no
    case of its own where one of them is 0. Built in chapter 06.

    Examples
    --------
    >>> f1([0, 1, 1, 0], [1, 1, 0, 1])
    0.4
    """
    matrix = _matrix(labels, predictions, classes)
    both = matrix.sum(axis=0) + matrix.sum(axis=1)
    return _one_or_all(_ratio(2 * np.diag(matrix), both), classes)


def _pair(labels, predictions):
    """Two arrays of classes (n,), or a ValueError."""
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.ndim != 1 or len(labels) == 0:
        raise ValueError(f"expected labels of shape (n,), got {labels.shape}")
    if predictions.shape != labels.shape:
        raise ValueError(
            f"expected predictions of shape {labels.shape}, got {predictions.shape}"
        )
    for name, values in (("labels", labels), ("predictions", predictions)):
        if values.dtype.kind not in "iub":
            raise ValueError(f"expected integer {name}, got {values.dtype}")
    return labels.astype(np.int64), predictions.astype(np.int64)


def _matrix(labels, predictions, classes):
    return confusion_matrix(labels, predictions, 2 if classes is None else classes)


def _ratio(part, whole):
    """Divide; nothing of nothing is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def _one_or_all(values, classes):
    return float(values[1]) if classes is None else values
