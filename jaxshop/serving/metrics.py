"""Prometheus metrics: one registry a server, labels from fixed sets only."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client import generate_latest as render

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900)


class Metrics:
    """What is counted."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.phase = "warm_up"
        """Or `serving`: after the warm-up, nothing should be compiled any more."""
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        r = self.registry
        self.requests = Counter("jaxshop_requests", "Requests answered", ["method", "route", "status"], registry=r)
        self.latency = Histogram("jaxshop_request_seconds", "Seconds a request", ["route"], buckets=SECONDS, registry=r)
        self.in_flight = Gauge("jaxshop_requests_in_flight", "Requests that have not been answered yet", registry=r)
        self.queue = Gauge("jaxshop_queue_length", "Admitted requests that wait for a thread", registry=r)
        self.working = Gauge("jaxshop_threads_busy", "Admitted requests under work", registry=r)
        self.rejected = Counter("jaxshop_rejected", "Requests refused because the queue was full", registry=r)
        self.jobs = Gauge("jaxshop_jobs", "Asynchronous requests under work here", registry=r)
        self.schedules = Counter("jaxshop_schedules", "Verified schedules handed out", ["source"], registry=r)
        self.operations = Counter("jaxshop_operations", "Operations scheduled", registry=r)
        self.samples = Counter("jaxshop_samples", "Sampled schedules computed", registry=r)
        self.fallbacks = Counter(
            "jaxshop_fallbacks", "Answers given by a rule in a failed search's place", ["reason"], registry=r
        )
        self.unanswered = Counter("jaxshop_unverified", "Requests for which nothing verified was found", registry=r)
        self.compilations = Counter("jaxshop_compilations", "XLA compilations", ["phase"], registry=r)
        self.reloads = Counter("jaxshop_reloads", "Reloads of the model", ["outcome"], registry=r)
        self.model = Info("jaxshop_model", "The model in use", registry=r)
        self.ready = Gauge("jaxshop_ready", "1 while /readyz answers 200", registry=r)
        for phase in ("warm_up", "serving"):
            self.compilations.labels(phase)
        for reason in ("invalid", "late", "failed"):
            self.fallbacks.labels(reason)

    def text(self) -> bytes:
        """Return the exposition."""
        return render(self.registry)
