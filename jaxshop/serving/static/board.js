"use strict";

/** A queue of entries of which the one with the least `at`, then the least `rank`, is taken first. */
class Queue {
  #heap = [];

  get empty() {
    return this.#heap.length === 0;
  }

  add(entry) {
    const heap = this.#heap;
    let i = heap.push(entry) - 1;
    for (let up; i > 0 && this.#before(entry, heap[(up = (i - 1) >> 1)]); i = up) heap[i] = heap[up];
    heap[i] = entry;
  }

  take() {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!heap.length) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child + 1 < heap.length && this.#before(heap[child + 1], heap[child])) child += 1;
      if (child >= heap.length || !this.#before(heap[child], last)) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
    return first;
  }

  #before(a, b) {
    return a.at < b.at || (a.at === b.at && a.rank < b.rank);
  }
}

/** What a plan costs: its makespan, total weighted tardiness in ticks, and how many orders are late. */
function costOf(model, rows) {
  const ends = new Map();
  for (const { job, end } of rows) ends.set(job, Math.max(end, ends.get(job) ?? end));
  const cost = { makespan: 0, tardiness: 0, late: 0 };
  for (const [id, end] of ends) {
    const { due = null, weight = 1 } = model.jobs.get(id) ?? {};
    cost.makespan = Math.max(cost.makespan, end);
    if (due === null || end <= ticksOf(due)) continue;
    cost.late += 1;
    cost.tardiness += weight * (end - ticksOf(due));
  }
  return cost;
}

/**
 * A plan on which bars are moved: every method answers with new rows and leaves these as they are. What has begun
 * before `now`, what is `locked` (a set of keys) and what the shop has fixed stays where it is.
 */
class Board {
  constructor(model, rows, { now = 0, locked = new Set() } = {}) {
    Object.assign(this, { model, rows, now, locked });
    this.byKey = new Map(rows.map((row) => [rowKey(row), row]));
    this.byMachine = new Map([...model.machines.keys()].map((id) => [id, []]));
    for (const row of rows) this.byMachine.get(row.machine)?.push(row);
    for (const there of this.byMachine.values()) there.sort(byStart);
  }

  stays(key, held = null) {
    const row = this.byKey.get(key);
    return Boolean(row && (row.start < this.now || this.locked.has(key) || held?.has(key) || this.model.steps.get(key)?.fixed));
  }

  /** The row as it would be on a machine from a tick on, {row}, or why it cannot be there, {refusal: a sentence}. */
  tried(key, machine, start, clock) {
    const { model, now } = this;
    const step = model.steps.get(key);
    const row = this.byKey.get(key);
    const no = (text) => ({ refusal: `${nameOf(model, row)} ${text}.` });
    if (step.fixed) return no("is fixed by the shop file and stays");
    if (this.locked.has(key)) return no("is locked: unlock it to move it");
    if (row.start < now) return no("has begun and stays");
    if (!step.times.has(machine)) return no(`cannot run on ${machine}, only on ${[...step.times.keys()].sort(naturally).join(", ")}`);
    if (start < now) return no(`cannot start in the past: it is ${clock.moment(now)}`);
    if (start < step.release) return no(`cannot start before its release at ${clock.moment(step.release)}`);
    const { available } = model.machines.get(machine);
    if (start < available) return no(`cannot start before ${machine} is available at ${clock.moment(available)}`);
    const before = this.byKey.get(step.before);
    const ready = before ? before.end + model.steps.get(step.before).lag : 0;
    if (start < ready) return no(`cannot start before ${before.operation} is over at ${clock.moment(ready)}`);
    const family = this.#familyAt(machine, start, key);
    const span = model.closings.run(machine, start, this.#ticks(step, machine, family), step.interruptible);
    if (!span) return no(`finds no time in which ${machine} is open for long enough`);
    return { row: { ...row, machine, start: span[0], end: span[1] } };
  }

  /** The rows with one of them in another place. */
  replaced(row) {
    const key = rowKey(row);
    return this.rows.map((each) => (rowKey(each) === key ? row : each));
  }

  /** Where a row could begin on a machine, near a tick: the ends of what lies before it. */
  edges(key, machine) {
    const step = this.model.steps.get(key);
    const before = this.byKey.get(step.before);
    const route = before ? [before.end + this.model.steps.get(step.before).lag] : [step.release];
    return [this.now, ...route, ...(this.byMachine.get(machine) ?? []).filter((row) => rowKey(row) !== key).map((row) => row.end)];
  }

  /** The rows of a machine that run between two ticks with ends anew, as its closings have changed there; all others as they are. */
  retimed(machine, from, to) {
    const setups = this.model.sequenceSetups(this.rows);
    return this.rows.map((row) => {
      const step = this.model.steps.get(rowKey(row));
      if (row.machine !== machine || !step?.times.has(machine) || row.start >= to || row.end <= from) return row;
      const ticks = step.setup + step.times.get(machine) + (setups.get(row) ?? 0);
      const span = this.model.closings.run(machine, row.start, ticks, step.interruptible);
      return span && span[0] === row.start ? { ...row, end: span[1] } : row;
    });
  }

  #ticks(step, machine, family) {
    return step.setup + step.times.get(machine) + this.model.changeover(machine, family, step.family);
  }

