"use strict";

/**
 * A planner's changes, one state after another: {label, shop, base, rows, locked, stops, adds, ...}. `shop` is the shop
 * as she sees it, `base` without what the server has not been told of yet: `stops` [{machine, from, to, reason}] and
 * `adds` (jobs), both in hours; `came` are the orders that she entered, `foreign`: the fingerprint is not of `base`. A
 * history is never changed; every method gives another one.
 */
class History {
  constructor(states, at = 0, settled = states[0]) {
    Object.assign(this, { states, at, settled });
  }

  get state() {
    return this.states[this.at];
  }

  /** Whether what is seen waits to be accepted. */
  get open() {
    return this.state !== this.settled;
  }

  /**
   * What waits to be accepted: {how, labels}. `ahead`: these changes, the latest first; `behind`: these were accepted and
   * are undone; `apart`: a change in place of what was undone. Null where nothing waits.
   */
  get waiting() {
    if (!this.open) return null;
    const [at, settled] = [this.at, this.states.indexOf(this.settled)];
    const labels = (from, to) => this.states.slice(from, to).map(({ label }) => label).reverse();
    if (settled < 0) return { how: "apart", labels: [this.state.label] };
    return at > settled ? { how: "ahead", labels: labels(settled + 1, at + 1) } : { how: "behind", labels: labels(at + 1, settled + 1) };
  }

  get canUndo() {
    return this.at > 0;
  }

  get canRedo() {
    return this.at < this.states.length - 1;
  }

  /** One change further; what was undone before it is forgotten, but for what was accepted last. */
  with(label, changes) {
    return this.#further({ ...this.state, ...changes, label });
  }

  #further(state) {
    return new History([...this.states.slice(0, this.at + 1), state], this.at + 1, this.settled);
  }

  undo() {
    return new History(this.states, Math.max(0, this.at - 1), this.settled);
  }

  redo() {
    return new History(this.states, Math.min(this.states.length - 1, this.at + 1), this.settled);
  }

  /** Back to what was accepted last. */
  discarded() {
    const at = this.states.indexOf(this.settled);
    return at < 0 ? this.#further(this.settled) : new History(this.states, at, this.settled);
  }

  /** What is seen holds from now on; `changes` are what the server said of it. */
  settledHere(changes = {}) {
    const settled = { ...this.state, ...changes };
    return new History(this.states.map((state, i) => (i === this.at ? settled : state)), this.at, settled);
  }
}

/** A state to begin with: the server's schedule, or one that was read in. */
function firstState(shop, schedule, more = {}) {
  return {
    label: "As planned", shop, base: shop, rows: schedule.operations, fingerprint: schedule.shop,
    maxLotHours: schedule.max_lot_hours, locked: [], stops: [], adds: [], ...more,
  };
}

/** What waits to be accepted, as [what was done, what is to be said of it]. */
function waitingWords({ how, labels: [latest, ...others] }) {
  const more = others.length ? ` and ${others.length} more` : "";
  if (how === "behind") return [`Undone: ${latest}${more}`, "The plan without it waits to be accepted."];
  if (how === "apart") return [latest, "In place of what was undone, it waits to be accepted."];
  return [latest, others.length ? `With ${others.length} before it, it waits to be accepted.` : "It waits to be accepted."];
}

/** The changes of a state by which a machine stands still, in ticks. */
function stopping(state, machine, from, to, reason) {
  const closed = { from: from / 3600, to: to / 3600, reason: reason || "stopped" };
  const stop = { machine, ...closed };
  const machines = state.shop.machines.map((each) => (each.id === machine ? { ...each, unavailable: [...(each.unavailable ?? []), closed] } : each));
  return { shop: { ...state.shop, machines }, stops: [...state.stops, stop] };
}

/** The stops of a shop, as {machine, from, to, reason}, in hours; by machine and time. */
function stopsOf(shop) {
  const stops = shop.machines.flatMap(({ id, unavailable }) => (unavailable ?? []).map((each) => ({ machine: id, ...each })));
  return stops.sort((a, b) => naturally(a.machine, b.machine) || a.from - b.from);
}

/** The changes of a state by which one of its stops is taken back, whether the server has been told of it or not. */
function resuming(state, { machine, from, to }) {
  const other = (each) => each.from !== from || each.to !== to;
  const open = (shop) => ({
    ...shop, machines: shop.machines.map((each) => (each.id === machine && each.unavailable ? { ...each, unavailable: each.unavailable.filter(other) } : each)),
  });
  const stops = state.stops.filter((each) => each.machine !== machine || other(each));
  return { shop: open(state.shop), ...(stops.length < state.stops.length ? { stops } : { base: open(state.base), foreign: true }) };
}

