"""Runs the application under uvicorn: command line, signals, exit codes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn

from jaxshop.serving import logs
from jaxshop.serving.front import Front
from jaxshop.serving.service import Service, jax_engine
from jaxshop.serving.settings import Settings, load_settings
from jaxshop.support.arguments import Parser
from jaxshop.support.errors import ShopError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from jaxshop.serving.service import EngineFactory


class Server(uvicorn.Server):
    """uvicorn, but SIGTERM and SIGINT turn readiness off first, and a clean stop exits with 0.

    uvicorn raises the signal again after its shutdown, so that a supervisor would see a killed process.
    """

    def __init__(self, settings: Settings, make_engine: EngineFactory):
        self.service = Service(settings, make_engine, on_failure=self.stop)
        self.loop: asyncio.AbstractEventLoop | None = None
        super().__init__(
            uvicorn.Config(
                Front(_load, self.service),
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="on",
                timeout_keep_alive=10,
                timeout_graceful_shutdown=max(1, round(settings.drain_s)),
            )
        )

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal or a failed warm-up."""
        self.loop = asyncio.get_running_loop()
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections, and tell where."""
        await super().startup(sockets)
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            cpu = round(time.process_time(), 2)
            logs.event("listening", cpu_seconds=cpu, url=f"http://{f'[{host}]' if ':' in host else host}:{port}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; a second signal stops at once."""
        if self.service.draining:
            self.force_exit = self.should_exit = True
            return
        logs.event("stopping", signal=signal.Signals(sig).name)
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self.service.begin_drain()
        asyncio.get_running_loop().call_later(self.service.settings.unready_s, self.stop)

    def stop(self) -> None:
        """End the main loop; any thread may call this."""
        self.should_exit = True


def main(argv: Sequence[str] | None = None, make_engine: EngineFactory = jax_engine, prog: str = "serve.py") -> int:
    """Serve; returns 0 after a clean stop, 1 after a failure, 2 for bad settings or a bad checkpoint."""
    try:
        settings = load_settings(**vars(_parser(prog).parse_args(argv)))
        logs.configure(settings.log_level)
        listener = _listen(settings.host, settings.port)
    except ShopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    server = Server(settings, make_engine)
    server.run([listener])
    code = _exit_code(server.service.failure)
    if server.service.left_behind:
        # The interpreter would wait for every thread that compiles, a minute maybe. What Numba has done is kept.
        sys.stderr.flush()
        os._exit(code)
    return code


def _exit_code(failure: Exception | None) -> int:
    if isinstance(failure, ShopError):
        print(f"error: {failure}", file=sys.stderr)
        return 2
    return 0 if failure is None else 1


def _load(service: Service) -> FastAPI:
    from jaxshop.serving.app import create_app

    return create_app(service)


def _parser(prog: str) -> Parser:
    parser = Parser(
        prog=prog,
        description="Serve schedules over HTTP. Keys come from the environment (JAXSHOP_API_KEYS=name:key),"
        " and so may every setting (JAXSHOP_PORT=8000).",
    )
    parser.add_argument("--checkpoint", metavar="DIR", help="default: the one that ships with the package")
    parser.add_argument("--host", metavar="H", help="default: 127.0.0.1")
    parser.add_argument("--port", metavar="N", type=int, help="default: 8000")
    parser.add_argument("--no-auth", action="store_true", default=None, help="no keys; on a loopback address only")
    return parser


def _listen(host: str, port: int) -> socket.socket:
    """Bind before anything is loaded, so that a port in use is one line and exit code 2."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return _bound(family, address)
    except OSError as error:
        raise ShopError(f"cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}") from None


def _bound(family: int, address: Any) -> socket.socket:
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener
