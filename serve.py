"""Serve schedules over HTTP: `uv run serve.py [--checkpoint DIR] [--host H] [--port 8000]`."""

import sys

from jaxshop.serving.server import main

if __name__ == "__main__":
    sys.exit(main())
