"""Digits as a hand draws them: strokes of points, x to the right and y down, 0 to 1.

Each digit comes in several ways of writing it. They are written for the tests of the
digit pad and took no part in its training.
"""

import itertools
import math


def line(*corners, steps=8):
    """Return points along straight pieces between corners."""
    points = [corners[0]]
    for (ax, ay), (bx, by) in itertools.pairwise(corners):
        points += [
            (ax + (bx - ax) * k / steps, ay + (by - ay) * k / steps)
            for k in range(1, steps + 1)
        ]
    return points


def arc(x, y, rx, ry, start, end, steps=24):
    """Return points on an ellipse, angles in degrees: 0 is right, 90 is down."""
    turn = [math.radians(start + (end - start) * k / steps) for k in range(steps + 1)]
    return [(x + rx * math.cos(t), y + ry * math.sin(t)) for t in turn]


DIGITS = {
    0: {
        "round": [arc(0.5, 0.5, 0.28, 0.36, -90, -450)],
        "narrow": [arc(0.5, 0.5, 0.18, 0.38, -70, -430)],
        "wide": [arc(0.5, 0.5, 0.34, 0.32, -90, 270)],
    },
    1: {
        "bar": [line((0.5, 0.12), (0.5, 0.88))],
        "leaning": [line((0.6, 0.12), (0.42, 0.88))],
        "with a flag": [line((0.4, 0.26), (0.52, 0.12), (0.5, 0.88))],
    },
    2: {
        "sharp": [
            arc(0.5, 0.32, 0.24, 0.2, -170, 30)
            + line((0.7, 0.44), (0.26, 0.86), (0.76, 0.86))
        ],
        "swan": [
            arc(0.48, 0.3, 0.22, 0.18, -180, 20)
            + line((0.68, 0.38), (0.5, 0.64), (0.28, 0.84), steps=5)
            + line((0.28, 0.84), (0.5, 0.8), (0.78, 0.86), steps=5)
        ],
        "looped": [
            arc(0.5, 0.3, 0.22, 0.18, -170, 40)
            + line((0.66, 0.42), (0.4, 0.78), steps=6)
            + arc(0.34, 0.78, 0.09, 0.07, 0, 270, 12)
            + line((0.36, 0.72), (0.56, 0.84), (0.78, 0.82), steps=5)
        ],
    },
    3: {
        "round": [
            arc(0.46, 0.31, 0.22, 0.18, -150, 90) + arc(0.46, 0.68, 0.26, 0.2, -90, 150)
        ],
        "flat top": [
            line((0.28, 0.14), (0.7, 0.14), (0.48, 0.42))
            + arc(0.46, 0.65, 0.25, 0.22, -80, 150)
        ],
        "leaning": [
            arc(0.52, 0.3, 0.2, 0.17, -160, 80) + arc(0.46, 0.67, 0.24, 0.2, -80, 160)
        ],
    },
    4: {
        "open": [
            line((0.3, 0.14), (0.26, 0.54), (0.76, 0.54)),
            line((0.64, 0.14), (0.6, 0.88)),
        ],
        "closed": [
            line((0.62, 0.88), (0.62, 0.12), (0.22, 0.62), (0.8, 0.62)),
        ],
        "two strokes": [
            line((0.5, 0.12), (0.22, 0.58), (0.78, 0.58)),
            line((0.6, 0.36), (0.58, 0.9)),
        ],
    },
    5: {
        "two strokes": [
            line((0.36, 0.14), (0.32, 0.44), steps=6)
            + arc(0.46, 0.64, 0.24, 0.22, -115, 140),
            line((0.36, 0.14), (0.74, 0.13)),
        ],
        "one stroke": [
            line((0.74, 0.13), (0.36, 0.14), (0.32, 0.46), steps=6)
            + arc(0.44, 0.65, 0.25, 0.22, -115, 145)
        ],
        "leaning": [
            line((0.82, 0.14), (0.46, 0.16), (0.38, 0.44), steps=6)
            + arc(0.46, 0.64, 0.22, 0.2, -105, 150)
        ],
    },
    6: {
        "curved": [
            arc(0.66, 0.62, 0.38, 0.5, -110, -180, 14)
            + arc(0.5, 0.66, 0.22, 0.2, -180, -540)
        ],
        "straight": [
            line((0.6, 0.12), (0.36, 0.48), (0.3, 0.66), steps=6)
            + arc(0.48, 0.68, 0.18, 0.18, -180, -530)
        ],
        "small loop": [
            arc(0.7, 0.56, 0.4, 0.46, -100, -180, 14)
            + arc(0.46, 0.7, 0.16, 0.16, -200, -540)
        ],
    },
    7: {
        "plain": [line((0.24, 0.16), (0.76, 0.16), (0.42, 0.88))],
        "hooked": [line((0.26, 0.26), (0.26, 0.16), (0.76, 0.14), (0.46, 0.88))],
        "curved": [
            line((0.24, 0.18), (0.74, 0.16), steps=6)
            + line((0.74, 0.16), (0.58, 0.44), (0.5, 0.88), steps=6)
        ],
    },
    8: {
        "one stroke": [
            arc(0.5, 0.3, 0.18, 0.18, 60, -250)
            + arc(0.5, 0.68, 0.22, 0.2, -80, 255)
            + line((0.44, 0.49), (0.59, 0.45), steps=3)
        ],
        "two rings": [
            arc(0.5, 0.3, 0.18, 0.17, -90, 270),
            arc(0.5, 0.67, 0.22, 0.2, -90, 270),
        ],
        "crossed": [
            arc(0.52, 0.28, 0.17, 0.15, -30, -210)
            + line((0.4, 0.38), (0.62, 0.6), steps=5)
            + arc(0.48, 0.7, 0.18, 0.17, -35, 190)
            + line((0.32, 0.66), (0.66, 0.24), steps=6)
        ],
    },
    9: {
        "straight": [
            arc(0.5, 0.32, 0.2, 0.2, 0, -360) + line((0.7, 0.3), (0.66, 0.88)),
        ],
        "curved": [
            arc(0.5, 0.32, 0.2, 0.19, 0, -360) + arc(0.38, 0.4, 0.32, 0.48, -10, 90, 14)
        ],
        "leaning": [
            arc(0.54, 0.3, 0.19, 0.18, -20, -380) + line((0.72, 0.3), (0.52, 0.9)),
        ],
    },
}

CASES = [(digit, style) for digit, styles in DIGITS.items() for style in styles]
