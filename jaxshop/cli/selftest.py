"""`jaxshop selftest`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from jaxshop.cli.arguments import add_command


def add_selftest(commands: Any) -> None:
    """Add the command."""
    add_command(commands, "selftest", run_selftest, "play fixed shops on this device and on the CPU, and compare")


def run_selftest(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    from jaxshop.parallel.devices import start_devices
    from jaxshop.parallel.mesh import device_name
    from jaxshop.policies.selftest import selftest

    begun = time.monotonic()
    start_devices()
    cases = []
    for finding in selftest():
        verdict = "agrees" if finding.agrees else f"DIFFERS: {finding.detail}"
        print(f"{finding.case}: {verdict}", file=sys.stderr if args.json else sys.stdout, flush=True)
        cases.append(finding._asdict() | {"logits": finding.logits if finding.logits < float("inf") else None})
    wrong = [case for case in cases if not case["agrees"]]
    seconds = round(time.monotonic() - begun, 1)
    if args.json:
        agrees = {"device": device_name(), "agrees": not wrong, "seconds": seconds}
        print(json.dumps(agrees | {"cases": cases}, allow_nan=False))
    else:
        differ = f"{len(wrong)} of {len(cases)} cases differ" if wrong else f"{len(cases)} cases agree"
        print(f"{device_name()}: {differ} with the CPU, {seconds:g} s")
    return 1 if wrong else 0
