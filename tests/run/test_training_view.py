"""What a person sees of a training, and that stopping its cell costs nothing, in a real kernel."""

import base64
import io
import json
import os
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import same_weights
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from PIL import Image

from tblib.engine import checkpoint
from tblib.run import training_view

pytestmark = pytest.mark.timeout(1500)
OPEN = """
from pathlib import Path
from helpers import tiny_profile
from tblib.settings.config import Runtime
from tblib.methods.job import Job
from tblib.run.jobs import run_jobs
from tblib.run.directory import open_run
config = tiny_profile(data__dataset="ucf101", data__root={root!r}, **{settings!r})
alone = config.model_copy(update={{"runtime": Runtime()}})  # one training at a time
def train(folder, steps={steps}, config=config):
    jobs = [Job(name, "supervised", steps, seed) for seed, name in enumerate(("one", "two"))]
    return run_jobs(open_run(config, Path(folder), 1), jobs)
"""
STEPS, FULL = 200, "\u2588"
TESTS = Path(__file__).resolve().parents[1]
USED = "finished before, used again: one, two"
LIMIT = 500  # seconds; a busy machine is not an error


class Kernel(KernelManager):
    """A kernel of this Python, as JupyterLab starts it: nothing forbids progress bars."""

    kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        language="python",
    )


@pytest.fixture
def kernel(tmp_path):
    """Return a function that executes a cell, and the manager that can interrupt it."""
    manager = Kernel()
    environment = {k: v for k, v in os.environ.items() if k != "TB_PROGRESS"}
    places = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment |= {"TB_DATA": str(tmp_path / "data"), "PYTHONPATH": places}
    manager.start_kernel(env=environment, cwd=str(tmp_path))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=LIMIT)

    def run(cell):
        """Execute a cell; return its reply and everything it showed."""
        shown = []
        reply = client.execute_interactive(cell, timeout=LIMIT, output_hook=shown.append)
        return reply["content"], shown

    yield SimpleNamespace(run=run, manager=manager)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def displayed(shown):
    """Everything that was displayed, each version of it; and the kinds of messages."""
    kinds = [message["header"]["msg_type"] for message in shown]
    data = [message["content"].get("data", {}) for message in shown]
    return [d for d, kind in zip(data, kinds, strict=True) if kind.endswith("display_data")], kinds


def interrupt_when(kernel, log):
    """Press the stop button as soon as a log has some lines."""

    def wait():
        while not log.is_file() or log.read_text().count("\n") < 5:
            time.sleep(0.01)
        kernel.manager.interrupt_kernel()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("jobs", [1, 2], ids=["in the kernel", "side by side"])
def test_a_stopped_cell_goes_on_when_it_is_run_again(kernel, tmp_path, tiny_root, jobs):
    """No state is written before the end of this training unless somebody stops it."""
    settings = {"runtime__jobs": jobs, "runtime__checkpoint_every": 100_000}
    opened = OPEN.format(settings=settings, root=str(tiny_root), steps=STEPS)
    assert kernel.run(opened)[0]["status"] == "ok"
    place = tmp_path / "stopped" / "ckpt" / "one"
    stopper = interrupt_when(kernel, place / "metrics.jsonl")
    reply, shown = kernel.run("train('stopped')")
    stopper.join(LIMIT)
    assert reply["status"] == "error" and reply["ename"] == "Stopped", reply
    assert "saved" in reply["evalue"] and "the cell run again" in reply["evalue"]
    assert len(reply["traceback"]) == 1
    saved = checkpoint.latest_state(place)["step"]
    assert 50 <= saved < STEPS and f"{saved - saved % 10}/{STEPS}" in bars(shown)[-1]

    reply, shown = kernel.run("train('stopped')")
    assert reply["status"] == "ok", reply
    again = kernel.run("train('stopped')")[1]
    assert USED in "".join(message["content"].get("text", "") for message in again)
    assert f"one 100%|{20 * FULL}| {STEPS}/{STEPS}, loss" in bars(shown)[-1]
    assert f"| {2 * STEPS}/{2 * STEPS} [" in bars(shown)[-1]
    assert kernel.run("train('whole', config=alone)")[0]["status"] == "ok"
    for name in ("one", "two"):
        ends = [checkpoint.load_weights(tmp_path / f / "ckpt" / name) for f in ("stopped", "whole")]
        assert same_weights(*ends), name
        logs = [tmp_path / f / "ckpt" / name / "metrics.jsonl" for f in ("stopped", "whole")]
        assert logs[0].read_text() == logs[1].read_text(), "each step once"
    check_drawn_in_place(shown)
    reply, shown = kernel.run("import os; os.environ['TB_PROGRESS'] = '0'; train('batch', 20)")
    assert "".join(m["content"].get("text", "") for m in shown).count("20 steps, loss") == 2
    assert displayed(shown)[0] == []


