"use strict";

const HOUR_STEPS = [1 / 60, 1 / 20, 0.1, 0.25, 0.5, 1, 2, 4, 6, 12, 24, 48, 72, 168, 336, 672, 1344, 2688, 8760];
const CLOCK_STEPS = [0.25, 1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672, 1344, 8760].map((hours) => hours * 3600);
const DAY = 86400;

/** The smallest round step, in ticks, that is at least as wide as asked. */
function axisStep(clock, ticks) {
  if (clock.unit === "h") {
    return 3600 * (HOUR_STEPS.find((hours) => 3600 * hours >= ticks) ?? 8760 * Math.ceil(ticks / 3600 / 8760));
  }
  const power = 10 ** Math.floor(Math.log10(Math.max(1, ticks)));
  return Math.max(1, power * [1, 2, 5, 10].find((factor) => factor * power >= ticks));
}

/** Draws what stands around the plot: dates, hours and flags above it, machines beside it, the overview below. */
class Frame {
  constructor(gantt) {
    this.g = gantt;
  }

  base(pen) {
    this.#head(pen);
    this.#machines(pen);
    this.#overview(pen);
  }

  overlay(pen) {
    const { pointer, box: { plot, width: across }, plan, brush } = this.g;
    if (!pointer || pointer.x < plot.x || brush) return;
    pen.font(500);
    const label = plan.clock.text(this.g.time(pointer.x), 1);
    const width = pen.width(label) + 10;
    const left = Math.min(pointer.x - width / 2, across - width);
    pen.context.fillStyle = pen.theme.text;
    pen.context.beginPath();
    pen.context.roundRect(left, plot.y - FLAGS - 17, width, 17, 3);
    pen.context.fill();
    pen.text(pen.theme.panel, label, left + 5, plot.y - FLAGS - 8);
  }

