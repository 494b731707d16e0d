"""Downloads that may be made by a program: resumed where they stopped, checked, never half there.

`python -m tblib data get NAME`.  A file grows under a temporary name and gets its own only when it
is whole and has the published SHA-256.  Libraries for this (pooch, torchvision) begin anew after
an interruption, which is no way to get six gigabytes.
"""

from __future__ import annotations

import re
import shutil
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from ..errors import DataError, did_you_mean
from ..files import held, read_json, sha256, write_json
from .cache import size

CHUNK, PATIENCE = 1 << 20, 60  # bytes at a time, seconds of silence
UCF, HMDB = "https://www.crcv.ucf.edu/data/UCF101", "https://serre-lab.clps.brown.edu"


@dataclass(frozen=True)
class Source:
    """A file to download: `sha256` "" if none is published; `terms` to be read before; what next.

    Sums: tensorflow/datasets (UCF101) and pytorch/vision (HMDB51), which download the same files.
    """

    url: str
    sha256: str
    terms: str
    then: str

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.url.rpartition("/")[2]


SOURCES = {
    "ucf101-lists": Source(
        f"{UCF}/UCF101TrainTestSplits-RecognitionTask.zip",
        "5c0d1a53b8ed364a2ac830a73f405e51bece7d98ce1254fd19ed4a36b224bd27",
        "",
        "the lists are in ucfTrainTestlist/; keep that folder beside the class folders.",
    ),
    "ucf101": Source(
        f"{UCF}/UCF101.rar",
        "",
        "https://www.crcv.ucf.edu/data/UCF101.php",
        "unpack it (`unrar x UCF101.rar`) and set UCF101_ROOT to the folder of class folders.",
    ),
    "hmdb51-lists": Source(
        f"{HMDB}/wp-content/uploads/2013/10/test_train_splits.rar",
        "229c94f845720d01eb3946d39f39292ea962d50a18136484aa47c1eba251d2b7",
        "",
        "unpack it; testTrainMulti_7030_splits belongs beside the class folders.",
    ),
    "hmdb51": Source(
        f"{HMDB}/wp-content/uploads/2013/10/hmdb51_org.rar",
        "9e714a0d8b76104d76e932764a7ca636f929fff66279cda3f2e326fa912a328e",
        f"{HMDB}/resource/hmdb-a-large-human-motion-database/",
        "unpack it, then the archive of each class in it, and set HMDB51_ROOT to that folder.",
    ),
}


def get(name: str, folder: Path, agreed: bool) -> str:
    """Download what a name stands for; return where it is, its sum, and what to do next.

    Args:
        agreed: whether the user has read and accepted the terms of the file.

    Raises:
        DataError: see `source` and `fetch`.
    """
    what = source(name, agreed)
    path, digest = fetch(what, folder)
    told = "as published" if what.sha256 else "none is published to compare with"
    return f"{path}\nSHA-256 {digest} ({told})\nnext: {what.then}"


def source(name: str, agreed: bool) -> Source:
    """Return what a name stands for.

    Raises:
        DataError: the name is missing, unknown or cannot be downloaded, or its terms were not
            agreed to.
    """
    if name == "kinetics400":
        raise DataError(
            "Kinetics-400 is a list of web videos that belong to others, so no program here "
            "downloads it; get annotations and a copy under its terms "
            "(https://github.com/cvdfoundation/kinetics-dataset), put train.csv and val.csv into "
            "annotations/ beside the clips and set KINETICS400_ROOT."
        )
    if not name:
        raise DataError(f"say what to get: python -m tblib data get {' | '.join(SOURCES)}.")
    if name not in SOURCES:
        raise DataError(f"{name!r} cannot be downloaded; {did_you_mean(name, SOURCES)}.")
    found = SOURCES[name]
    if found.terms and not agreed:
        raise DataError(
            f"{found.name} comes with terms that are yours to read: {found.terms}. "
            "If you agree, give the same command with --agree."
        )
    return found


def fetch(what: Source, folder: Path) -> tuple[Path, str]:
    """Download a file into a folder unless it is there; a `.zip` is unpacked beside it.

    Returns:
        The file, and its SHA-256.

    Raises:
        DataError: no connection, an end too early, too little room, or a wrong sum.
        UserError: another process is downloading the same file.
    """
    place = folder / what.name
    with held(folder / f".{what.name}.lock", f"the download of {place}"):
        if not place.is_file():
            part = folder / f".{what.name}.part"
            _complete(what.url, part)
            _check(what, part)
            part.replace(place)
            _note(part).unlink(missing_ok=True)
        digest = _check(what, place)
        if place.suffix == ".zip":
            with zipfile.ZipFile(place) as archive:
                archive.extractall(folder)
    return place, digest


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _complete(url: str, part: Path) -> None:
    """Ask for what is missing, if the file on the server is still the one we began with."""
    known = read_json(_note(part)) if part.is_file() and _note(part).is_file() else {}
    start = part.stat().st_size if known.get("version") else 0
    headers = {"Range": f"bytes={start}-", "If-Range": known["version"]} if start else {}
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            _receive(answer, part, start if answer.status == 206 else 0)
    except urllib.error.HTTPError as error:
        whole = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range") or "")
        if error.code == 416 and whole and int(whole[1]) == start:
            return  # stopped after the last byte, before the file got its name
        raise DataError(
            f"{url} was refused ({error.code} {error.reason}); see the page of the data set for "
            "its present address."
        ) from None
    except (OSError, HTTPException) as error:
        raise DataError(
            f"{url} cannot be downloaded ({error}); what has come is kept, the same command goes "
            "on."
        ) from None


def _receive(answer, part: Path, start: int) -> None:
    """Append to the temporary file, or begin it anew."""
    length = answer.headers.get("Content-Length")
    total = start + int(length) if length else None
    free = shutil.disk_usage(part.parent).free
    if total and total - start > free:
        raise DataError(
            f"{part.parent} has {size(free)} free, {size(total - start)} are needed; free space "
            "there or choose another folder with --to."
        )
    version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
    write_json(_note(part), {"version": "" if version.startswith("W/") else version})
    print(f"{part.name[1:-5]}: {size(start)} of {size(total) if total else '?'}", flush=True)
    with part.open("r+b" if start else "wb") as file:
        file.seek(start)
        file.truncate()
        while block := answer.read(CHUNK):
            file.write(block)
        got = file.tell()
    if total is not None and got < total:
        raise OSError(f"the connection ended after {got} of {total} bytes")


def _check(what: Source, path: Path) -> str:
    digest = sha256(path)
    if what.sha256 and digest != what.sha256:
        path.unlink()
        raise DataError(
            f"{what.name} is not the published file: its SHA-256 is {digest[:12]}…, not "
            f"{what.sha256[:12]}…. It was removed; download it again, or from another place."
        )
    return digest
