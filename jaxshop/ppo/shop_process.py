"""A process of its own that makes shops, while the one that trains imports JAX and traces: both are Python all through.

`python -m jaxshop.ppo.shop_process` reads pickled orders from stdin and writes what `make_shops` gives to stdout.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Self, cast

if TYPE_CHECKING:  # it imports JAX, which shall happen while the process works
    from jaxshop.ppo.shops import Order


class ShopProcess:
    """Starts when made, ends with the `with` block, or of itself when this process does.

    What it could not give, for whatever reason, is made here: the same, as a seed decides all.
    """

    def __init__(self) -> None:
        command = [sys.executable, "-m", __name__]
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL  # what goes wrong there is told when it goes wrong here
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing)
        self._orders, self._replies = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)

    def make(self, order: Order) -> Iterator[Any]:
        """What `make_shops` yields; orders are worked off in turn, and are to be looked through in the same turn."""
        with suppress(OSError):  # it has ended, so there will be no replies either
            _send(order, self._orders)
        return self._made(order)

    def _made(self, order: Order) -> Iterator[Any]:
        from jaxshop.ppo.shops import make_shops

        for done in range(2):
            try:
                reply = pickle.load(self._replies)
            except (EOFError, OSError, pickle.UnpicklingError):
                yield from islice(make_shops(order), done, None)
                return
            yield reply

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()  # closes the pipes and waits


def _send(thing: Any, stream: IO[bytes]) -> None:
    pickle.dump(thing, stream, pickle.HIGHEST_PROTOCOL)
    stream.flush()


def _serve(orders: IO[bytes], replies: IO[bytes]) -> None:
    from jaxshop.ppo.shops import make_shops

    with ThreadPoolExecutor(1) as writer:  # a pipe holds 64 kB; the next order shall not wait for who reads this one
        while True:
            try:
                order = pickle.load(orders)
            except EOFError:
                return
            for reply in make_shops(order):
                writer.submit(_send, reply, replies)


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
