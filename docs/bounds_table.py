"""Prints certified bounds of shops: at first, and tightened for 1 and 10 s of CPU time; the table of bounds.md.

    uv run docs/bounds_table.py 60 reference reference:1
    uv run docs/bounds_table.py 0 family:tight-centre:7 la03.txt

The first argument is the lot size in hours, 0 for whole jobs. Values are ticks.
"""

from __future__ import annotations

import sys
import time

from jaxshop import load_shop, split_lots
from jaxshop.bounds import certify, prepare, tighten

prepare()
print("| shop | certify | 1 s | 10 s | by | machines | CPU s |\n|---|---|---|---|---|---|---|")
for name in sys.argv[2:]:
    plan = split_lots(load_shop(name), float(sys.argv[1]) or None)
    first = best = certify(plan)
    begun = time.process_time()
    after_one = first.value
    for best in tighten(plan, first, lambda until=begun + 10: time.process_time() < until):
        if time.process_time() - begun <= 1:
            after_one = best.value
    spent = time.process_time() - begun
    shown = name.rpartition("/")[2]
    row = (shown, first.value, after_one, best.value, best.name, len(best.machines), f"{spent:.1f}")
    print("|", " | ".join(map(str, row)), "|", flush=True)
