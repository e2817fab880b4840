"""The helper package of the course *From One Neuron to a Large Model*."""

__version__ = "0.1.0"
