"""`jaxshop solve`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from jaxshop.cli.arguments import PATIENCE, add_command, count, hours, load, positive, positive_count, seconds, threads
from jaxshop.search.cpsat import CpSat, import_ortools
from jaxshop.search.registry import METHODS
from jaxshop.shop import TICKS_PER_HOUR
from jaxshop.support.errors import LateError, ShopError

if TYPE_CHECKING:
    from jaxshop.search.solver import Solution
    from jaxshop.shop import LotPlan, Shop

STORED = {None: "", True: " and the database", False: "; the database holds it already"}
"""What --write-back did, if it was asked for."""

ASKED = ("max_lot_hours", "method", "rule", "samples", "seed", "time_limit", "work")
"""The options that are stored beside a plan."""

DEFAULT_SECONDS = 5.0
"""For a search that nothing else is said about."""

STARTING_SECONDS = 3.0
"""What reading the search's kernels may take before the time begins."""


def add_solve(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands, "solve", run_solve, "a verified schedule, by search, by a policy or by a rule", loads=True
    )
    parser.add_argument("shop", metavar="SHOP")
    parser.add_argument("--max-lot-hours", type=hours, metavar="H")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--method", choices=METHODS, metavar="NAME", help=f"{', '.join(METHODS)}; without it, auto for 5 seconds"
    )
    how.add_argument(
        "--rule",
        metavar="NAME",
        help="MWKR (non-delay), MWKR/active, SPT, LPT, LWKR, MOR, FIFO, EDD, ATC, CR, SST, random",
    )
    parser.add_argument(
        "--time-limit",
        type=seconds,
        metavar="S",
        help="search for S seconds; 0: only the policy's greedy schedule and the rules",
    )
    parser.add_argument("--work", type=count, metavar="N", help="end after so much work_done, wherever")
    parser.add_argument(
        "--threads", type=threads, metavar="N", help="searches side by side, or CP-SAT's; else all cores"
    )
    parser.add_argument("--start", metavar="FILE", help="a schedule of the shop to begin with")
    parser.add_argument("--polish", type=positive, metavar="S", help="then CP-SAT for S seconds (extra solver)")
    parser.add_argument(
        "--checkpoint",
        metavar="DIR",
        help="a run folder: begin with the schedule of its policy",
    )
    parser.add_argument("--samples", type=count, default=0, metavar="N", help="draw N schedules of the policy")
    parser.add_argument("--patience", type=positive_count, metavar="N", help=PATIENCE)
    parser.add_argument("--seed", type=count, default=0)
    parser.add_argument("--out", required=True, metavar="FILE", help="where schedule.json goes")
    parser.add_argument("--gantt", metavar="FILE", help="also draw it as a page")
    parser.add_argument("--write-back", action="store_true", help="store it in the database it came from")


