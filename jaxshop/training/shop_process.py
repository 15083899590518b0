"""A process of its own that makes shops, while the one that trains imports JAX and traces: both are Python all through.

`python -m jaxshop.training.shop_process` reads pickled functions and orders from stdin, and writes what they
give to stdout.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, Self, TypeVar, cast

if TYPE_CHECKING:  # it imports JAX, which shall happen while the process works
    from jaxshop.training.shops import ShopOrder

Made = TypeVar("Made")


class ShopProcess:
    """Starts when made; ends with `end`, with the `with` block, or of itself when this process does.

    What it does not give, for whatever reason, is made here: the same, as a seed decides all.
    """

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", __name__]
        environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}  # the same jaxshop, wherever we are
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL  # what goes wrong there is told when it goes wrong here
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing, env=environ)
        self._orders, self._replies = cast(IO[bytes], self.process.stdin), cast(IO[bytes], self.process.stdout)

    def __call__(self, make: Callable[[ShopOrder], Made], order: ShopOrder) -> Callable[[], Made]:
        """Have `make(order)` done there. What this returns waits for it; call it in the order of the calls."""
        with suppress(OSError):  # it has ended, so there will be no replies either
            _send((make, order), self._orders)

        def result() -> Made:
            try:
                return cast(Made, pickle.load(self._replies))
            except Exception:  # it has ended, or something there writes to stdout: nothing more is heard from it
                self._replies.close()
                return make(order)

        return result

    def end(self) -> None:
        """Stop, whatever is under work."""
        self.process.kill()
        self.process.communicate()  # closes the pipes and waits

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()


def _send(thing: Any, stream: IO[bytes]) -> None:
    pickle.dump(thing, stream, pickle.HIGHEST_PROTOCOL)
    stream.flush()


def _serve(orders: IO[bytes], replies: IO[bytes]) -> None:
    import jaxshop.training.shops  # noqa: F401 - before anything is ordered

    todo: SimpleQueue[tuple[Callable[[ShopOrder], Any], ShopOrder]] = SimpleQueue()

    def receive() -> None:
        with suppress(Exception):
            while True:
                todo.put(pickle.load(orders))
        os._exit(0)  # the owner has ended: nobody waits for what is under work

    def give(reply: Any) -> None:
        try:
            _send(reply, replies)
        except BaseException:
            os._exit(1)  # or the next reply would be taken for this one

    Thread(target=receive, daemon=True).start()
    with ThreadPoolExecutor(1) as writer:  # a pipe holds 64 kB; the next order shall not wait for who reads this one
        while True:
            make, order = todo.get()
            writer.submit(give, make(order))


if __name__ == "__main__":
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library's greeting is no reply
    _serve(sys.stdin.buffer, replies)
