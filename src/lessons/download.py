"""Full data sets, fetched once and kept, for `data.load(name, full=True)`."""

import os
import pathlib
from typing import NamedTuple

_TIMEOUT = 30  # seconds without a byte before the server counts as gone


class FullFile(NamedTuple):
    """A file on the network and the checksum by which it is known."""

    url: str
    sha256: str


def cache_dir() -> pathlib.Path:
    """Tell where downloaded files are kept.

    The environment variable LESSONS_DATA names another folder.

    Returns
    -------
    pathlib.Path; the folder need not exist yet

    Notes
    -----
    Used from chapter 04 on.

    Examples
    --------
    >>> cache_dir().name in ("lessons", "Cache") or "LESSONS_DATA" in os.environ
    True
    """
    # Imported here because most readers never download, and it takes 0.1 s.
    import pooch

    return pathlib.Path(os.environ.get("LESSONS_DATA") or pooch.os_cache("lessons"))


def fetch(full: FullFile) -> pathlib.Path:
    """Give the path of a full file, downloading it if it is not kept yet.

    Parameters
    ----------
    full : FullFile

    Returns
    -------
    pathlib.Path of a file whose SHA-256 is the known one

    Raises
    ------
    ConnectionError
        If the server can not be reached, answers with an error or stops halfway.
    ValueError
        If what arrived has another checksum. It is not kept.

    Notes
    -----
    pooch writes to a temporary file, compares the checksum and only then moves
    the file into place, so nothing half done replaces a good file. Used in
    chapter 04.

    Examples
    --------
    >>> url = "https://example.org/mnist.npz"
    >>> fetch(FullFile(url, 64 * "0")).name  # doctest: +SKIP
    'mnist.npz'
    """
    import pooch
    import requests

    name = full.url.rpartition("/")[2]
    place = cache_dir() / name
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=_TIMEOUT)
    try:
        path = pooch.retrieve(
            full.url,
            f"sha256:{full.sha256}",
            fname=name,
            path=place.parent,
            downloader=downloader,
        )
    except requests.RequestException as error:
        raise ConnectionError(_advice("could not download", full, place)) from error
    except ValueError as error:
        raise ValueError(_advice("wrong checksum from", full, place)) from error
    return pathlib.Path(path)


def _advice(trouble, full, place):
    """Say what was tried and the two ways on."""
    kept = "The file kept there has another checksum. " if place.exists() else ""
    return (
        f"{trouble} {full.url}. {kept}"
        f"Put the file with SHA-256 {full.sha256} at {place} by hand, "
        "or call load without full=True: the sample needs no network."
    )
