"use strict";

/** Turns ticks into the shop's own unit and, where the plan has a start, into dates on the plan's own clock. */
class Clock {
  constructor(unit, planStart) {
    this.unit = unit === "ticks" ? "ticks" : "h";
    this.ticksPerUnit = unit === "ticks" ? 1 : 3600;
    const [, stamp, zone = "Z"] = /^(.+?)(Z|[+-]\d\d:?\d\d)?$/i.exec(planStart ?? "") ?? [];
    const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(zone) ?? [];
    const offset = sign ? Number(`${sign}1`) * (Number(hours) * 60 + Number(minutes)) * 60000 : 0;
    const epoch = Date.parse(`${stamp}${zone}`);
    // Shifted by the stated offset, so that the UTC getters of Date read the planner's wall clock, whoever looks.
    this.origin = Number.isNaN(epoch) || this.unit === "ticks" ? null : epoch + offset;
    this.zone = sign ? `UTC${sign}${hours}:${minutes}` : "UTC";
  }

  amount(ticks, digits = 2) {
    return (ticks / this.ticksPerUnit).toLocaleString("en", { maximumFractionDigits: digits });
  }

  text(ticks, digits = 2) {
    return `${this.amount(ticks, digits)} ${this.unit}`;
  }

  /** For figures that stand beside each other: always one decimal; ticks have none. */
  figure(ticks) {
    const digits = this.unit === "h" ? 1 : 0;
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    return `${(ticks / this.ticksPerUnit).toLocaleString("en", options)} ${this.unit}`;
  }

  date(ticks) {
    return this.origin === null ? null : new Date(this.origin + ticks * 1000);
  }

  day(ticks) {
    const date = this.date(ticks);
    return `${Clock.days[date.getUTCDay()]} ${date.getUTCDate()} ${Clock.months[date.getUTCMonth()]}`;
  }

  minute(ticks) {
    return this.date(ticks).toISOString().slice(11, 16);
  }
}
Clock.days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
Clock.months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const naturally = new Intl.Collator("en", { numeric: true }).compare;

/** Ticks between two that a machine is open. */
function openTicks(machine, from, to) {
  const shut = machine.closed.reduce((sum, [a, b]) => sum + Math.max(0, Math.min(b, to) - Math.max(a, from)), 0);
  return Math.max(0, to - from - shut);
}

/**
 * One schedule of one shop, indexed for drawing. Every time is in ticks.
 *
 * shop: {name, unit, plan_start, machines: [{id, work_centre, available_from, closed: [[from, to]]}],
 *        jobs: [{id, release, due, operations: [{id, setup}]}]}; rows: the `operations` of a schedule.json, perhaps
 *        with `changeover`, what of them is set-up by sequence. Without `closed` a machine is always open.
 */
class Plan {
  constructor(shop, rows, { bound = null, target = null } = {}) {
    this.shop = shop;
    this.name = shop.name;
    this.clock = new Clock(shop.unit, shop.plan_start);
    this.bound = bound;
    this.target = target;
    this.machines = shop.machines.map((m, index) => ({
      id: m.id, index, centre: m.work_centre ?? "", availableFrom: m.available_from ?? 0, closed: m.closed ?? [],
      bars: [], reach: [], busy: 0,
    }));
    this.jobs = shop.jobs.map((j, index) => ({
      id: j.id, index, release: j.release ?? 0, due: j.due ?? null, operations: j.operations, bars: [],
    }));
    this.centres = [...new Set(this.machines.map((m) => m.centre))].sort(naturally);
    this.bars = this.#join(rows);
    this.makespan = this.bars.reduce((latest, bar) => Math.max(latest, bar.end), 0);
    this.machines.forEach((machine) => this.#index(machine));
    this.jobs.forEach((job) => this.#summarise(job));
  }

  #join(rows) {
    const machines = new Map(this.machines.map((machine) => [machine.id, machine]));
    const jobs = new Map(this.jobs.map((job) => [job.id, job]));
    const steps = new Map(this.jobs.map((job) => [job, new Map(job.operations.map((o, i) => [o.id, i]))]));
    return rows.map((row) => {
      const machine = machines.get(row.machine);
      const job = jobs.get(row.job);
      const step = job && steps.get(job).get(row.operation);
      if (!machine || step === undefined) {
        throw new Error(`The schedule is of another shop: job ${row.job}, operation ${row.operation}, machine ${row.machine}.`);
      }
      const setup = Math.min((job.operations[step].setup ?? 0) + (row.changeover ?? 0), row.end - row.start);
      const bar = { plan: this, job, machine, step, setup, lot: row.lot, operation: row.operation, start: row.start, end: row.end };
      machine.bars.push(bar);
      job.bars.push(bar);
      return bar;
    });
  }

  #index(machine) {
    machine.bars.sort((a, b) => a.start - b.start || a.end - b.end);
    let latest = -Infinity;
    // The latest end so far never falls, so a search finds the first visible bar even where an invalid plan overlaps.
    machine.reach = machine.bars.map((bar) => (latest = Math.max(latest, bar.end)));
    machine.busy = machine.bars.reduce((sum, bar) => sum + openTicks(machine, Math.max(0, bar.start), bar.end), 0);
    machine.utilisation = machine.busy / Math.max(1, openTicks(machine, 0, this.makespan));
  }