  /** What a machine is set up for at a tick, a row apart. */
  #familyAt(machine, tick, apart) {
    let family = this.model.machines.get(machine).family ?? null;
    if (!this.model.changeovers.size) return family;
    for (const row of this.byMachine.get(machine)) {
      if (row.start >= tick) break;
      if (rowKey(row) !== apart) family = this.model.steps.get(rowKey(row))?.family ?? family;
    }
    return family;
  }

  /**
   * Puts everything right: machines are kept and nothing begins earlier than it did, but later where it must, in the
   * order in which it can begin. What stays, and the keys in `held`, are not moved. Null where something finds no time.
   */
  pushed(held = new Set()) {
    const { steps } = this.model;
    const lines = new Map([...this.model.machines].map(([id, { available, family }]) => [id, { free: available, family: family ?? null, next: 0, stays: [] }]));
    const placed = new Map();
    for (const [id, there] of this.byMachine) {
      for (const row of there) {
        if (!this.stays(rowKey(row), held)) continue;
        lines.get(id).stays.push(row);
        placed.set(rowKey(row), row);
      }
    }
    const queue = new Queue();
    // A step waits for those before it in its route, which may stay or not be planned.
    const follow = (first, from) => {
      let ready = from;
      for (let step = first; step; step = steps.get(step.after)) {
        const stays = placed.get(step.key);
        const row = this.byKey.get(step.key);
        if (stays) ready = stays.end + step.lag;
        else if (row && step.times.has(row.machine)) {
          return queue.add({ row, step, line: lines.get(row.machine), at: Math.max(row.start, ready, step.release, this.now), rank: row.end });
        }
      }
    };
    for (const step of steps.values()) if (step.before === null) follow(step, 0);
    while (!queue.empty) {
      const entry = queue.take();
      const { row, step, line } = entry;
      const span = this.#after(step, row.machine, entry.at, line);
      if (!span) return null;
      if (span[0] > entry.at) {
        entry.at = span[0];
        queue.add(entry);
        continue;
      }
      placed.set(step.key, span[0] === row.start && span[1] === row.end ? row : { ...row, start: span[0], end: span[1] });
      this.#commit(step, span, line);
      if (step.after !== null) follow(steps.get(step.after), span[1] + step.lag);
    }
    return this.rows.map((row) => placed.get(rowKey(row)) ?? row);
  }

  /** The first run of a step behind all that was placed on a machine, between the rows that stay there. */
  #after(step, machine, least, line) {
    const { stays } = line;
    let at = Math.max(least, line.free);
    let { family } = line;
    for (let i = line.next; ; i++) {
      const span = this.model.closings.run(machine, at, this.#ticks(step, machine, family), step.interruptible);
      if (!span || i >= stays.length || span[1] <= stays[i].start) return span;
      at = Math.max(at, stays[i].end);
      family = this.model.steps.get(rowKey(stays[i]))?.family ?? family;
    }
  }

  #commit(step, [, end], line) {
    const { stays } = line;
    for (; line.next < stays.length && stays[line.next].start < end; line.next++) {
      line.family = this.model.steps.get(rowKey(stays[line.next]))?.family ?? line.family;
    }
    line.family = step.family ?? line.family;
    line.free = end;
  }

  /** The first run of a step in a gap between rows of a machine that leaves their set-ups as they are. */
  #between(step, machine, least, there) {
    const { model } = this;
    let at = Math.max(least, model.machines.get(machine).available);
    let family = model.machines.get(machine).family ?? null;
    for (let i = 0; ; i++) {
      const next = there[i];
      const to = next ? model.steps.get(rowKey(next))?.family ?? null : null;
      const same = step.family === null || model.changeover(machine, family, to) === model.changeover(machine, step.family, to);
      if (!next || (at < next.start && same)) {
        const span = model.closings.run(machine, at, this.#ticks(step, machine, family), step.interruptible);
        if (!span || !next || span[1] <= next.start) return span;
      }
      at = Math.max(at, next.end);
      family = to ?? family;
    }
  }

  /**
   * The rows with an order's steps as early as they can be, one lot after another, around `there` (rows by machine);
   * each stays on the machine that `choose` names for it, or takes the one on which it ends first. Null: no time.
   */
  #early(job, there, choose) {
    const found = [];
    const steps = [...this.model.steps.values()].filter((step) => step.job === job);
    for (const step of steps) {
      const kept = this.stays(step.key) ? this.byKey.get(step.key) : null;
      const before = found.find((row) => rowKey(row) === step.before);
      const ready = Math.max(this.now, step.release, before ? before.end + this.model.steps.get(step.before).lag : 0);
      const spans = choose(step).map((machine) => [machine, this.#between(step, machine, ready, there.get(machine))]).filter(([, span]) => span);
      if (!kept && !spans.length) return null;
      const [machine, [start, end]] = kept ? [kept.machine, [kept.start, kept.end]] : spans.reduce((best, each) => (each[1][1] < best[1][1] ? each : best));
      const row = kept ?? { job, lot: step.lot, operation: step.operation, machine, start, end };
      found.push(row);
      if (!kept) there.set(machine, [...there.get(machine), row].sort(byStart));
    }
    return found;
  }

  /** Puts an order first: as early as its machines allow; all else makes room. {rows, keys}: of the order. */
  first(job) {
    const stays = (row) => this.stays(rowKey(row));
    const there = new Map([...this.byMachine].map(([id, rows]) => [id, rows.filter(stays)]));
    const found = this.#early(job, there, (step) => (this.byKey.has(step.key) ? [this.byKey.get(step.key).machine] : [...step.times.keys()]));
    if (!found) return null;
    const keys = new Set(found.map(rowKey));
    const rows = [...this.rows.filter((row) => row.job !== job), ...found];
    return { rows: new Board(this.model, rows, this).pushed(keys), keys: [...keys] };
  }

  /** Puts the steps of an order that is not planned yet into gaps; nothing else moves. */
  inserted(job) {
    const there = new Map([...this.byMachine].map(([id, rows]) => [id, [...rows]]));
    const found = this.#early(job, there, (step) => [...step.times.keys()]);
    return found && [...this.rows.filter((row) => row.job !== job), ...found];
  }
}
