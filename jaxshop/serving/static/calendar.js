"use strict";

const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const DAY_TICKS = 86_400;
const FOREVER = 2 ** 31; // ticks beyond every plan

/** Hours as ticks, rounded as the server rounds them: what lies in the middle goes to the even tick. */
function ticksOf(hours) {
  const exact = hours * 3600;
  const near = Math.round(exact);
  return Math.abs(exact % 1) === 0.5 && near % 2 ? near - 1 : near;
}

/** Seconds of a local day at "HH:MM" or "HH:MM:SS"; "24:00" ends it. */
function secondsOf(time) {
  const [hours, minutes, seconds = 0] = time.split(":").map(Number);
  return 3600 * hours + 60 * minutes + seconds;
}

/** Spans that may touch or overlap, as sorted spans that are apart. */
function joined(spans) {
  const found = [];
  for (const [from, to] of spans.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (found.length && from <= found.at(-1)[1]) found.at(-1)[1] = Math.max(found.at(-1)[1], to);
    else found.push([from, to]);
  }
  return found;
}

/** When the machines of a shop file are closed, by their calendars and besides; in ticks from the plan start. */
class Closings {
  constructor(shop) {
    this.shop = shop;
    this.epoch = shop.plan_start ? new Clock("h", shop.plan_start).epoch : 0;
    const past = (shop.jobs ?? []).flatMap((job) => job.operations.map((op) => (op.fixed ? ticksOf(op.fixed.start) : 0)));
    this.since = Math.min(0, ...past) - DAY_TICKS;
    this.machines = new Map(shop.machines.map((machine) => [machine.id, machine]));
    this.until = 0;
    this.reach(60 * DAY_TICKS);
  }

  /** Knows all closings up to this tick afterwards. */
  reach(until) {
    if (until <= this.until) return;
    this.until = Math.min(FOREVER, Math.max(until, 2 * this.until));
    const shifts = Object.entries(this.shop.calendars ?? {}).map(([id, calendar]) => [id, this.#between(this.#shifts(calendar))]);
    this.shut = new Map(shifts);
    this.windows = new Map(this.shop.machines.map((machine) => [machine.id, this.#merged(machine)]));
  }

  /** A machine's closed spans, sorted and apart, whole up to `until` at least. */
  of(machine) {
    return this.windows.get(machine);
  }

  /** The first run of so many open ticks from a tick on, [start, end]; null where the machine never has them. */
  run(machine, ready, ticks, interruptible) {
    if (!this.of(machine).length) return [ready, ready + ticks];
    for (;;) {
      const span = this.#run(this.of(machine), ready, ticks, interruptible);
      if (span[1] <= this.until || !this.machines.get(machine).calendar) return span[1] < FOREVER ? span : null;
      if (this.until >= FOREVER) return null;
      this.reach(2 * this.until);
    }
  }

  #run(windows, ready, ticks, interruptible) {
    let at = ready;
    let left = ticks;
    let start = null;
    for (let i = this.#first(windows, ready); i < windows.length; i++) {
      const [from, to] = windows[i];
      if (at < from) {
        if (at + left <= from) return [start ?? at, at + left];
        if (interruptible) {
          start ??= at;
          left -= from - at;
        }
      }
      at = Math.max(at, to);
    }
    return [start ?? at, at + left];
  }

  /** Closed ticks of a machine between two. */
  closedTicks(machine, from, to) {
    this.reach(Math.min(to, FOREVER));
    const windows = this.of(machine);
    if (!windows.length) return 0;
    let sum = 0;
    for (let i = this.#first(windows, from); i < windows.length && windows[i][0] < to; i++) {
      sum += Math.max(0, Math.min(windows[i][1], to) - Math.max(windows[i][0], from));
    }
    return sum;
  }

  /** The first window that ends behind a tick. */
  #first(windows, tick) {
    let [low, high] = [0, windows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (windows[middle][1] > tick) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #merged({ calendar, unavailable }) {
    const spans = (unavailable ?? []).map(({ from, to }) => [ticksOf(from), ticksOf(to)]);
    return joined([...spans, ...(calendar ? this.shut.get(calendar).map((span) => [...span]) : [])]);
  }

  /** The shifts of a calendar in ticks, sorted, as far as is asked. */
  #shifts({ timezone, weekly = {}, closed = [], open = {} }) {
    const zone = Zone.of(timezone);
    const begin = this.epoch + 1000 * this.since;
    const first = Math.floor((begin + zone.offset(begin)) / DAY_MS) - 2;
    const tickAt = (day, seconds) => Math.round((zone.instant(day * DAY_MS + 1000 * seconds) - this.epoch) / 1000);
    const found = [];
    const days = Math.ceil((this.until - this.since) / DAY_TICKS) + 6;
    for (let day = first; day < first + days; day++) {
      const date = new Date(day * DAY_MS);
      const name = date.toISOString().slice(0, 10);
      const usual = (closed ?? []).includes(name) ? [] : weekly?.[WEEKDAYS[date.getUTCDay()]] ?? [];
      for (const [opens, closes] of open?.[name] ?? usual) found.push([tickAt(day, secondsOf(opens)), tickAt(day, secondsOf(closes))]);
    }
    return found.sort((a, b) => a[0] - b[0]);
  }

  /** What lies between shifts; before the first and after the last: closed. */
  #between(shifts) {
    const found = [];
    let last = this.since - DAY_TICKS;
    for (const [opens, closes] of shifts) {
      if (opens > last) found.push([last, opens]);
      last = Math.max(last, closes);
    }
    found.push([last, Math.max(last, this.until) + FOREVER]);
    return found;
  }
}
