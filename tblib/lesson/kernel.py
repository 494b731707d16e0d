"""The process that runs a chapter: this Python, without anything a user's home adds to it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from traitlets import default

from ..engine import stopping
from ..settings.profiles import FOLDERS, settled_environment

LANGUAGE = {"display_name": "Python 3 (ipykernel)", "language": "python"}
ENCRYPTION = {"supported_encryption": ["curve"]}
# Where IPython and Jupyter keep start-up files, settings and sockets: by default in the home.
KEPT = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")


@contextmanager
def undisturbed() -> Iterator[None]:
    """Give a kernel folders of its own while the block runs, and take them away after it.

    A start-up file that sets a seed or imports something would change results, and a home that is
    missing or write-protected, as in a container, would end the chapter.  Folders that the
    environment names keep their meaning although the kernel works elsewhere.
    """
    before = {name: os.environ.get(name) for name in (*KEPT, *FOLDERS, "HOME")}
    with tempfile.TemporaryDirectory(prefix="tblib-kernel-") as folder:
        os.environ.update({name: f"{folder}/{name.lower()}" for name in KEPT})
        os.environ.update(settled_environment())
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})


class ThisPython(AsyncKernelManager):
    """Start kernels with the running interpreter, whatever kernels the user has registered."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """Describe the kernel: this Python, and plain lines instead of progress bars."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, env={"TB_PROGRESS": "0"}, metadata=ENCRYPTION, **LANGUAGE)

    async def start_kernel(self, **options: Any) -> None:
        """Start the kernel and pass signals on to it: it saves, where nbclient would end it."""
        await super().start_kernel(**options)
        loop = asyncio.get_running_loop()
        for number in stopping.EVERY:
            loop.remove_signal_handler(number)
            signal.signal(number, self._pass_on)
        if stopping.asked():
            self._pass_on(signal.SIGTERM)

    def _pass_on(self, number: int, *_) -> None:
        """Ask the whole group, the kernel and the workers that train for it."""
        stopping.ask(number)
        with suppress(ProcessLookupError):
            os.killpg(self.provisioner.pgid, signal.SIGTERM)

    async def _async_interrupt_kernel(self) -> None:
        """Ask a kernel to end without interrupting it first, which it would report as an error."""
        if not self.shutting_down:
            await super()._async_interrupt_kernel()

    @default("transport_encryption")
    def _encrypt(self) -> str:
        return "auto"  # spares the reader a warning; nothing leaves this machine either way
