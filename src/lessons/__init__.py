"""The helper package of the course *From One Neuron to a Large Model*."""

from lessons._precision import keep_float32

__version__ = "0.1.0"

keep_float32()
