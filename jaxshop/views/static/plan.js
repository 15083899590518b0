"use strict";

const naturally = new Intl.Collator("en", { numeric: true }).compare;

/** Ticks between two that a machine is open. */
function openTicks(machine, from, to) {
  let open = to - from;
  for (const [a, b] of machine.closed) {
    if (a >= to) break;
    open -= Math.max(0, Math.min(b, to) - Math.max(a, from));
  }
  return Math.max(0, open);
}

/** The tick by which a machine has been open for so many from another one on. */
function afterOpen(machine, from, ticks) {
  let end = from + ticks;
  for (const [a, b] of machine.closed) {
    if (a >= end) break;
    end += Math.max(0, b - Math.max(a, from));
  }
  return end;
}

/** The name of a row of a schedule, whatever its place; ids hold no line breaks. */
function rowKey({ job, lot, operation }) {
  return `${job}\n${lot}\n${operation}`;
}

/** A bar's name in any schedule of its shop. */
function keyOf(bar) {
  return `${bar.job.id}\n${bar.lot}\n${bar.operation}`;
}

/**
 * One schedule of one shop, indexed for drawing. Every time is in ticks.
 *
 * shop: {name, unit, plan_start, timezone, machines: [{id, work_centre, available_from, closed: [[from, to]]}],
 *        jobs: [{id, release, due, weight, operations: [{id, setup}]}]}; rows: the `operations` of a schedule.json,
 *        perhaps with `changeover`, what of them is set-up by sequence. Without `closed` a machine is always open.
 * violations: what is wrong with the schedule, [{job, lot, operation, text}, ...]; locked: the keys of bars that stay.
 */
class Plan {
  constructor(shop, rows, { bound = null, target = null, violations = [], locked = [], now = 0, mode = "plant" } = {}) {
    this.shop = shop;
    this.name = shop.name;
    this.clock = new Clock(shop.unit, shop.plan_start, { zone: shop.timezone, mode });
    this.bound = bound;
    this.target = target;
    this.violations = violations;
    this.now = now;
    this.machines = shop.machines.map((m, index) => ({
      id: m.id, index, centre: m.work_centre ?? "", availableFrom: m.available_from ?? 0, closed: m.closed ?? [],
      opens: (m.closed ?? []).map(([, to]) => to), bars: [], reach: [], busy: 0,
    }));
    this.machineOf = new Map(this.machines.map((machine) => [machine.id, machine]));
    this.jobs = shop.jobs.map((j, index) => ({
      id: j.id, index, release: j.release ?? 0, due: j.due ?? null, weight: j.weight ?? 1, operations: j.operations, bars: [],
    }));
    this.centres = [...new Set(this.machines.map((m) => m.centre))].sort(naturally);
    this.bars = this.#join(rows);
    this.#mark(violations, locked);
    this.makespan = this.bars.reduce((latest, bar) => Math.max(latest, bar.end), 0);
    this.machines.forEach((machine) => this.#index(machine));
    this.jobs.forEach((job) => this.#summarise(job));
  }

  #join(rows) {
    const jobs = new Map(this.jobs.map((job) => [job.id, job]));
    const steps = new Map(this.jobs.map((job) => [job, new Map(job.operations.map((o, i) => [o.id, i]))]));
    return rows.map((row) => {
      const machine = this.machineOf.get(row.machine);
      const job = jobs.get(row.job);
      const step = job && steps.get(job).get(row.operation);
      if (!machine || step === undefined) {
        throw new Error(`The schedule is of another shop: job ${row.job}, operation ${row.operation}, machine ${row.machine}.`);
      }
      const setup = Math.min((job.operations[step].setup ?? 0) + (row.changeover ?? 0), row.end - row.start);
      const { lot, operation, start, end } = row;
      const bar = { plan: this, job, machine, step, setup, ready: afterOpen(machine, start, setup), lot, operation, start, end };
      machine.bars.push(bar);
      job.bars.push(bar);
      return bar;
    });
  }

  /** Notes what is wrong with bars, bar -> sentences in `broken`, and which bars are `locked`. */
  #mark(violations, locked) {
    const bars = violations.length || locked.length ? new Map(this.bars.map((bar) => [keyOf(bar), bar])) : null;
    this.locked = locked.map((key) => bars.get(key)).filter(Boolean);
    this.broken = new Map();
    for (const violation of violations) {
      const bar = bars.get(rowKey(violation));
      if (bar) this.broken.set(bar, [...(this.broken.get(bar) ?? []), violation.text]);
    }
  }