/** The changes of a state by which an order comes; `details` is what it was made of, for who changes it later. */
function adding(state, job, details) {
  return { shop: { ...state.shop, jobs: [...state.shop.jobs, job] }, adds: [...state.adds, job], came: [...(state.came ?? []), details] };
}

/** The changes of a state by which an order that came is taken back, whether the server has been told of it or not. */
function dropping(state, id) {
  const without = (jobs) => jobs.filter((job) => job.id !== id);
  const keys = new Set(state.rows.filter(({ job }) => job === id).map(rowKey));
  const adds = without(state.adds);
  return {
    shop: { ...state.shop, jobs: without(state.shop.jobs) },
    ...(adds.length < state.adds.length ? { adds } : { base: { ...state.base, jobs: without(state.base.jobs) }, foreign: true }),
    came: (state.came ?? []).filter((each) => each.id !== id), rows: state.rows.filter(({ job }) => job !== id),
    locked: state.locked.filter((key) => !keys.has(key)),
  };
}

const AIMS = { end: { makespan: 1, tardiness: 0 }, dates: { makespan: 0.01, tardiness: 1 } };

/** A shop whose plans are judged by an aim, the last hours late counting more than the end; "" leaves it as it is. */
function aimed(shop, aim) {
  const { makespan = 0, tardiness = 0 } = shop.objective ?? AIMS.end;
  const wanted = AIMS[aim];
  return !wanted || (wanted.makespan === makespan && wanted.tardiness === tardiness) ? shop : { ...shop, objective: wanted };
}

/** What keeps a plan of whole jobs from a target (in hours), as a sentence with what would help; "" where nothing does. */
function lotsHint(shop, target) {
  const hours = (job) => (job.release ?? 0) + job.operations.reduce((sum, op) => sum + (op.setup ?? 0) + Math.min(...Object.values(op.alternatives)), 0);
  const [longest] = shop.jobs.filter((job) => job.quantity !== 1 && hours(job) > target).sort((a, b) => hours(b) - hours(a));
  if (!longest) return "";
  return `${longest.id} alone takes ${hours(longest).toFixed(1)} h: with “Lots up to” it is cut into lots that run beside each other.`;
}

/** An order like another one: its route, so many times as much work. */
function orderLike(like, { id, times, release, due, weight }) {
  const scaled = (alternatives) => Object.fromEntries(Object.entries(alternatives).map(([machine, hours]) => [machine, hours * times]));
  const operations = like.operations.map(({ fixed, ...op }, i) => ({ ...op, id: `${id}/${i + 1}`, alternatives: scaled(op.alternatives) }));
  const quantity = like.quantity ? { quantity: Math.max(1, Math.round(like.quantity * times)) } : {};
  return { id, ...quantity, release, ...(due === null ? {} : { due }), weight, operations };
}

/**
 * The body of a request to plan the rest anew, {body}. The server wants a valid schedule of the shop before the changes
 * that it is told of, so the rows are put right on that shop first; where that cannot be: {fault: a sentence}.
 */
function restRequest(state, now, { freeze = 0, stability = 0, seconds = null } = {}, clock = new Clock("h", null)) {
  const model = new Model(state.base, state.maxLotHours);
  const known = state.rows.filter((row) => model.steps.has(rowKey(row)));
  const rows = new Board(model, known, { now, locked: new Set(state.locked) }).pushed();
  const [violation] = rows ? violationsOf(model, rows, clock) : [{ text: "Something finds no time in which its machine is open." }];
  if (violation) return { fault: violation.text };
  const kept = state.locked.map((key) => model.steps.get(key)).filter(Boolean);
  const keep = kept.map(({ operation, lot }) => ({ operation, lot }));
  const body = {
    shop: state.base, schedule: scheduleOf({ ...state, rows }), now: now / 3600, freeze_hours: freeze, stability,
    ...(seconds ? { time_limit_s: seconds } : {}), ...(state.stops.length ? { down: state.stops } : {}),
    ...(state.adds.length ? { add: state.adds } : {}), ...(keep.length ? { keep } : {}),
  };
  return { body };
}

/** The schedule file of a state. */
function scheduleOf({ rows, fingerprint, maxLotHours }) {
  const makespan = rows.reduce((latest, row) => Math.max(latest, row.end), 0) / 3600;
  const operations = rows.map(({ job, lot, operation, machine, start, end }) => ({ job, lot, operation, machine, start, end }));
  return { format: "jaxshop-schedule/1", shop: fingerprint, max_lot_hours: maxLotHours, makespan, operations };
}
