"""Interactive figures that compute in the reader's browser, with or without Python.

Each is a class with an ES module beside it in `js/`. In JupyterLab and on Colab the
class and the module share their settings both ways. In the published book the module
runs alone, from the state that the notebook stored. Where no script runs, and on
paper, a still picture stands in.
"""

from lessons.widgets.activation import ActivationExplorer
from lessons.widgets.convolution import ConvolutionExplorer
from lessons.widgets.digit import DigitPad
from lessons.widgets.look import AttentionExplorer
from lessons.widgets.memory import MemoryExplorer
from lessons.widgets.playground import Playground
from lessons.widgets.quiz import Quiz
from lessons.widgets.race import OptimizerRace
from lessons.widgets.stepper import BackpropStepper

__all__ = [
    "ActivationExplorer",
    "AttentionExplorer",
    "BackpropStepper",
    "ConvolutionExplorer",
    "DigitPad",
    "MemoryExplorer",
    "OptimizerRace",
    "Playground",
    "Quiz",
]
