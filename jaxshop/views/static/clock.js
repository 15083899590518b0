"use strict";

const DAY_MS = 86_400_000;

/** A time zone of IANA: what its clocks show at an instant, and the instant at which they show a time. */
class Zone {
  static #known = new Map();

  /** The zone of that name; UTC where the browser knows none of it. */
  static of(name) {
    if (!Zone.#known.has(name)) {
      try {
        Zone.#known.set(name, new Zone(name));
      } catch {
        return Zone.of("UTC");
      }
    }
    return Zone.#known.get(name);
  }

  constructor(name) {
    this.name = name;
    this.days = new Map(); // offsets by day, null where the clocks change in it: a chart asks for few days, very often
    const [year, month, day, hour, minute, second] = Array(6).fill("numeric");
    this.format = new Intl.DateTimeFormat("en-US", { timeZone: name, hourCycle: "h23", year, month, day, hour, minute, second });
  }

  /** Milliseconds by which the clocks are ahead of UTC at an instant. */
  offset(instant) {
    const day = Math.floor(instant / DAY_MS);
    if (!this.days.has(day)) {
      const [begin, end] = [this.#read(day * DAY_MS), this.#read((day + 1) * DAY_MS)];
      this.days.set(day, begin === end ? begin : null);
    }
    return this.days.get(day) ?? this.#read(instant);
  }

  /** The instant of a time on the wall, given as if it were UTC: the first of two; one that is skipped counts from before. */
  instant(wall) {
    const before = this.offset(wall - DAY_MS);
    const first = wall - before;
    const after = this.offset(first);
    return after !== before && this.offset(wall - after) === after ? wall - after : first;
  }

  #read(instant) {
    const parts = this.format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]);
    const { year, month, day, hour, minute, second } = Object.fromEntries(parts);
    return Date.UTC(year, month - 1, day, hour, minute, second) - 1000 * Math.floor(instant / 1000);
  }
}

const CLOCKS = { plant: "Time: plant", utc: "Time: UTC", hours: "Time: hours" };
const HOUR_STEPS = [1 / 60, 1 / 20, 0.1, 0.25, 0.5, 1, 2, 4, 6, 12, 24, 48, 72, 168, 336, 672, 1344, 2688, 8760];
const CLOCK_STEPS = [1 / 60, 1 / 12, 0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672, 1344, 8760];
const MONDAY = 4 * DAY_MS; // the first after 1970 began

/**
 * Turns ticks into what people read. Lengths are in the shop's own unit. Moments are dates of a zone where the plan has
 * a start, as `mode` says: `plant` (the zone given, else the browser's), `utc`, or `hours` since the plan start.
 */
class Clock {
  constructor(unit, planStart, { zone = null, mode = "plant" } = {}) {
    this.given = [unit, planStart, zone];
    this.unit = unit === "ticks" ? "ticks" : "h";
    this.ticksPerUnit = unit === "ticks" ? 1 : 3600;
    const [, stamp, stated = "Z"] = /^(.+?)(Z|[+-]\d\d:?\d\d)?$/i.exec(planStart ?? "") ?? [];
    const epoch = Date.parse(`${stamp}${stated}`);
    this.epoch = Number.isNaN(epoch) || this.unit === "ticks" ? null : 1000 * Math.floor(epoch / 1000);
    this.mode = this.epoch === null ? "hours" : mode;
    this.dated = this.mode !== "hours";
    this.times = Zone.of(this.mode === "utc" ? "UTC" : zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone);
    this.zone = this.times.name;
  }

  static #formats = new Map();

