"""A server with a fake engine: `python -m tests.serving.fake_server --port 0`."""

import sys

from jaxshop.serving.metrics import Metrics
from jaxshop.serving.server import main
from jaxshop.serving.settings import Settings


def make_engine(settings: Settings, metrics: Metrics):  # type: ignore[no-untyped-def]
    """Make the fake, which loads SciPy, as late as the real one."""
    from tests.serving.fakes import FakeEngine

    return FakeEngine(settings.checkpoint)


if __name__ == "__main__":
    sys.exit(main(make_engine=make_engine))