def write(path, *steps):
    path.write_text("".join(json.dumps({"step": k, "loss": 2 / k}) + "\n" for k in steps))


def test_what_was_there_before_says_nothing_of_the_speed(tmp_path):
    """The log of an older training is not shown; steps that were resumed took no time."""
    logs = {name: tmp_path / name for name in ("old", "resumed", "absent")}
    for name in ("old", "resumed"):
        write(logs[name], *range(10, 101, 10))
        os.utime(logs[name], (1, 1))
    watch = training_view.Watch(logs, dict.fromkeys(logs, 100))
    watch.look()
    assert watch.history == {}
    write(logs["resumed"], *range(10, 51, 10))
    watch.look()
    assert (watch.done("resumed"), watch.done("old"), watch.taken) == (50, 0, 0)
    write(logs["resumed"], *range(10, 61, 10))
    watch.look()
    assert watch.taken == 10
    watch.begin = time.monotonic() - 20  # ten steps in twenty seconds, 240 to go
    assert "| 60/300 [00:20<08:00," in watch.meter()
    old, resumed, absent, whole = watch.meters().splitlines()
    assert "0/100" in old and "60/100, loss 0.033" in resumed and "0/100" in absent
    logs["resumed"].unlink()
    watch.look()
    assert watch.done("resumed") == 60


def test_the_clock_starts_with_the_first_steps(tmp_path):
    """Starting processes and reading videos took no steps; a training begun later counts whole."""
    watch = training_view.Watch(
        logs := {name: tmp_path / name for name in "ab"}, {"a": 40, "b": 40}
    )
    watch.look()
    assert watch.begin is None and "| 0/80 [00:00<" in watch.meter()
    write(logs["a"], 10)
    watch.look()
    assert watch.taken == 0 and time.monotonic() - watch.begin < 60
    write(logs["a"], 10, 20)
    write(logs["b"], 10)
    watch.look()
    watch.begin = time.monotonic() - 10  # twenty steps in ten seconds, fifty to go
    assert watch.taken == 20 and "| 30/80 [00:10<00:25,  2.00step/s]" in watch.meter()


def test_nothing_is_shown_where_nobody_looks(tmp_path, monkeypatch, capsys):
    run = SimpleNamespace(folder=lambda name: tmp_path / name)
    jobs = [SimpleNamespace(name="one", steps=20)]
    (tmp_path / "one").mkdir()
    for value, bar in (("0", ""), ("1", "10/20")):
        monkeypatch.setenv("TB_PROGRESS", value)
        with training_view.shown(run, jobs):
            write(tmp_path / "one" / "metrics.jsonl", 10)
        said = capsys.readouterr()
        assert said.out == "" and (bar in said.err if bar else said.err == "")
        (tmp_path / "one" / "metrics.jsonl").unlink()


def bars(shown):
    return [d["text/plain"] for d in displayed(shown)[0] if "|" in d.get("text/plain", "")]


def check_drawn_in_place(shown):
    """Two places below the cell, drawn over; the second becomes a picture of both curves."""
    data, kinds = displayed(shown)
    assert kinds.count("display_data") == 2 and kinds.count("update_display_data") >= 2
    picture = Image.open(io.BytesIO(base64.b64decode(data[-1]["image/png"])))
    assert picture.width > 400
