"""Train a policy for a shop: `uv run train.py [--config FILE] [--resume RUN] [section.key=value ...]`."""

from jaxshop.cli.main import train_main

if __name__ == "__main__":
    raise SystemExit(train_main())