  /** Numbers with so many decimals, at least and at most; kept, since one is slow to make. */
  static #format(least, most) {
    const key = `${least} ${most}`;
    if (!Clock.#formats.has(key)) {
      Clock.#formats.set(key, new Intl.NumberFormat("en", { minimumFractionDigits: least, maximumFractionDigits: most }));
    }
    return Clock.#formats.get(key);
  }

  /** The same clock in another mode. */
  as(mode) {
    const [unit, planStart, zone] = this.given;
    return new Clock(unit, planStart, { zone, mode });
  }

  // Lengths.

  amount(ticks, digits = 2) {
    return Clock.#format(0, digits).format(ticks / this.ticksPerUnit);
  }

  text(ticks, digits = 2) {
    return `${this.amount(ticks, digits)} ${this.unit}`;
  }

  /** For figures that stand beside each other: always one decimal; ticks have none. */
  figure(ticks) {
    const digits = this.unit === "h" ? 1 : 0;
    return `${Clock.#format(digits, digits).format(ticks / this.ticksPerUnit)} ${this.unit}`;
  }

  // Moments.

  /** A date whose UTC getters read what the clock on the wall shows. */
  wall(ticks) {
    const instant = this.epoch + 1000 * ticks;
    return new Date(instant + this.times.offset(instant));
  }

  /** The tick at which the clock on the wall shows a time, given as if it were UTC. */
  tickAt(wall) {
    return Math.round((this.times.instant(wall) - this.epoch) / 1000);
  }

  day(ticks) {
    const date = this.wall(ticks);
    return `${Clock.days[date.getUTCDay()]} ${date.getUTCDate()} ${Clock.months[date.getUTCMonth()]}`;
  }

  minute(ticks) {
    return this.wall(ticks).toISOString().slice(11, 16);
  }

  /** A moment in words: day and minute, or the amount of time since the plan start. */
  moment(ticks) {
    return this.dated ? `${this.day(ticks)} ${this.minute(ticks)}` : this.text(ticks);
  }

  /** From one moment to another; the day is said once where it is the same. */
  span(from, to) {
    if (!this.dated) return `${this.amount(from)} to ${this.text(to)}`;
    return `${this.moment(from)} to ${this.day(from) === this.day(to) ? this.minute(to) : this.moment(to)}`;
  }

  /** A moment for tables: a date that sorts, to the second if `exact`, or a number of units. */
  stamp(ticks, exact = false) {
    if (!this.dated) return Number((ticks / this.ticksPerUnit).toFixed(4));
    return this.wall(ticks).toISOString().slice(0, exact ? 19 : 16).replace("T", " ");
  }

  /** The zone in a word: its city. */
  get place() {
    return this.zone.split("/").at(-1).replaceAll("_", " ");
  }

  /** What the stamps are in. */
  get scale() {
    return this.dated ? this.zone : this.unit;
  }

  /**
   * The marks of an axis from one tick to another that are at least so many ticks apart: {at, label, strong}, strong
   * where a day begins. Dates stand where the clock on the wall is round, also where it is changed.
   */
  marks(left, right, least) {
    if (!this.dated) {
      const step = axisStep(this, least);
      const first = Math.ceil(left / step);
      const count = Math.max(0, Math.floor(right / step) - first + 1);
      return Array.from({ length: count }, (_, i) => (first + i) * step).map((at) => ({
        at, label: at === 0 ? `0 ${this.unit}` : this.amount(at), strong: false,
      }));
    }
    const step = 3_600_000 * (CLOCK_STEPS.find((hours) => 3600 * hours >= least) ?? CLOCK_STEPS.at(-1));
    const marks = [];
    const since = Math.floor((this.wall(left).getTime() - MONDAY) / step) * step + MONDAY;
    for (let wall = since, at = this.tickAt(wall); at <= right; wall += step, at = this.tickAt(wall)) {
      const strong = wall % DAY_MS === 0;
      if (at >= left && at !== marks.at(-1)?.at) marks.push({ at, label: strong ? this.day(at) : this.minute(at), strong });
    }
    return marks;
  }
}
Clock.days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
Clock.months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The smallest round step, in ticks, that is at least as wide as asked. */
function axisStep(clock, ticks) {
  if (clock.unit === "h") {
    return 3600 * (HOUR_STEPS.find((hours) => 3600 * hours >= ticks) ?? 8760 * Math.ceil(ticks / 3600 / 8760));
  }
  const power = 10 ** Math.floor(Math.log10(Math.max(1, ticks)));
  return Math.max(1, power * [1, 2, 5, 10].find((factor) => factor * power >= ticks));
}
