"use strict";

const MOST_NAMED = 10; // of what only one of two plans has

/**
 * How a plan differs from another one, which may be of another shop: how many bars run elsewhere or at another time, the ticks by
 * which bars begin later and earlier, and the orders that end at another time, those that lose most first.
 */
function compared(plan, other) {
  const there = new Map(other.bars.map((bar) => [keyOf(bar), bar]));
  const found = { same: 0, machines: 0, times: 0, unlike: 0, later: 0, earlier: 0, orders: [], only: [], gone: [], machinesOnly: [], machinesGone: [] };
  for (const bar of plan.bars) {
    const twin = there.get(keyOf(bar));
    if (!twin) {
      found.unlike += 1;
      continue;
    }
    const by = bar.start - twin.start;
    if (bar.machine.id !== twin.machine.id) found.machines += 1;
    else if (by || bar.end !== twin.end) found.times += 1;
    else found.same += 1;
    if (by > 0) found.later += by;
    else found.earlier -= by;
  }
  const before = new Map(other.jobs.filter((job) => job.bars.length).map((job) => [job.id, job]));
  for (const job of plan.jobs.filter((each) => each.bars.length)) {
    const twin = before.get(job.id);
    before.delete(job.id);
    if (!twin) found.only.push(job.id);
    else if (twin.end !== job.end) found.orders.push({ job: job.id, by: job.end - twin.end, late: job.lateness > 0, wasLate: twin.lateness > 0 });
  }
  found.gone = [...before.keys()];
  found.alike = found.same + found.machines + found.times > 0;
  const lacking = (from, there) => from.machines.filter(({ id }) => !there.machineOf.has(id)).map(({ id }) => id);
  [found.machinesOnly, found.machinesGone] = [lacking(plan, other), lacking(other, plan)];
  found.orders.sort((a, b) => b.by - a.by);
  return found;
}

/** The comparison in sentences. */
function comparedWords({ alike, machines, times, unlike, later, earlier, only, gone, machinesOnly, machinesGone }, clock) {
  const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const names = (ids) => [...ids.slice(0, MOST_NAMED), ...(ids.length > MOST_NAMED ? [`and ${(ids.length - MOST_NAMED).toLocaleString("en")} more`] : [])].join(", ");
  if (!machines && !times && !unlike && !gone.length && !machinesOnly.length && !machinesGone.length) return ["The same schedule."];
  const run = machines === 1 ? "runs" : "run";
  const moves = `${count(machines, "operation")} ${run} on another machine, ${times.toLocaleString("en")} at another time`;
  const sentences = [alike ? `${moves}; begins are ${clock.text(later, 1)} later and ${clock.text(earlier, 1)} earlier in all.` : "It is of another shop: no operation is in both."];
  for (const [what, ids] of [["Only here", only], ["Only there", gone], ["Machines only here", machinesOnly], ["Machines only there", machinesGone]]) {
    if (ids.length) sentences.push(`${what}: ${names(ids)}.`);
  }
  if (unlike && !only.length && alike) sentences.push(`${count(unlike, "operation")} are in lots that the other does not have.`);
  return sentences;
}

/** The bars of a plan that run elsewhere or begin at another time than in other rows, as {bar, was}; by their start. */
function movedRows(plan, rows) {
  const there = new Map(rows.map((row) => [rowKey(row), row]));
  const pairs = plan.bars.map((bar) => ({ bar, was: there.get(keyOf(bar)) }));
  const moved = pairs.filter(({ bar, was }) => was && (was.machine !== bar.machine.id || was.start !== bar.start));
  return moved.sort((a, b) => a.bar.start - b.bar.start);
}

/** From where to where a bar has moved, in words. */
function movedWords(bar, was, clock) {
  const machines = was.machine === bar.machine.id ? bar.machine.id : `${was.machine} → ${bar.machine.id}`;
  const by = bar.start - was.start;
  const far = by ? ` (${clock.text(Math.abs(by), 1)} ${by > 0 ? "later" : "earlier"})` : "";
  return `${machines}, ${clock.moment(was.start)}${by ? ` → ${clock.moment(bar.start)}` : ""}${far}`;
}

/** What becomes of an order, in words. */
function orderWords({ job, by, late, wasLate }, clock) {
  const turn = late === wasLate ? (late ? "late in both" : "in time in both") : late ? "now late" : "now in time";
  return `${job}: ${clock.figure(Math.abs(by))} ${by > 0 ? "later" : "earlier"}, ${turn}`;
}
