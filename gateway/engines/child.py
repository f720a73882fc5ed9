"""One child process in a group of its own, with what it prints, and an end that takes them all.

Knows processes and signals, not what runs in them; `supervisor.py` decides when one is started.
What the child starts itself belongs to its group and ends with it. A shell beside the group waits
for the end of a pipe that only this process holds open: if this process dies, however that comes,
the shell ends the group, so that a killed supervisor leaves no orphan.
"""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable, Mapping, Sequence

Sink = Callable[[bytes], None]
"""Takes one line of output, without its end."""

# The group's number comes as the first line. The leader is told first, as in `Child.end`.
_LEASH = """
read -r group || exit
read -r _
kill -s TERM "$group"
seconds=0
while [ "$seconds" -lt 15 ] && kill -0 "$group"; do sleep 1; seconds=$((seconds + 1)); done
kill -s KILL -- "-$group"
"""
_CHUNK = 65_536
_FLUSH_S = 1.0
_GONE_S = 0.5
_LOOK_S = 0.01


class Child:
    """A running process group. Its leader's output goes to a sink, line by line."""

    def __init__(self, process: Process, leash: Process, output: int, sink: Sink) -> None:
        """`output` is the reading end of the pipe that the process writes to."""
        self._process = process
        self._leash = leash
        self._output = asyncio.create_task(_pass_on(output, sink))

    @classmethod
    async def start(cls, command: Sequence[str], environ: Mapping[str, str], sink: Sink) -> "Child":
        """Start a command. Raises OSError if it cannot be run."""
        leash = await _leash()
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
            )
        except BaseException:
            os.close(reading)
            await _let_go(leash)
            raise
        finally:
            os.close(writing)
        assert leash.stdin is not None
        leash.stdin.write(b"%d\n" % process.pid)
        return cls(process, leash, reading, sink)

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
        await _let_go(self._leash)
        _, late = await asyncio.wait({self._output}, timeout=_FLUSH_S)
        for output in late:
            output.cancel()


async def _leash() -> Process:
    """The shell that ends a group when this process has died; a signal to us does not reach it."""
    return await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", _LEASH, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
    )


async def _let_go(leash: Process) -> None:
    """End the shell, before the pipe that it waits at."""
    with contextlib.suppress(ProcessLookupError):
        leash.kill()
    await leash.wait()


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
