"use strict";

/**
 * What breaks a rule in a schedule, one entry for each: {code, job, lot, operation, machine, text}, the codes being
 * those of `POST /v1/schedules:verify`. The server's verifier has the last word; this one answers while a bar is dragged.
 */
function violationsOf(model, rows, clock) {
  const checker = new Checker(model, clock);
  return checker.all(rows);
}

class Checker {
  constructor(model, clock) {
    this.model = model;
    this.clock = clock;
  }

  all(rows) {
    this.found = [];
    const { steps } = this.model;
    const setups = this.model.sequenceSetups(rows);
    const placed = new Map(); // rows by their steps; of several the last
    const again = new Map();
    for (const row of rows) {
      const step = steps.get(rowKey(row));
      if (!step) this.#say("unknown", row, "is not an operation of this shop");
      else if (placed.has(step)) again.set(step, (again.get(step) ?? 1) + 1);
      if (!step) continue;
      placed.set(step, row);
      this.#row(row, step, setups.get(row) ?? 0);
    }
    for (const step of steps.values()) if (!placed.has(step)) this.#say("missing", step, "is not planned");
    for (const [step, times] of again) this.#say("repeated", step, `is planned ${times} times`);
    this.#routes(placed);
    this.#overlaps(rows);
    return this.found;
  }

  #say(code, row, text) {
    const { job, lot, operation, machine = null } = row;
    this.found.push({ code, job, lot, operation, machine, text: `${nameOf(this.model, row)} ${text}.` });
  }

  #row(row, step, sequence) {
    const { model, clock } = this;
    const { fixed } = step;
    if (fixed && (row.machine !== fixed.machine || row.start !== fixed.start)) {
      this.#say("fixed", row, `is fixed on ${fixed.machine} at ${clock.moment(fixed.start)}`);
    }
    if (!step.times.has(row.machine)) {
      this.#say("ineligible", row, `cannot run on ${row.machine}, only on ${[...step.times.keys()].sort(naturally).join(", ")}`);
    } else {
      this.#times(row, step, step.setup + step.times.get(row.machine) + sequence);
      const { available } = model.machines.get(row.machine);
      if (row.start < available && !fixed) {
        this.#say("not-available", row, `starts before ${row.machine} is available at ${clock.moment(available)}`);
      }
    }
    if (row.start < step.release && !fixed) this.#say("not-released", row, `starts before its release at ${clock.moment(step.release)}`);
  }

  #times(row, step, ticks) {
    const { closings } = this.model;
    const pause = closings.closedTicks(row.machine, row.start, row.end);
    const takes = row.end - row.start - pause;
    if (takes !== ticks) this.#say("duration", row, `has ${this.clock.text(takes)} of ${row.machine}'s open time, but needs ${this.clock.text(ticks)}`);
    if (row.end <= row.start) return;
    if (closings.closedTicks(row.machine, row.start, row.start + 1)) this.#say("closed", row, `starts while ${row.machine} is closed`);
    else if (closings.closedTicks(row.machine, row.end - 1, row.end)) this.#say("closed", row, `ends after ${row.machine} has closed`);
    else if (pause && !step.interruptible) this.#say("stopped", row, `must not stop, but ${row.machine} closes in between`);
  }

  #routes(placed) {
    const { steps } = this.model;
    for (const [step, row] of placed) {
      // The one before that is planned: one that is missing is told of by itself.
      let before = step.before === null ? null : steps.get(step.before);
      while (before && !placed.has(before)) before = before.before === null ? null : steps.get(before.before);
      if (!before) continue;
      const ready = placed.get(before).end + before.lag;
      if (row.start < ready) this.#say("route", row, `starts before ${before.operation} is over at ${this.clock.moment(ready)}`);
    }
  }

  #overlaps(rows) {
    const machines = new Map();
    for (const row of rows) {
      if (!machines.has(row.machine)) machines.set(row.machine, []);
      machines.get(row.machine).push(row);
    }
    for (const [machine, there] of machines) {
      let last = null;
      for (const row of there.sort(byStart)) {
        if (last && row.start < last.end) {
          this.#say("overlap", row, `overlaps ${nameOf(this.model, last)} on ${machine}, which ends at ${this.clock.moment(last.end)}`);
        }
        if (!last || row.end > last.end) last = row;
      }
    }
  }
}

/** An operation as people call it; lots count from 1, and are named where a job has several. */
function nameOf(model, { job, lot, operation }) {
  const several = lot > 0 || model.steps.has(rowKey({ job, lot: 1, operation }));
  return several ? `${operation}, lot ${lot + 1},` : operation;
}
