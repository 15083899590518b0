"""A server with the real engine on the smallest size only: `python -m tests.serving.real_server --port 0`."""

import sys

from jaxshop.serving.metrics import Metrics
from jaxshop.serving.scheduler import Engine
from jaxshop.serving.server import main
from jaxshop.serving.settings import Settings


def make_engine(settings: Settings, metrics: Metrics) -> Engine:
    """Make the engine with a ladder of one rung, which compiles in seconds."""
    from jaxshop.serving.engine import LADDER, JaxEngine

    return JaxEngine(settings.checkpoint, lambda: metrics.compilations.labels(metrics.phase).inc(), sizes=LADDER[:1])


if __name__ == "__main__":
    sys.exit(main(make_engine=make_engine))
