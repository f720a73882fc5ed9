"""One child process in a group of its own, with what it prints, and an end that takes them all.

Knows processes and signals, not what runs in them; `supervisor.py` decides when one is started.
What the child starts itself belongs to its group and ends with it. On Linux the kernel tells the
child when its parent has died, however that came, so that a killed supervisor leaves no orphan.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Callable, Mapping, Sequence

Sink = Callable[[bytes], None]
"""Takes one line of output, without its end."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CHUNK = 65_536
_FLUSH_S = 1.0
_GONE_S = 0.5
_LOOK_S = 0.01


class Child:
    """A running process group. Its leader's output goes to a sink, line by line."""

    def __init__(self, process: Process, output: int, sink: Sink) -> None:
        """`output` is the reading end of the pipe that the process writes to."""
        self._process = process
        self._output = asyncio.create_task(_pass_on(output, sink))

    @classmethod
    async def start(cls, command: Sequence[str], environ: Mapping[str, str], sink: Sink) -> "Child":
        """Start a command. Raises OSError if it cannot be run."""
        # With a pipe of asyncio's own, `wait` would wait for all who hold it: for what a dead
        # leader has left behind.
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=dict(environ),
                stdin=DEVNULL,
                stdout=writing,
                stderr=STDOUT,
                start_new_session=True,
                preexec_fn=_told_of_death(os.getpid()),
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        return cls(process, reading, sink)

    @property
    def pid(self) -> int:
        """The leader's process id, which is the group's too."""
        return self._process.pid

    async def wait(self) -> int:
        """The leader's exit code once it has ended; negative is the signal that ended it."""
        return await self._process.wait()

    async def end(self, grace_s: float) -> None:
        """End the whole group: the leader may take `grace_s` seconds to do it in its own order.

        Idempotent. Cancelled, it ends the group at once.
        """
        try:
            if self._process.returncode is None:
                # The leader alone: told at the same time, its own children would be gone before
                # it could finish what they work at.
                with contextlib.suppress(ProcessLookupError):
                    self._process.terminate()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), grace_s)
        finally:
            # Also when the leader is dead: what it leaves behind keeps port and memory.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        await self._process.wait()
        await _gone(self.pid)
        _, late = await asyncio.wait({self._output}, timeout=_FLUSH_S)
        for output in late:
            output.cancel()


async def _gone(group: int) -> None:
    """Wait until nothing of a killed group is left: the kernel kills in its own time, and until
    then a port is taken. Where nobody collects the dead, not for ever."""
    with contextlib.suppress(ProcessLookupError, PermissionError, TimeoutError):
        async with asyncio.timeout(_GONE_S):
            while True:
                os.killpg(group, 0)
                await asyncio.sleep(_LOOK_S)


async def _pass_on(output: int, sink: Sink) -> None:
    """Give whole lines to the sink; a line without an end in sight is given in parts."""
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(output, "rb", buffering=0)
    )
    with contextlib.closing(transport):
        await _pass_lines(stream, sink)


async def _pass_lines(stream: asyncio.StreamReader, sink: Sink) -> None:
    rest = b""
    while chunk := await stream.read(_CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) >= _CHUNK:
            lines, rest = [*lines, rest], b""
        for line in lines:
            # A full disk loses lines; reading no further would stop the server at its next one.
            with contextlib.suppress(OSError):
                sink(line)
    if rest:
        with contextlib.suppress(OSError):
            sink(rest)


def _told_of_death(parent: int) -> Callable[[], None] | None:
    """What a child runs before it becomes the command: SIGTERM shall reach it when `parent` dies.

    Threads are the danger of code between fork and exec; this takes no lock and allocates nothing
    that another thread may hold.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel knew whom to tell
            os._exit(1)

    return before_exec
