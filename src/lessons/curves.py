"""What a score tells before a threshold is chosen: ROC and precision-recall.

Reach these as `lessons.metrics.roc_curve` and so on.
"""

import numpy as np


def roc_curve(labels, scores):
    """Give false and true positive rate at every threshold.

    A row is predicted positive if `score >= threshold`;
    `false_rate = false_positives / negatives`,
    `true_rate = true_positives / positives`.

    Parameters
    ----------
    labels : (n,) 0 or 1, both present
    scores : (n,) finite; higher means rather 1

    Returns
    -------
    false_rate : (m,) float64, rising from 0 to 1
    true_rate : (m,) float64, rising from 0 to 1
    thresholds : (m,) float64, falling from infinity

    Raises
    ------
    ValueError
        If a shape or a value is not as above, or only one class is present.

    Notes
    -----
    Equal scores share one point. scikit-learn's `roc_curve` also leaves out
    points on a straight line, unless told `drop_intermediate=False`. Built in
    chapter 06.

    Examples
    --------
    >>> false_rate, true_rate, thresholds = roc_curve([0, 1, 1], [0.2, 0.2, 0.7])
    >>> false_rate.tolist(), true_rate.tolist(), thresholds.tolist()
    ([0.0, 0.0, 1.0], [0.0, 0.5, 1.0], [inf, 0.7, 0.2])
    """
    labels, scores = _scored(labels, scores)
    if labels.all():
        raise ValueError("expected labels of both classes, got only 1")
    false, true, thresholds = _counts(labels, scores)
    false, true = np.append(0, false), np.append(0, true)
    return false / false[-1], true / true[-1], np.append(np.inf, thresholds)


def auc(labels, scores) -> float:
    """Give the area under the ROC curve.

    `auc = trapezoid(true_rate, false_rate)`, which is the chance that a random
    positive scores above a random negative, ties counting one half.

    Parameters
    ----------
    labels : (n,) 0 or 1, both present
    scores : (n,) finite; higher means rather 1

    Returns
    -------
    float in [0, 1]; 0.5 at chance

    Raises
    ------
    ValueError
        If a shape or a value is not as above, or only one class is present.

    Notes
    -----
    scikit-learn calls it `roc_auc_score`; its `auc` takes a curve. Source: Hanley
    and McNeil (1982) for the chance. Built in chapter 06.

    Examples
    --------
    >>> auc([0, 1, 0, 1], [0.1, 0.4, 0.4, 0.9])
    0.875
    """
    false_rate, true_rate, _ = roc_curve(labels, scores)
    return float(np.trapezoid(true_rate, false_rate))


def precision_recall_curve(labels, scores):
    """Give precision and recall at every threshold.

    A row is predicted positive if `score >= threshold`;
    `precision = true_positives / predicted_positives`,
    `recall = true_positives / positives`.

    Parameters
    ----------
    labels : (n,) 0 or 1, with at least one 1
    scores : (n,) finite; higher means rather 1

    Returns
    -------
    precision : (m + 1,) float64, the last one 1 by convention
    recall : (m + 1,) float64, falling from 1 to 0
    thresholds : (m,) float64, rising

    Raises
    ------
    ValueError
        If a shape or a value is not as above, or no label is 1.

    Notes
    -----
    The same points and order as scikit-learn's. Built in chapter 06.

    Examples
    --------
    >>> points = precision_recall_curve([0, 1, 1], [0.2, 0.5, 0.7])
    >>> [values.round(3).tolist() for values in points]
    [[0.667, 1.0, 1.0, 1.0], [1.0, 1.0, 0.5, 0.0], [0.2, 0.5, 0.7]]
    """
    false, true, thresholds = _counts(*_scored(labels, scores))
    precision = np.append((true / (true + false))[::-1], 1.0)
    recall = np.append((true / true[-1])[::-1], 0.0)
    return precision, recall, thresholds[::-1]


def average_precision(labels, scores) -> float:
    """Give the average of the precisions, weighted by the steps in recall.

    `average_precision = sum((recall[i] - recall[i + 1]) * precision[i])`

    Parameters
    ----------
    labels : (n,) 0 or 1, with at least one 1
    scores : (n,) finite; higher means rather 1

    Returns
    -------
    float in (0, 1]; the share of positives at chance

    Raises
    ------
    ValueError
        If a shape or a value is not as above, or no label is 1.

    Notes
    -----
    A sum of steps, not trapezoids, which would be too hopeful; scikit-learn does
    the same. Built in chapter 06.

    Examples
    --------
    >>> average_precision([0, 1, 0, 1], [0.1, 0.3, 0.5, 0.9])
    0.8333333333333333
    """
    precision, recall, _ = precision_recall_curve(labels, scores)
    return float(-np.sum(np.diff(recall) * precision[:-1]))


def binary(labels, values, name):
    """Check labels 0 or 1 of shape (n,) and one finite value for each."""
    labels, values = np.asarray(labels), np.asarray(values, np.float64)
    if labels.ndim != 1 or len(labels) == 0:
        raise ValueError(f"expected labels of shape (n,), got {labels.shape}")
    if values.shape != labels.shape:
        raise ValueError(f"expected {name} of shape {labels.shape}, got {values.shape}")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"expected labels 0 or 1, got {np.unique(labels).tolist()}")
    if not np.isfinite(values).all():
        raise ValueError(f"expected finite {name}, got NaN or infinity")
    return labels.astype(bool), values


def _scored(labels, scores):
    """Labels with at least one 1, and their scores."""
    labels, scores = binary(labels, scores, "scores")
    if not labels.any():
        raise ValueError("expected at least one label 1, got only 0")
    return labels, scores


def _counts(labels, scores):
    """False and true positives at each distinct score, the highest first."""
    order = np.argsort(-scores, kind="stable")
    labels, scores = labels[order], scores[order]
    last_of_tie = np.append(scores[1:] != scores[:-1], True)
    true = np.cumsum(labels)[last_of_tie]
    false = np.cumsum(~labels)[last_of_tie]
    return false, true, scores[last_of_tie]