  #summarise(job) {
    job.bars.sort((a, b) => a.lot - b.lot || a.step - b.step);
    job.lots = new Set(job.bars.map((bar) => bar.lot)).size;
    job.start = Math.min(...job.bars.map((bar) => bar.start));
    job.end = Math.max(...job.bars.map((bar) => bar.end));
    job.lateness = job.due === null || !job.bars.length ? null : job.end - job.due;
  }

  get utilisation() {
    return this.machines.reduce((sum, m) => sum + m.utilisation, 0) / Math.max(1, this.machines.length);
  }

  get late() {
    return this.jobs.filter((job) => job.lateness > 0).length;
  }

  get gapPercent() {
    return this.bound ? (100 * (this.makespan - this.bound)) / this.bound : null;
  }

  /** The machines in drawing order: `centre`, `machine`, or `busiest`. */
  ordered(order) {
    const by = {
      centre: (a, b) => naturally(a.centre, b.centre) || naturally(a.id, b.id),
      machine: (a, b) => naturally(a.id, b.id),
      busiest: (a, b) => b.busy - a.busy || naturally(a.id, b.id),
    };
    return [...this.machines].sort(by[order]);
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
    const key = (bar) => JSON.stringify([bar.job.id, bar.lot, bar.operation]);
    const there = new Map(other.bars.map((bar) => [key(bar), bar]));
    const found = { same: new Set(), moved: 0, shifted: 0, missing: 0 };
    for (const bar of this.bars) {
      const twin = there.get(key(bar));
      if (!twin) found.missing += 1;
      else if (twin.machine.index !== bar.machine.index) found.moved += 1;
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

/** What table and CSV show of each bar: {heading, value, digits}; digits is undefined for text. Lots count from 1. */
function columnsOf(plan) {
  const { clock } = plan;
  const text = (heading, value) => ({ heading, value });
  const count = (heading, value) => ({ heading, value, digits: 0 });
  const time = (heading, ticks) => ({
    heading: `${heading} ${clock.unit}`,
    value: (bar) => (ticks(bar) === null ? "" : Number((ticks(bar) / clock.ticksPerUnit).toFixed(4))),
    digits: clock.unit === "h" ? 2 : 0,
  });
  const stamp = (ticks) => clock.date(ticks).toISOString().slice(0, 16).replace("T", " ");
  return [
    text("job", (bar) => bar.job.id),
    count("lot", (bar) => bar.lot + 1),
    text("operation", (bar) => bar.operation),
    count("step", (bar) => bar.step + 1),
    text("machine", (bar) => bar.machine.id),
    text("work centre", (bar) => bar.machine.centre),
    time("start", (bar) => bar.start),
    time("end", (bar) => bar.end),
    time("length", (bar) => bar.end - bar.start),
    time("set-up", (bar) => bar.setup),
    ...(clock.origin === null ? [] : [
      text(`start, ${clock.zone}`, (bar) => stamp(bar.start)),
      text(`end, ${clock.zone}`, (bar) => stamp(bar.end)),
    ]),
    ...(plan.jobs.every((job) => job.due === null) ? [] : [
      time("job due", (bar) => bar.job.due),
      time("job late", (bar) => bar.job.lateness),
    ]),
  ];
}

/** The bars as CSV (RFC 4180), in the order given. */
function csv(plan, bars) {
  const columns = columnsOf(plan);
  const cell = (value) => {
    // A spreadsheet would run an id such as `=cmd()` as a formula; the apostrophe makes it text.
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [columns.map(({ heading }) => cell(heading))];
  for (const bar of bars) lines.push(columns.map(({ value }) => cell(value(bar))));
  return lines.map((line) => line.join(",")).join("\r\n") + "\r\n";
}