def run_solve(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit code."""
    from jaxshop.cli.progress import Interrupt, ProgressLine
    from jaxshop.schedule import read, write
    from jaxshop.search import warming
    from jaxshop.search.solver import polish, solve
    from jaxshop.search.types import DRAWING, WRITING, Options
    from jaxshop.shop import split_lots
    from jaxshop.support.files import check_outputs
    from jaxshop.support.machine import settled
    from jaxshop.views.gantt import write_gantt
    from jaxshop.views.tables import lots_hint, wrapped

    _check(args)
    searched = _searches(args)
    if searched:
        warming.begin()
    check_outputs((args.out, args.gantt), (args.shop, args.start))
    if args.write_back:
        from jaxshop.sources.mariadb.results import About, check_write_back, write_back

        check_write_back()
    start = read(args.start) if args.start else None
    policy = cache(lambda: _policy(args.checkpoint))
    if args.checkpoint or args.time_limit == 0 or ((args.samples or args.patience) and args.time_limit is None):
        policy()  # a checkpoint that is none is refused before the shop is read
    shop = load(args)
    plan = split_lots(shop, args.max_lot_hours)
    limit = DEFAULT_SECONDS if searched and args.time_limit is None and args.work is None else args.time_limit or None
    if searched:  # starting is not searching, unless it compiles
        _start_kernels(plan, args.time_limit is None and args.work is None)
    warming.import_solver(plan)
    if args.polish or args.method == "cpsat":
        import_ortools()
    began = time.monotonic()
    options = Options(
        patience=args.patience,
        start=start,
        called=str(args.start),
        from_policy=args.checkpoint is not None,
        threads=args.threads,
        writing=WRITING + (DRAWING if args.gantt else 0.0),
    )
    with settled(), Interrupt() as interrupt:
        with ProgressLine(shop, limit and limit + (args.polish or 0.0), began) as line:
            found = solve(
                *(plan, policy, args.rule, args.samples, args.seed, limit, args.method, began, options, args.work),
                interrupt,
                line.watch,
            )
            if args.polish and not interrupt():
                line.hand_on("CP-SAT", args.polish)
                found = polish(plan, found, args.polish, options, interrupt, line.watch)
        write(args.out, found.schedule)  # Ctrl-C now would lose all that was found
        if args.gantt:
            write_gantt(args.gantt, plan, found.schedule, found.bound, None)
    found = replace(found, interrupted=interrupt())
    stored = None
    if args.write_back:
        made_by = policy().id if found.source.startswith("policy:") else found.source
        about = About(found.certificate.cost(shop.objective), {name: getattr(args, name) for name in ASKED})
        stored = write_back(plan, found.schedule, made_by, about=about).written
    if args.json:
        print(json.dumps(_facts(plan, found, stored)))
    else:
        print(f"{_sentence(plan, found)}; wrote {args.out}{STORED[stored]}")
        for hint in lots_hint(plan, found.certificate):
            print(wrapped(hint))
    if limit is not None and (first := found.trace[0].seconds) > limit:
        late = f"it took {first:.1f} s and is the answer whatever the limit"
        print(f"--time-limit {limit:g}: over before the first schedule was there; {late}", file=sys.stderr)
    if found.interrupted:
        print(f"interrupted: {args.out} holds the best schedule so far", file=sys.stderr)
    return interrupt.code


def _start_kernels(plan: LotPlan, patient: bool) -> None:
    """Read the search's kernels; where nobody asked for a limit, also wait for their compilation, which is told."""
    from jaxshop.search import warming

    with suppress(LateError):
        warming.wait(plan, time.monotonic() + STARTING_SECONDS)
        return
    if patient:
        print("compiling the search's kernels, once: about a minute", file=sys.stderr, flush=True)
        warming.wait(plan, None)


def _searches(args: argparse.Namespace) -> bool:
    """Whether `auto` or `improve` is asked for, or nothing that would take its place."""
    in_its_place = args.method or args.rule or args.samples or args.patience or args.time_limit == 0
    return args.method in ("auto", "improve") or not in_its_place


def _check(args: argparse.Namespace) -> None:
    """Refuse what contradicts itself."""
    if args.rule and args.checkpoint:
        raise ShopError("--checkpoint: a rule needs no policy; leave one of both out")
    goes_on = _searches(args) or args.method == "cpsat"
    if args.start and not goes_on:
        raise ShopError(
            "--start: wants a search that goes on from it: auto, improve or cpsat; no --time-limit 0, no --samples"
        )
    if args.threads and not (goes_on or args.polish):
        raise ShopError("--threads: is for auto, improve, cpsat and --polish; leave it out")
    if args.start and args.checkpoint:
        raise ShopError("--start: the search begins with a file or with a policy; leave --checkpoint out")
    if args.polish:
        CpSat()  # what is missing is said before the search, not after it
    if args.samples and (args.rule or args.method not in (None, "samples", "beam")):
        raise ShopError("--samples: is for samples and beam; leave it, or the other method, out")
    if args.patience and (args.rule or args.method not in (None, "samples")):
        raise ShopError("--patience: is for samples; leave it, or the other method, out")
    if args.method in ("rules", "tune", "cpsat") and args.checkpoint:
        raise ShopError(f"--method {args.method}: takes no --checkpoint")
    if args.time_limit == 0 and args.method not in (None, "rules", "greedy"):
        raise ShopError(f"--time-limit 0: method {args.method} needs time")
    if args.time_limit == 0 and (args.samples or args.patience):
        raise ShopError("--time-limit 0: leaves nothing for --samples and --patience; leave it, or them, out")
    if args.time_limit == 0 and args.work is not None:
        raise ShopError("--time-limit 0: leaves nothing for --work; leave one of both out")
    if args.write_back and args.shop != "mariadb:":
        raise ShopError(f"--write-back: the shop must be mariadb:, not {args.shop}")


def _facts(plan: LotPlan, found: Solution, stored: bool | None) -> dict[str, Any]:
    """The JSON."""
    from jaxshop.schedule import tardiness
    from jaxshop.shop import gap_percent

    return {
        "makespan_hours": found.makespan / TICKS_PER_HOUR,
        "lower_bound_hours": found.bound / TICKS_PER_HOUR,
        "gap_percent": gap_percent(found.makespan, found.bound),
        "proven_optimal": found.proven_optimal,
        "source": found.source,
        "valid": True,
        "seconds": round(found.seconds, 3),
        "objective": found.trace[-1].cost / TICKS_PER_HOUR,
        "objective_bound": found.certificate.cost(plan.shop.objective) / TICKS_PER_HOUR,
        **tardiness(plan, found.schedule),
        "samples_done": found.samples_done,
        "work_done": found.work_done,
        "trace": [[round(each.seconds, 3), each.cost / TICKS_PER_HOUR, each.source] for each in found.trace],
        "solver_bound_hours": None if found.claimed is None else found.claimed / TICKS_PER_HOUR,
        "bound": {"name": found.certificate.name, "witness": found.certificate.witness},
        "interrupted": found.interrupted,
        "fingerprint": found.schedule.fingerprint,
        "provenance": vars(plan.shop.provenance),
        "stored": stored,
    }


def _sentence(plan: LotPlan, found: Solution) -> str:
    """What came of it."""
    from jaxshop.shop import span

    shop = plan.shop
    claimed = found.claimed is not None and found.claimed >= found.trace[-1].cost
    over = over_bound(
        *(shop, found.makespan, found.bound, found.trace[-1].cost, found.certificate.cost(shop.objective)),
        *(found.proven_optimal, claimed),
    )
    return f"{shop.name}: {span(found.makespan, shop.unit)}{over}, by {found.source} in {found.seconds:.1f} s"


def over_bound(
    shop: Shop, makespan: int, bound: int, cost: int, least: int, proven: bool, claimed: bool = False
) -> str:
    """How far a plan is from the certified bounds of its makespan and, where that is another, of its objective."""
    from jaxshop.shop import MAKESPAN, gap_percent, span

    gap = gap_percent(makespan, bound)
    over = "" if gap is None else f", {gap:.2f} % over the certified bound of {span(bound, shop.unit)}"
    if proven:
        over = ", proven optimal"
    elif claimed:
        over += " (CP-SAT claims that it is optimal)"
    if shop.objective != MAKESPAN:
        over += f", objective {span(cost, shop.unit)} of at least {span(least, shop.unit)}"
    return over


def _policy(folder: str | None) -> Any:
    from jaxshop.policies.checkpoint import load_policy

    return load_policy(folder)
