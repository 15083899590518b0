"""The server's state: what the routes share, from start to stop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.requests import Request

from jaxshop.search.background import lasting, under_way
from jaxshop.serving import logs
from jaxshop.serving.auth import forbidden
from jaxshop.serving.device import DeviceThread
from jaxshop.serving.job import Job
from jaxshop.serving.jobs import Jobs
from jaxshop.serving.metrics import Metrics
from jaxshop.serving.problems import busy
from jaxshop.serving.settings import Settings
from jaxshop.serving.workers import Workers
from jaxshop.support.errors import DeviceError, ShopError

if TYPE_CHECKING:  # loaded by the warm-up thread: these import SciPy
    from jaxshop.serving.planner import Planner
    from jaxshop.serving.types import Engine
    from jaxshop.serving.webhook import Webhooks

    EngineFactory = Callable[[Settings, Metrics], Engine]


def jax_engine(settings: Settings, metrics: Metrics) -> Engine:
    """Make the engine that runs the policy, on a device that computes what the CPU does; imports JAX."""
    from jaxshop.parallel.devices import start_devices
    from jaxshop.policies.selftest import trust_device
    from jaxshop.serving.engine import JaxEngine, parse_sizes

    start_devices()
    trust_device()

    on_compile = lambda: metrics.compilations.labels(metrics.phase).inc()  # noqa: E731
    return JaxEngine(settings.checkpoint, on_compile, parse_sizes(settings.sizes))


class Service:
    """Starting, ready, stalled, draining or failed; and the parts that requests use."""

    def __init__(
        self, settings: Settings, make_engine: EngineFactory = jax_engine, on_failure: Callable[[], None] = lambda: None
    ):
        """Make a service.

        Args:
            settings: of `load_settings`.
            make_engine: makes the engine, in the warm-up thread.
            on_failure: called, from any thread, if the service can never become ready.
        """
        self.settings, self._make_engine, self._on_failure = settings, make_engine, on_failure
        self.metrics = Metrics()
        self.metrics.ready.set_function(lambda: float(self.status == "ready"))
        self.workers = Workers(settings.threads, settings.queue, settings.searches, self.metrics)
        self._jobs: Jobs | None = None
        self.webhooks: Webhooks | None = None
        self._beating: asyncio.Task[None] | None = None
        self.device = DeviceThread()
        self.failure: Exception | None = None
        self.warming: dict[str, object] | None = None
        """While sizes are compiled, how far that is."""
        self.draining = False
        self.left_behind = False
        """After `stop`: whether a thread goes on, inside XLA, Numba or a search, which nothing can interrupt."""
        self._warming = threading.Thread(target=self._warm_up, name="warm-up", daemon=True)
        self._drained: asyncio.Task[None] | None = None
        self._drain_ends = 0.0
        self._planner: Planner | None = None

    @property
    def status(self) -> str:
        """The word that `/readyz` says."""
        if self.failure is not None:
            return "failed"
        if self.draining:
            return "draining"
        if self._planner is None:
            return "starting"
        return "stalled" if self._planner.stalled else "ready"

    @property
    def planner(self) -> Planner:
        """The planner; raises a 503 before the warm-up is done. While the device is stalled, rules answer."""
        if self._planner is None:
            raise busy("the server is still warming up", 5, kind="not-ready")
        return self._planner

    @property
    def jobs(self) -> Jobs:
        """The asynchronous requests; there are some once `open` has returned."""
        assert self._jobs is not None
        return self._jobs

    def open(self) -> None:
        """Open the store of asynchronous requests; blocks. Raises ShopError where it cannot be used."""
        from jaxshop.serving.background import work_of
        from jaxshop.serving.store import open_store

        settings = self.settings
        store = open_store(settings.store, settings.lease_s)
        self._jobs = Jobs(
            *(store, work_of(self), settings.max_jobs, settings.job_ttl_s, settings.keep_jobs),
            self.metrics.jobs.set,
            self._tell_ended,
        )
        if key := settings.webhook_key.get_secret_value():
            from jaxshop.serving.webhook import Webhooks

            self.webhooks = Webhooks(key, settings.webhook_hosts)

    def _tell_ended(self, job: Job) -> None:
        url = job.ask.options.get("webhook")
        if self.webhooks is not None and url is not None:
            error = None if job.problem is None else job.problem.document()
            self.webhooks.tell(url, job.entry() | {"error": error})

    def start(self) -> None:
        """Warm up in a thread of its own, so that `/livez` answers meanwhile."""
        if self.draining:
            return
        self._beating = asyncio.get_running_loop().create_task(self.jobs.beat(self.settings.lease_s / 4))
        self._warming.start()

    def fail(self, error: Exception) -> None:
        """Give up: the service can never become ready.

        A device that errs does not end it: who reads `/readyz` sees what is wrong, and no restart would help.
        """
        self.failure = error
        if isinstance(error, DeviceError):
            logs.log.error("the device errs: %s", error)
            return
        if not isinstance(error, ShopError):
            logs.log.error("the start failed", exc_info=error)
        self._on_failure()

    def begin_drain(self) -> None:
        """Turn readiness off and give what is under work its time to end."""
        self.draining = True
        if self._drained is None and self._jobs is not None:
            self._drain_ends = time.monotonic() + self.settings.drain_s
            self._drained = asyncio.get_running_loop().create_task(self.jobs.drain(self.settings.drain_s))

    async def stop(self) -> None:
        """Wait for the drain, then end the threads; a stuck device is left behind."""
        self.begin_drain()
        if self._drained is not None:
            await self._drained
            await self.jobs.close(self._drain_ends - time.monotonic())
        if self._beating is not None:
            self._beating.cancel()
        if self.webhooks is not None:
            self.webhooks.stop()
        self.workers.stop()
        ended = await asyncio.to_thread(self.device.stop, 1.0)
        self.left_behind = not ended or self._warming.is_alive() or not self.workers.idle or under_way()
        logs.event("stopped", device_ended=ended)

    def _warm_up(self) -> None:
        began = time.monotonic()
        try:
            from jaxshop.serving.planner import Planner

            settings = self.settings
            engine = self._make_engine(settings, self.metrics)
            planner = Planner(engine, self.device, self.metrics, settings, lambda: self.workers.crowd)
            # Before `ready` is said, lest somebody take it for warm.
            self.warming = {"compiled": 0, "of": len(engine.sizes), "now": ""}
            self._planner = planner
            self.jobs.takes_over = not self.draining
            cpu = round(time.process_time(), 2)
            logs.event("ready", seconds=round(time.monotonic() - began, 2), cpu_seconds=cpu, beside=lasting())
            planner.compile(self._tell)
        except Exception as error:
            if not self.draining:  # a stop takes the device away from a warm-up, which is no failure
                self.fail(error)
        else:
            logs.event("warm", seconds=round(time.monotonic() - began, 2))
            if lasting():
                while lasting() and not self.draining:
                    time.sleep(0.2)
                logs.event("kernels are there", seconds=round(time.monotonic() - began, 2))

    def _tell(self, done: int, of: int, size: dict[str, int | None] | None) -> None:
        if self.draining:
            raise StoppedError
        told = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in (size or {}).items() if value)
        self.warming = {"compiled": done, "of": of, "now": told} if size else None
        if size:
            logs.event("compiling a size", number=done + 1, of=of, size=told)


class StoppedError(Exception):
    """The server stops, so that nothing else is to be compiled."""


def service_of(request: Request) -> Service:
    """The request's service (a FastAPI dependency)."""
    return request.app.state.service


def needs(role: str) -> Callable[[Request], None]:
    """A FastAPI dependency that refuses callers without a role."""

    def check(request: Request) -> None:
        if not request.scope["caller"].may(role):
            raise forbidden(role)

    return check
