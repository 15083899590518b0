"use strict";

/** How many lots of at most `limit` ticks a job becomes (`split_lots` of the server); null keeps it whole. */
function lotCount(job, limit) {
  if (limit === null) return 1;
  const setups = job.operations.reduce((sum, op) => sum + ticksOf(op.setup ?? 0), 0);
  const processing = job.operations.reduce((sum, op) => sum + Math.max(...Object.values(op.alternatives).map(ticksOf)), 0);
  if (setups + processing <= limit) return 1;
  if (!job.quantity) return Math.ceil(processing / (limit - setups));
  const parts = Math.max(1, Number((BigInt(job.quantity) * BigInt(limit - setups)) / BigInt(processing)));
  return Math.ceil(job.quantity / parts);
}

/** The part of `ticks` that the lot of the parts from `low` to `high` of `total` takes: shares add up to the tick. */
function share(ticks, low, high, total) {
  const cut = (mark) => Number((BigInt(ticks) * BigInt(mark)) / BigInt(total));
  return cut(high) - cut(low);
}

/**
 * What a planner's changes are measured by: a shop file and its lots, in ticks. `steps` are the operations of all lots
 * by `rowKey`: {key, job, lot, operation, index, release, setup, times (ticks by machine), interruptible, family, lag,
 * fixed, before, after (keys of the steps of the same lot, or null)}.
 */
class Model {
  constructor(shop, maxLotHours = null) {
    this.shop = shop;
    this.maxLotHours = maxLotHours;
    this.closings = new Closings(shop);
    this.machines = new Map(shop.machines.map((machine) => [machine.id, { ...machine, available: ticksOf(machine.available_from ?? 0) }]));
    this.jobs = new Map(shop.jobs.map((job) => [job.id, job]));
    this.steps = new Map();
    const limit = maxLotHours === null ? null : ticksOf(maxLotHours);
    for (const job of shop.jobs) this.#cut(job, lotCount(job, limit));
    this.changeovers = new Map((shop.setups ?? []).map((entry) => {
      const place = entry.machine ? ["machine", entry.machine] : ["centre", entry.work_centre];
      return [JSON.stringify([...place, entry.from ?? null, entry.to]), ticksOf(entry.hours)];
    }));
  }

  #cut(job, lots) {
    const total = job.quantity ?? lots;
    const mark = (lot) => Number((BigInt(total) * BigInt(lot)) / BigInt(lots));
    const times = job.operations.map((op) => Object.entries(op.alternatives).map(([machine, hours]) => [machine, ticksOf(hours)]));
    const keys = (lot) => job.operations.map((op) => rowKey({ job: job.id, lot, operation: op.id }));
    for (let lot = 0; lot < lots; lot++) {
      const [low, high, names] = [mark(lot), mark(lot + 1), keys(lot)];
      job.operations.forEach((op, index) => {
        const own = lots === 1 ? times[index] : times[index].map(([machine, ticks]) => [machine, share(ticks, low, high, total)]);
        this.steps.set(names[index], {
          key: names[index], job: job.id, lot, operation: op.id, index, release: ticksOf(job.release ?? 0),
          setup: ticksOf(op.setup ?? 0), times: new Map(own), interruptible: op.interruptible ?? true,
          family: op.family ?? null, lag: ticksOf(op.lag ?? 0),
          fixed: op.fixed ? { machine: op.fixed.machine, start: ticksOf(op.fixed.start) } : null,
          before: names[index - 1] ?? null, after: names[index + 1] ?? null,
        });
      });
    }
  }

  /** Ticks to set a machine up for a family after another (null: none that is known); a machine's own entry goes first. */
  changeover(machine, before, to) {
    if (to === null || to === before || !this.changeovers.size) return 0;
    const centre = this.machines.get(machine).work_centre;
    const places = [["machine", machine], ...(centre ? [["centre", centre]] : [])];
    for (const place of places) {
      for (const from of [before, null]) {
        const ticks = this.changeovers.get(JSON.stringify([...place, from, to]));
        if (ticks !== undefined) return ticks;
      }
    }
    return 0;
  }

  /** The set-up by sequence in each row that has any: row -> ticks. Fixed work has none. */
  sequenceSetups(rows) {
    const found = new Map();
    if (!this.changeovers.size) return found;
    const family = new Map([...this.machines.values()].map((machine) => [machine.id, machine.family ?? null]));
    for (const row of [...rows].sort(byStart)) {
      const step = this.steps.get(rowKey(row));
      if (!step || step.family === null) continue;
      const ticks = this.changeover(row.machine, family.get(row.machine) ?? null, step.family);
      if (ticks && !step.fixed) found.set(row, ticks);
      family.set(row.machine, step.family);
    }
    return found;
  }

  /** What the chart needs: the shop in ticks, with what is closed until then. */
  outline(until) {
    const { shop } = this;
    this.closings.reach(until + 14 * DAY_TICKS);
    const ticks = (hours) => (hours === undefined || hours === null ? hours : ticksOf(hours));
    return {
      name: shop.name, unit: shop.unit, plan_start: shop.plan_start, timezone: zoneOf(shop),
      machines: shop.machines.map((machine) => ({
        id: machine.id, work_centre: machine.work_centre, available_from: ticks(machine.available_from),
        closed: this.closings.of(machine.id),
      })),
      jobs: shop.jobs.map((job) => ({
        id: job.id, release: ticks(job.release), due: ticks(job.due), weight: job.weight ?? 1,
        operations: job.operations.map((op) => ({ id: op.id, setup: ticks(op.setup) })),
      })),
    };
  }

  /** A schedule's rows as the chart draws them, bars with set-ups by sequence. */
  plan(rows, marks = {}) {
    const setups = this.sequenceSetups(rows);
    const drawn = setups.size ? rows.map((row) => (setups.has(row) ? { ...row, changeover: setups.get(row) } : row)) : rows;
    return new Plan(this.outline(rows.reduce((latest, row) => Math.max(latest, row.end), 0)), drawn, marks);
  }
}

/** Rows in the order in which a machine has them; what takes no time comes before what starts with it. */
function byStart(a, b) {
  return a.start - b.start || a.end - b.end;
}

/** The zone that tables were read in last: a shop without calendars does not tell its own. */
const tablesZone = {
  get() {
    try {
      return localStorage.getItem("zone");
    } catch {
      return null; // a browser that keeps nothing
    }
  },
  set(zone) {
    try {
      localStorage.setItem("zone", zone);
    } catch {
      // as above
    }
  },
};

/** The zone of the calendar that most machines have; where none has one, that of the tables; null where there were none. */
function zoneOf(shop) {
  const used = new Map();
  for (const { calendar } of shop.machines) {
    const zone = calendar ? shop.calendars?.[calendar]?.timezone : null;
    if (zone) used.set(zone, (used.get(zone) ?? 0) + 1);
  }
  return [...used].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? 1 : -1))[0]?.[0] ?? tablesZone.get();
}