  #head(pen) {
    const { g } = this;
    const { plot, width } = g.box;
    const { clock } = g.plan;
    pen.rect(pen.theme.panel, 0, 0, width, plot.y);
    pen.clipped({ x: plot.x - 20, y: 0, width: plot.width + 20, height: plot.y }, () => {
      pen.font();
      for (const t of g.ticks()) {
        const label = t === 0 ? `0 ${clock.unit}` : clock.amount(t);
        const half = pen.width(label) / 2;
        pen.text(pen.theme.muted, label, Math.max(g.x(t), plot.x + half - 6) - half, plot.y - FLAGS - 9);
      }
      if (clock.origin !== null) this.#dates(pen, plot.y - FLAGS - 26);
    });
    if (clock.origin !== null) {
      pen.font();
      pen.text(pen.theme.text, `${clock.day(g.view.left)}, ${clock.zone}`, 10, plot.y - FLAGS - 26, plot.x - 16);
    }
    this.#flags(pen, plot.y - FLAGS / 2 - 2);
    this.#dueMarks(pen);
    pen.rect(pen.theme.line, 0, plot.y - 1, width, 1);
  }

  /** Calendar marks on the plan's own clock; the day at the left edge stands in the corner. */
  #dates(pen, y) {
    const { g } = this;
    const { clock } = g.plan;
    const step = CLOCK_STEPS.find((ticks) => ticks * g.scale >= 84) ?? CLOCK_STEPS.at(-1);
    const midnight = -((((clock.origin / 1000) % DAY) + DAY) % DAY);
    for (let t = midnight + Math.ceil((g.view.left - midnight) / step) * step; t <= g.right; t += step) {
      const isDay = clock.minute(t) === "00:00";
      const room = g.box.width - g.x(t) - 7;
      pen.text(isDay ? pen.theme.text : pen.theme.muted, isDay ? clock.day(t) : clock.minute(t), g.x(t) + 5, y, room);
      pen.rect(pen.theme.line, Math.round(g.x(t)), y - 7, 1, 14);
    }
  }

  /** The names of the lines, each on a free side of its line or else left of the names before it, if there is room. */
  #flags(pen, y) {
    const { g } = this;
    const { plot } = g.box;
    const taken = [];
    const free = (left, width) =>
      left >= plot.x && left + width <= plot.x + plot.width &&
      taken.every(([from, to]) => left + width + 5 < from || left > to + 5);
    pen.font(600);
    const inView = g.marks().filter(({ at }) => at >= g.view.left && at <= g.right);
    for (const { at, colour } of inView) pen.rect(colour, Math.round(g.x(at)) - 0.25, plot.y - FLAGS, 1.5, FLAGS);
    for (const { at, name, colour, leftFirst } of inView) {
      const width = pen.width(name);
      const sides = [g.x(at) + 7, g.x(at) - 7 - width];
      const outside = Math.min(...taken.map(([from]) => from)) - 12 - width;
      const left = [...(leftFirst ? sides.reverse() : sides), outside].find((side) => free(side, width));
      if (left === undefined) continue;
      taken.push([left, left + width]);
      pen.rect(pen.theme.panel, left - 2, y - 7, width + 4, 14);
      pen.text(colour, name, left, y);
    }
  }

  /** A short mark on the plot's upper edge for every due date; those of late jobs stand out. */
  #dueMarks(pen) {
    const { g } = this;
    const { plot } = g.box;
    for (const late of [false, true]) {
      for (const job of g.shownPlan.jobs) {
        const x = job.due === null ? -1 : g.x(job.due);
        if (x < plot.x || x > plot.x + plot.width || job.lateness > 0 !== late) continue;
        pen.rect(late ? pen.theme.late : pen.theme.muted, Math.round(x), plot.y - 5, 1, 5);
      }
    }
  }

  #machines(pen) {
    const { g } = this;
    const { plot } = g.box;
    pen.rect(pen.theme.panel, 0, plot.y, plot.x, plot.height);
    pen.clipped({ x: 0, y: plot.y, width: plot.x, height: plot.height }, () => {
      const [first, last] = g.visibleRows;
      const every = Math.ceil(12 / g.rowHeight);
      const byCentre = every > 1 && g.order === "centre" && g.shownPlan.centres.length > 1;
      pen.font();
      for (let r = first; r < last; r++) {
        this.#utilisation(pen, g.shown(g.rows[r]), g.y(r));
        const named = !byCentre && r % every === 0;
        if (named) pen.text(pen.theme.text, g.rows[r].id, 10, g.y(r) + (every > 1 ? 5 : g.rowHeight / 2), plot.x - 66);
        if (g.startsCentre(r)) pen.rect(pen.theme.line, 0, Math.round(g.y(r)), plot.x, 1);
      }
      if (byCentre) this.#centres(pen);
    });
    pen.rect(pen.theme.line, plot.x - 1, plot.y, 1, plot.height);
  }

  #utilisation(pen, machine, y) {
    const { g } = this;
    const [x, width] = [g.box.plot.x - 48, 40];
    const height = Math.max(1, Math.min(5, g.rowHeight - 1));
    const top = y + (g.rowHeight - height) / 2;
    pen.rect(pen.theme.grid, x, top, width, height);
    pen.rect(pen.theme.muted, x, top, width * Math.min(1, machine.utilisation), height);
  }

  #centres(pen) {
    const { g } = this;
    pen.font(500);
    for (let r = 0, end; r < g.rows.length; r = end) {
      for (end = r + 1; end < g.rows.length && !g.startsCentre(end); ) end++;
      const fits = (end - r) * g.rowHeight >= 11;
      if (fits) pen.text(pen.theme.text, g.rows[r].centre || "no centre", 10, (g.y(r) + g.y(end)) / 2, g.box.plot.x - 66);
    }
  }

  /** The busy machines over the whole plan; the window shows what the plot shows. */
  #overview(pen) {
    const { g } = this;
    const { overview: box, plot, width } = g.box;
    const x = (ticks) => box.x + (ticks / g.extent) * box.width;
    const most = Math.max(1, g.plan.machines.length);
    pen.rect(pen.theme.panel, 0, box.y - 8, width, box.height + 10);
    pen.rect(pen.theme.line, 0, box.y - 8, width, 1);
    pen.faint(0.5, () => g.load(Math.round(box.width)).forEach((busy, column) => {
      const height = (busy / most) * box.height;
      pen.rect(pen.theme.muted, box.x + column, box.y + box.height - height, 1, height);
    }));
    const [from, to] = [x(g.view.left), x(g.right)];
    pen.faint(0.7, () => {
      pen.rect(pen.theme.panel, box.x, box.y, from - box.x, box.height);
      pen.rect(pen.theme.panel, to, box.y, box.x + box.width - to, box.height);
    });
    for (const { at, colour, dash } of g.marks()) pen.vertical(colour, x(at), box.y, box.height, dash);
    Object.assign(pen.context, { strokeStyle: pen.theme.accent, lineWidth: 1 });
    if (g.view.zoom > 1.001) pen.context.strokeRect(from + 0.5, box.y + 0.5, to - from - 1, box.height - 1);
    pen.font();
    pen.text(pen.theme.muted, "machines busy", 10, box.y + box.height / 2 - 7);
    pen.text(pen.theme.muted, `of ${most}`, 10, box.y + box.height / 2 + 7);
    pen.rect(pen.theme.line, plot.x - 1, box.y - 8, 1, box.height + 10);
  }
}
