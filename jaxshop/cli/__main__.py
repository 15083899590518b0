"""`python -m jaxshop.cli`: the command `jaxshop`."""

from jaxshop.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
