"""Processor, memory, disk, PyTorch's devices and the datasets that are here."""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import textwrap
from pathlib import Path

UCF101_HELP = (
    "UCF101 is optional: get UCF101.rar and UCF101TrainTestSplits-RecognitionTask.zip from "
    "https://www.crcv.ucf.edu/data/UCF101.php, unpack both into one folder and set UCF101_ROOT."
)
GIB = 2**30


def pytorch() -> tuple[list[str], bool]:
    """Import torch and torchvision, which can fail in many ways, and name their devices."""
    # A broken binary raises OSError, RuntimeError or worse; whatever it is must be reported here.
    try:
        torch = importlib.import_module("torch")
        importlib.import_module("torchvision")
        lines = [f"PyTorch   {torch.__version__} uses {torch.get_num_threads()} threads"]
        return [*lines, *_cuda(torch)], True
    except Exception as error:
        reason = str(error).strip().splitlines()
        return [
            f"PROBLEM   torch or torchvision does not load: {reason[0] if reason else error!r}",
            '          pip install --force-reinstall "torch>=2.10" "torchvision>=0.25"',
        ], False


def _cuda(torch) -> list[str]:
    if not torch.cuda.is_available():
        return ["GPU       none that CUDA can use; the smoke and laptop profiles need none"]
    devices = (torch.cuda.get_device_properties(k) for k in range(torch.cuda.device_count()))
    return [f"GPU {k:<5} {d.name}, {d.total_memory / GIB:.0f} GiB" for k, d in enumerate(devices)]


def cpu_name() -> str:
    """Return the model of the processor."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.is_file() else ""
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return named.group(1) if named else platform.processor() or platform.machine()


def cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory() -> str:
    """Return free and total memory in words."""
    info = Path("/proc/meminfo")
    if info.is_file():
        sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB", info.read_text(), re.MULTILINE))
        free, total = (int(sizes[key]) / 2**20 for key in ("MemAvailable", "MemTotal"))
        return f"{free:.1f} GiB free of {total:.1f} GiB"
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / GIB:.1f} GiB in all"
    return "unknown on this system"


def data() -> tuple[list[str], bool]:
    """Report the data folder, its free disk, and the datasets in it."""
    try:
        from ...settings.profiles import data_home
    except ImportError as error:
        return [f"PROBLEM   the configuration does not load: {error}"], False
    home = data_home()
    existing = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(existing).free / GIB
    disk = f"Disk      {free:.1f} GiB free for {home}"
    low = ["PROBLEM   less than 1 GiB free; set TB_DATA to a folder with room"] if free < 1 else []
    return [disk, *low, *_sticks(home), *_ucf101()], not low


def _sticks(home: Path) -> list[str]:
    found = sorted(path.parent for path in home.glob("*/dataset.json")) if home.is_dir() else []
    lines = [f"Data      StickActions: {path} ({_videos(path, 'mp4')} videos)" for path in found]
    return lines or ["Data      StickActions: not generated yet; chapter 1 does it on first use"]


def _videos(folder: Path, suffix: str) -> int:
    return sum(1 for _ in folder.glob(f"*/*.{suffix}"))


def _ucf101() -> list[str]:
    named = os.environ.get("UCF101_ROOT")
    if not named:
        return textwrap.wrap(
            UCF101_HELP, 98, initial_indent="Data      ", subsequent_indent=" " * 10
        )
    root = Path(named).expanduser()
    videos = root / "UCF-101" if (root / "UCF-101").is_dir() else root
    count = _videos(videos, "avi") if videos.is_dir() else 0
    if not count:
        return [f"optional  UCF101_ROOT={named} holds no <Class>/*.avi; set it to UCF101's folder"]
    return [f"Data      UCF101: {videos} ({count} videos; 13320 are all), {_lists(root)}"]


def _lists(root: Path) -> str:
    places = [base / sub for base in (root, root.parent)
              for sub in ("ucfTrainTestlist", "splits/ucfTrainTestlist", "")]  # fmt: skip
    found = next((place for place in places if (place / "classInd.txt").is_file()), None)
    return f"lists in {found}" if found else "but no list files (classInd.txt, trainlist01.txt)"
