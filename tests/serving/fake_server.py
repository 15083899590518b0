"""A server with a fake engine: `python -m tests.serving.fake_server --port 0`."""

import sys

from jaxshop.serving.server import main
from tests.serving.fakes import FakeEngine

if __name__ == "__main__":
    sys.exit(main(make_engine=lambda settings, metrics: FakeEngine(settings.checkpoint)))
