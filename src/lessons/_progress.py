"""A progress bar for the loops over epochs."""

import sys

from tqdm.auto import tqdm


def progress_bar(total: int, done: int, progress: bool | None) -> tqdm:
    """Return a progress bar, shown where somebody can watch it."""
    watched = sys.stderr.isatty() or "ipykernel" in sys.modules
    # With no word from the caller or from here, tqdm asks TQDM_DISABLE.
    silence = {} if progress is None and watched else {"disable": not progress}
    return tqdm(total=total, initial=done, unit="epoch", **silence)