  #index(machine) {
    machine.bars.sort((a, b) => a.start - b.start || a.end - b.end);
    let latest = -Infinity;
    // The latest end so far never falls, so a search finds the first visible bar even where an invalid plan overlaps.
    machine.reach = machine.bars.map((bar) => (latest = Math.max(latest, bar.end)));
    machine.busy = machine.bars.reduce((sum, bar) => sum + openTicks(machine, Math.max(0, bar.start), bar.end), 0);
    machine.open = openTicks(machine, 0, this.makespan);
    machine.utilisation = machine.busy / Math.max(1, machine.open);
    machine.free = Math.max(machine.availableFrom, latest);
  }

  #summarise(job) {
    job.bars.sort((a, b) => a.lot - b.lot || a.step - b.step);
    job.lots = new Set(job.bars.map((bar) => bar.lot)).size;
    job.start = Math.min(...job.bars.map((bar) => bar.start));
    job.end = Math.max(...job.bars.map((bar) => bar.end));
    job.lateness = job.due === null || !job.bars.length ? null : job.end - job.due;
    job.tardiness = job.weight * Math.max(0, job.lateness ?? 0);
  }

  /** The work centres of this plan, and those that only one beside it has. */
  centresBeside(other) {
    return [...new Set([...this.centres, ...(other?.centres ?? [])])].sort(naturally);
  }

  get utilisation() {
    return this.machines.reduce((sum, m) => sum + m.utilisation, 0) / Math.max(1, this.machines.length);
  }

  get late() {
    return this.jobs.filter((job) => job.lateness > 0).length;
  }

  /** Total weighted tardiness: over the jobs, weight times how late. */
  get tardiness() {
    return this.jobs.reduce((sum, job) => sum + job.tardiness, 0);
  }

  get gapPercent() {
    return this.bound ? (100 * (this.makespan - this.bound)) / this.bound : null;
  }

  /** The machines, and those of another plan beside it, in drawing order: `centre`, `machine`, or `busiest`. */
  ordered(order, beside = []) {
    const by = {
      centre: (a, b) => naturally(a.centre, b.centre) || naturally(a.id, b.id),
      machine: (a, b) => naturally(a.id, b.id),
      busiest: (a, b) => b.busy - a.busy || naturally(a.id, b.id),
    };
    return [...this.machines, ...beside].sort(by[order]);
  }

  /** Busy machines over time: the mean number in each of `columns` slices of [0, extent). */
  load(columns, extent) {
    const load = new Float32Array(columns);
    const width = extent / columns;
    for (const { start, end } of this.bars) {
      for (let c = Math.floor(start / width); c < columns && c * width < end; c++) {
        load[c] += (Math.min(end, (c + 1) * width) - Math.max(start, c * width)) / width;
      }
    }
    return load;
  }

  /** How the same operations lie in another plan; `same` are the bars, of both, that lie alike. */
  differences(other) {
    const there = new Map(other.bars.map((bar) => [keyOf(bar), bar]));
    const found = { same: new Set(), moved: 0, shifted: 0, missing: 0 };
    for (const bar of this.bars) {
      const twin = there.get(keyOf(bar));
      if (!twin) found.missing += 1;
      else if (twin.machine.id !== bar.machine.id) found.moved += 1;
      else if (twin.start !== bar.start || twin.end !== bar.end) found.shifted += 1;
      else found.same.add(bar).add(twin);
    }
    return found;
  }
}

/** Whether a bar speaks of what was searched for: its job, operation, machine or work centre holds the text. */
function matches(bar, query) {
  const texts = [bar.job.id, bar.operation, bar.machine.id, bar.machine.centre];
  return texts.some((text) => text.toLowerCase().includes(query));
}

/** The index of the first element of an ascending array that is above a value. */
function firstAbove(ascending, value) {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}
