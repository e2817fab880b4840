"""A progress bar for the loops over epochs."""

import os
import sys

from tqdm.auto import tqdm


def progress_bar(total: int, done: int, progress: bool | None) -> tqdm:
    """Return a progress bar, shown where somebody can watch it."""
    if progress is None:
        watched = sys.stderr.isatty() or "ipykernel" in sys.modules
        # Asked here, since tqdm's bar for notebooks does not ask.
        progress = watched and os.environ.get("TQDM_DISABLE", "") in ("", "0")
    return tqdm(total=total, initial=done, unit="epoch", disable=not progress)
