"""Bytes in, bytes out: from a request's body through the safe scheduler to the reply. Runs in worker threads.

It imports SciPy, so the warm-up thread imports it, not the server.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import scipy.optimize  # noqa: F401 - a certificate may need it, and no caller's time limit shall pay for its import

from jaxshop.bounds import certify
from jaxshop.schedule import Schedule
from jaxshop.serving import database
from jaxshop.serving.bodies import WHERE, decoded, encoded, shop_and_schedule
from jaxshop.serving.device import DeviceThread
from jaxshop.serving.export_schemas import ExportOptions
from jaxshop.serving.exporter import Exported, exported
from jaxshop.serving.logs import event, log
from jaxshop.serving.metrics import Metrics
from jaxshop.serving.problems import Problem, busy, refusing
from jaxshop.serving.replanner import answer, read_request
from jaxshop.serving.replies import Reply, describe_model, reply_document, verdict_document
from jaxshop.serving.reschedule_schemas import RescheduleOptions
from jaxshop.serving.scheduler import SafeScheduler, alone
from jaxshop.serving.schemas import Options
from jaxshop.serving.settings import Settings
from jaxshop.serving.stopwatch import Stopwatch
from jaxshop.serving.types import (
    Answer,
    Engine,
    Model,
    NotCompiledError,
    Order,
    Progress,
    RejectedError,
    UnverifiedError,
)
from jaxshop.serving.workers import Search
from jaxshop.shop import TICKS_PER_HOUR, LotPlan, Shop, parse_shop, shop_to_json, split_lots
from jaxshop.sources import load_shop
from jaxshop.support.errors import ShopError

LEAST, PATIENCE = 0.25, 0.8
"""Of JAXSHOP_SEARCH_S: what a search gets in a crowd, too; of its time: how long it waits for a place at most."""


class Planner:
    """Answers requests with the model in use; ready when the constructor returns."""

    def __init__(
        self,
        engine: Engine,
        device: DeviceThread,
        metrics: Metrics,
        settings: Settings,
        crowd: Callable[[], float] = alone,
    ):
        """Load the model and measure what rules take; `compile` does the rest of the warm-up.

        Args:
            engine: the policy and `auto`.
            device: the thread that the policy plays in.
            metrics: that answers are counted in.
            settings: the operator's.
            crowd: see `SafeScheduler.search`.

        Raises:
            ShopError: the checkpoint is missing or damaged.
        """
        self._engine, self._device, self._metrics, self._settings = engine, device, metrics, settings
        self._scheduler = SafeScheduler(
            engine, device, settings.stall_s, settings.search_cores, LEAST * settings.search_s
        )
        self._crowd = crowd
        self._reloading = threading.Lock()
        self.demo_shop = encoded(shop_to_json(load_shop("reference")))
        model = device.call(engine.load)
        self._scheduler.measure()
        self._use(model)

    def compile(self, tell: Callable[[int, int, dict[str, int | None] | None], None]) -> None:
        """Compile every size for the policy, which plays in those that are; searches need none of them.

        Args:
            tell: told before each how many are compiled, of how many, and the limits of the one that comes now.

        Raises:
            RejectedError: the model gives no valid schedule.
        """

        def limits(done: int, of: int, size: Any) -> None:
            tell(done, of, None if size is None else self._engine.limits(size))

        self._scheduler.compile(self._model, limits)
        self._metrics.phase = "serving"

    @property
    def stalled(self) -> bool:
        """Whether the device is stuck, so that only rules answer."""
        return self._scheduler.stalled

    def models(self) -> dict[str, Any]:
        """Describe the model in use and the sizes that it takes."""
        quickest, shortest = self._scheduler.quickest, self._scheduler.shortest
        sizes = [
            {
                **self._engine.limits(size),
                "shortest_time_limit_s": quickest[size],
                "shortest_time_limit_with_samples_s": shortest.get(size),
            }
            for size in self._engine.sizes
        ]
        return {"models": [describe_model(self._model) | {"sizes": sizes}]}

    def schedule(
        self,
        body: bytes,
        options: Options,
        waited_s: float,
        *,
        budget_s: float,
        cancelled: threading.Event,
        stopped: threading.Event | None = None,
        report: Callable[[Progress], None] = lambda progress: None,
        author: str | None = None,
    ) -> Reply | Search[Reply]:
        """Answer `POST /v1/schedules`, or say what search has to be run for it.

        Args:
            body: the shop file's JSON.
            options: the query.
            waited_s: seconds that the request spent in the queue.
            budget_s: seconds that this may take, the queue included, where the caller sets no limit.
            cancelled: set by whoever no longer wants the answer.
            stopped: set by whoever wants the best so far, now.
            report: told each improvement.
            author: who asks.

        Raises:
            Problem: the input is refused, or nothing could be verified.
            AbandonedError: the order was cancelled.
        """
        began, clock, model = time.monotonic(), Stopwatch(queue=waited_s), self._model
        self._check(options, budget_s)
        with clock("read"):
            with refusing(WHERE):
                data = decoded(body)
            from_database = database.is_source(data)
            if options.write_back and not from_database:
                raise _refuse("write_back", 'wants the body {"source": "mariadb"}')
            with refusing(WHERE):
                shop = database.read_source().shop if from_database else parse_shop(data, WHERE)
            plan = self._plan(shop, options.max_lot_hours, "query.max_lot_hours")
            with refusing(WHERE):
                try:
                    shortest = self._scheduler.least(plan, options.samples is not None)
                except NotCompiledError as error:
                    raise busy(f"{error}; leave `samples` out to be answered now", 10, "compiling") from None
        _refuse_short_limit(options.time_limit_s, waited_s, shortest)
        order = Order(plan, options.samples, options.seed, began - waited_s + (options.time_limit_s or budget_s))
        order.work, order.report = options.work, report
        order.cancelled, order.stopped = cancelled, stopped or threading.Event()
        if options.samples is None and options.work is None and options.time_limit_s is None:
            order.seconds = self._settings.search_s

        def reply(answer: Answer) -> Reply:
            self._count(answer)
            clock.seconds |= answer.seconds
            with clock("write"):
                document = reply_document(plan, answer, model, options)
                if from_database:
                    stored = database.store(plan, answer, model, options, author) if options.write_back else None
                    document |= {"shop": shop_to_json(shop), "stored": stored}
                written = encoded(document)
            return Reply(written, clock.seconds | {"total": time.monotonic() - began})

        with self._counting():
            course = self._scheduler.begin(order)
            if options.samples is not None:
                return reply(self._scheduler.play(model, course))

        def search(has_place: bool) -> Reply:
            if not has_place:
                order.stopped = threading.Event()  # its own: nobody asked for this
                order.stopped.set()
            with self._counting():
                return reply(self._scheduler.search(course, self._crowd))

        left = course.left - course.stop.elapsed
        return Search(search, max(0.0, min(PATIENCE * left, self._settings.search_s / LEAST)))

    @contextmanager
    def _counting(self) -> Iterator[None]:
        """Count and tell what could not be verified."""
        try:
            yield
        except UnverifiedError as error:
            self._metrics.unanswered.inc()
            log.error("no verified schedule: %s", error)
            raise Problem(500, "unverified", "no schedule passed the verifier, so there is no answer") from None

    def verify(self, body: bytes, bound: bool, waited_s: float) -> Reply:
        """Answer `POST /v1/schedules:verify`; with `bound` a certified bound of the makespan as well."""
        began = time.monotonic()
        plan, schedule = self._pair(body)
        document = verdict_document(plan, schedule)
        if bound:
            document |= {"lower_bound_hours": certify(plan).value / TICKS_PER_HOUR}
        return Reply(encoded(document), {"queue": waited_s, "total": time.monotonic() - began})

    def export(self, body: bytes, options: ExportOptions, waited_s: float) -> Exported:
        """Answer `POST /v1/exports`."""
        return exported(*self._pair(body), options)

    def _pair(self, body: bytes) -> tuple[LotPlan, Schedule]:
        """A body's schedule, and the plan of its shop that it is of."""
        shop, schedule = shop_and_schedule(body)
        return self._plan(shop, schedule.max_lot_hours, "schedule.max_lot_hours"), schedule

    def reschedule(
        self,
        body: bytes,
        options: RescheduleOptions,
        waited_s: float,
        *,
        budget_s: float,
        cancelled: threading.Event,
        stopped: threading.Event | None = None,
        report: Callable[[Progress], None] = lambda progress: None,
        author: str | None = None,
    ) -> Reply | Search[Reply]:
        """Answer `POST /v1/reschedules`: say what search has to be run; without a place for it, repairs answer.

        Arguments and errors are those of `schedule`.
        """
        began, ends = time.monotonic(), [event for event in (cancelled, stopped) if event is not None]
        with refusing(WHERE):
            data = decoded(body)
        asked = read_request(data, WHERE, self._plan, budget_s, options.write_back)
        seconds = asked.time_limit_s
        if seconds is None:  # all of the answer: what is read took its time, and what is written takes about as much
            whole = min(budget_s, self._settings.search_s)
            seconds = max(whole / 2, whole - 2 * (time.monotonic() - began))

        def search(has_place: bool) -> Reply:
            limits = seconds if has_place else 0.0, self._settings.search_cores
            with self._counting():
                ended = lambda: any(event.is_set() for event in ends)  # noqa: E731
                document = answer(asked, *limits, ended, report, author, options.write_back)
            return Reply(encoded(document), {"queue": waited_s, "total": time.monotonic() - began})

        return Search(search, max(0.0, PATIENCE * seconds))

    def reload(self) -> dict[str, Any]:
        """Read the checkpoint again; the new weights are used only after a canary shop went well with them.

        Weights are arguments of the compiled functions, so nothing is compiled, and requests under work keep
        theirs. Raises a 409, and keeps the model, whatever goes wrong.
        """
        if not self._reloading.acquire(blocking=False):
            raise Problem(409, "reload-running", "another reload is under way")
        try:
            deadline = time.monotonic() + self._scheduler.stall_s
            model = self._device.call(self._engine.load, deadline=deadline)
            canary = self._engine.specimen(self._engine.sizes[0])
            self._scheduler.check(model, canary, samples=1, deadline=deadline)
        except Exception as error:
            self._metrics.reloads.labels("refused").inc()
            log.warning("reload refused", exc_info=error)
            told = str(error) if isinstance(error, ShopError | RejectedError) else type(error).__name__
            raise Problem(409, "reload-refused", f"the model in use stays, because of the new one: {told}") from None
        finally:
            self._reloading.release()
        self._use(model)
        self._metrics.reloads.labels("done").inc()
        return describe_model(model)

    def _use(self, model: Model) -> None:
        self._model = model
        self._metrics.model.info({"name": model.name, "fingerprint": model.fingerprint})
        event("model in use", name=model.name, fingerprint=model.fingerprint)

    def _check(self, options: Options, budget_s: float) -> None:
        """Refuse what is beyond this server's limits."""
        if options.time_limit_s is not None and options.time_limit_s > budget_s:
            hint = "a request may ask for more with the header Prefer: respond-async"
            raise _refuse("time_limit_s", f"must be at most {budget_s:g} here; {hint}")
        if options.samples is not None and options.samples > self._settings.max_samples:
            raise _refuse("samples", f"must be at most {self._settings.max_samples}")

    def _plan(self, shop: Shop, max_lot_hours: float | None, path: str) -> LotPlan:
        most = self._settings.max_operations
        try:
            plan = split_lots(shop, max_lot_hours, most)
            if (count := sum(len(lot.operations) for lot in plan.lots)) > most:
                raise ShopError(f"{count} operations of lots are more than {most}, this server's limit: cut fewer lots")
            return plan
        except ShopError as error:
            errors = [{"path": path, "message": fault} for fault in error.faults]
            raise Problem(422, "invalid-input", f"{path}: {error}", errors=errors) from None

    def _count(self, answer: Answer) -> None:
        self._metrics.schedules.labels(answer.source).inc()
        self._metrics.operations.inc(len(answer.schedule.rows))
        self._metrics.samples.inc(answer.samples_done)
        for rejection in answer.rejections:
            event("attempt rejected", logging.WARNING, **rejection._asdict())
        if answer.is_fallback:
            reason = answer.rejections[-1].reason
            self._metrics.fallbacks.labels(reason).inc()
            event("fallback", logging.WARNING, source=answer.source, reason=reason)


def _refuse_short_limit(limit: float | None, waited: float, shortest: float) -> None:
    if limit is not None and limit < shortest:
        message = f"must be at least {shortest:g} for a shop of this size"
        raise _refuse("time_limit_s", message, "time-limit-too-short")
    if limit is not None and limit - waited < shortest / 2:  # `shortest` is generous by a factor of two
        raise busy("the queue took too much of the time limit", waited, kind="queue-too-long")


def _refuse(name: str, message: str, kind: str = "invalid-input") -> Problem:
    return Problem(422, kind, f"query.{name}: {message}", errors=[{"path": f"query.{name}", "message": message}])
