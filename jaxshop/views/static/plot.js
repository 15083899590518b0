"use strict";

const OVERLAPS = 200; // so many bars that break a rule are drawn twice

/** Draws the inside of a chart: rows, bars and lines; on the layer above, what follows the pointer. */
class Plot {
  constructor(gantt) {
    this.g = gantt;
  }

  /** Draws a part of the plot, {x, y, width, height} in pixels. */
  base(pen, part) {
    this.from = this.g.time(part.x - 1);
    this.to = this.g.time(part.x + part.width + 1);
    pen.clipped(part, () => {
      pen.rect(pen.theme.panel, part.x, part.y, part.width, part.height);
      this.#rows(pen);
      this.#grid(pen);
      this.#bars(pen);
      this.#signs(pen);
      this.#lines(pen);
    });
  }

  overlay(pen) {
    const { g } = this;
    const { plot } = g.box;
    pen.clipped(plot, () => {
      if (g.selected) this.#route(pen, g.selected);
      if (g.focused) this.#outline(pen, g.focused, pen.theme.accent, 2);
      if (g.hovered && !g.ghost) this.#outline(pen, g.hovered, pen.theme.text, 1.5);
      if (g.ghost) this.#ghost(pen, g.ghost);
      const x = g.pointer?.x ?? -1;
      if (x > plot.x && !g.brush) pen.faint(0.35, () => pen.rect(pen.theme.text, Math.round(x), plot.y, 1, plot.height));
    });
    if (g.brush) {
      const [from, to] = [g.brush.from, g.brush.to].sort((a, b) => a - b);
      pen.faint(0.18, () => pen.rect(pen.theme.accent, from, 0, to - from, plot.y + plot.height));
    }
  }

  #rows(pen) {
    const { g } = this;
    const { plot } = g.box;
    const [first, last] = g.visibleRows;
    let banded = false;
    for (let r = 0; r < last; r++) {
      if (g.order === "centre" ? g.startsCentre(r) : r > 0 && g.rowHeight >= 8) banded = !banded;
      if (r < first) continue;
      if (banded) pen.rect(pen.theme.stripe, plot.x, g.y(r), plot.width, g.rowHeight);
      // A row is closed before its machine may work.
      const closed = g.x(g.rows[r].availableFrom) - plot.x;
      if (closed > 0) pen.rect(pen.theme.dim, plot.x, g.y(r), closed, g.rowHeight);
      this.#closings(pen, g.rows[r], g.y(r));
    }
  }

  /** A row is also closed where its machine's shifts leave a gap that is at least a pixel wide. */
  #closings(pen, machine, y) {
    const { g } = this;
    for (const [from, to] of machine.closed) {
      if (to < this.from || from > this.to || (to - from) * g.scale < 1) continue;
      pen.faint(0.6, () => pen.rect(pen.theme.dim, g.x(from), y, (to - from) * g.scale, g.rowHeight));
    }
  }

  #grid(pen) {
    const { g } = this;
    const { plot } = g.box;
    for (const { at, strong } of g.ticks()) pen.rect(strong ? pen.theme.line : pen.theme.grid, g.snap(g.x(at)), plot.y, 1, plot.height);
  }

  #bars(pen) {
    const { g } = this;
    const [first, last] = g.visibleRows;
    pen.font(500);
    for (let r = first; r < last; r++) {
      for (const lane of g.lanes(g.rows[r], r)) pen.faint(lane.faded ? 0.55 : 1, () => this.#lane(pen, lane));
    }
  }

  /** One machine of one plan: only bars in view and, of several that fall into the same pixel, one. */
  #lane(pen, { machine, y, height, faded }) {
    const { g } = this;
    const { context } = pen;
    const { scale, density } = g;
    const origin = g.box.plot.x - g.view.left * scale;
    const snap = (ticks) => Math.round((origin + ticks * scale) * density) / density;
    let painted = -Infinity;
    for (let i = firstAbove(machine.reach, this.from); i < machine.bars.length; i++) {
      const bar = machine.bars[i];
      if (bar.start > this.to) break;
      const end = snap(bar.end);
      if (end < painted) continue;
      const x = snap(bar.start);
      painted = Math.max(end, x + 1);
      const width = Math.max(1, end - x - (end - x > 4 ? 1 : 0));
      const lit = g.lit(bar);
      const { colour, series } = lit ? g.fill(bar) : { colour: pen.theme.dim, series: 0 };
      context.fillStyle = colour;
      if (height >= 10 && width > 5) {
        context.beginPath();
        context.roundRect(x, y, width, height, 2);
        context.fill();
      } else context.fillRect(x, y, width, height);
      if (series) pen.rect(pen.stripes(series), x, y, width, height);
      if (!lit) continue;
      const setup = (bar.ready - bar.start) * scale;
      if (setup >= 2 && height >= 3) pen.rect("rgb(255 255 255 / 45%)", x, y, Math.min(setup, width), height);
      if (width > 3 && machine.closed.length && !faded) this.#pause(pen, bar, y, height);
      if (height >= NAMED && width > 34 && !faded) this.#name(pen, bar, x, width, y + height / 2 + 0.5);
    }
  }

  /** A bar that goes on after its machine was closed is only half as high in between. */
  #pause(pen, { machine, start, end }, y, height) {
    const { g } = this;
    for (let i = firstAbove(machine.opens, start); machine.closed[i]?.[0] < end; i++) {
      const [from, to] = [Math.max(start, machine.closed[i][0]), Math.min(end, machine.closed[i][1])];
      if ((to - from) * g.scale < 2) continue;
      for (const top of [y, y + 0.75 * height]) {
        pen.rect(pen.theme.panel, g.x(from), top, (to - from) * g.scale, height / 4);
        pen.faint(0.6, () => pen.rect(pen.theme.dim, g.x(from), top, (to - from) * g.scale, height / 4));
      }
    }
  }

  /** What is wrong has a frame of its own and, where there is room, an exclamation mark; what is locked has a padlock. */
  #signs(pen) {
    const { g } = this;
    const plan = g.shownPlan;
    for (const bar of plan.locked) this.#sign(pen, bar, (x, y) => this.#padlock(pen, x, y));
    // Of bars that overlap the short ones lie above, lest a long one hides them.
    const broken = [...plan.broken.keys()].sort((a, b) => b.end - b.start - a.end + a.start);
    if (plan.broken.size <= OVERLAPS) for (const bar of broken) this.#again(pen, bar);
    for (const bar of broken) {
      this.#outline(pen, bar, pen.theme.late, 2);
      this.#sign(pen, bar, (x, y) => {
        pen.rect(pen.theme.late, x, y, 9, 12);
        pen.font(700);
        pen.text(pen.theme.panel, "!", x + 3, y + 6.5);
      });
    }
  }

  /** Draws a bar once more, over what hides it. */
  #again(pen, bar) {
    const { g } = this;
    const lane = bar.end < this.from || bar.start > this.to || !g.lit(bar) ? undefined : g.laneOf(bar);
    if (!lane) return;
    const [x, width] = [g.snap(g.x(bar.start)), (bar.end - bar.start) * g.scale];
    pen.rect(g.fill(bar).colour, x, lane.y, width, lane.height);
    pen.font(500);
    if (lane.height >= NAMED && width > 34) this.#name(pen, bar, x, width, lane.y + lane.height / 2 + 0.5);
  }

  /** Draws at the upper right of a bar that has the room. */
  #sign(pen, bar, draw) {
    const { g } = this;
    const lane = bar.end < g.view.left || bar.start > g.right ? undefined : g.laneOf(bar);
    const x = g.x(bar.end) - 12;
    if (lane && lane.height >= 12 && x > g.x(bar.start)) draw(x, lane.y + 1);
  }

  #padlock({ context, theme }, x, y) {
    Object.assign(context, { fillStyle: theme.ink, strokeStyle: theme.ink, lineWidth: 1.25 });
    context.fillRect(x + 1, y + 5, 8, 6);
    context.beginPath();
    context.arc(x + 5, y + 5, 2.5, Math.PI, 0);
    context.stroke();
  }

  /** The job's name, kept in view where its bar begins left of the plot. */
  #name(pen, bar, x, width, middle) {
    const left = Math.max(x, this.g.box.plot.x) + 5;
    const name = bar.job.lots > 1 ? `${bar.job.id} · ${bar.lot + 1}` : bar.job.id;
    const room = x + width - left - 4;
    const { colour, series } = this.g.fill(bar);
    if (series && room > 0) pen.rect(colour, left - 3, middle - 6, Math.min(pen.width(name), room) + 6, 12); // no stripes
    pen.text(pen.theme.ink, name, left, middle, room);
  }

  #lines(pen) {
    const { g } = this;
    const { plot } = g.box;
    for (const { at, colour, dash } of g.marks()) pen.vertical(colour, g.x(at), plot.y, plot.height, dash);
    const { due = null, lateness = 0 } = g.selected ?? {};
    if (due !== null) pen.vertical(lateness > 0 ? pen.theme.late : pen.theme.muted, g.x(due), plot.y, plot.height, [2, 3]);
  }

  /** A bar on its way: where it came from, and where it would lie; red and dashed where it may not, and rows pale that never may have it. */
  #ghost(pen, { bar, machine, mayRunOn, start, end, wrong }) {
    const [first, last] = this.g.visibleRows;
    const { plot } = this.g.box;
    for (let r = first; r < last; r++) {
      if (!mayRunOn(this.g.rows[r].id)) pen.faint(0.6, () => pen.rect(pen.theme.panel, plot.x, this.g.y(r), plot.width, this.g.rowHeight));
    }
    this.#outline(pen, bar, pen.theme.muted, 1);
    const { context, theme } = pen;
    const lane = this.g.laneOf({ machine });
    if (!lane) return;
    const [x, width] = [this.g.x(start), Math.max(3, (end - start) * this.g.scale)];
    pen.faint(0.85, () => pen.rect(wrong ? theme.dim : this.g.fill(bar).colour, x, lane.y, width, lane.height));
    Object.assign(context, { strokeStyle: wrong ? theme.late : theme.accent, lineWidth: 2 });
    context.setLineDash(wrong ? [4, 3] : []);
    context.strokeRect(x, lane.y, width, lane.height);
    context.setLineDash([]);
  }

  #outline({ context }, bar, colour, lineWidth) {
    const lane = this.g.laneOf(bar);
    if (!lane) return;
    Object.assign(context, { strokeStyle: colour, lineWidth });
    context.strokeRect(this.g.x(bar.start) - 0.5, lane.y - 0.5, Math.max(2, (bar.end - bar.start) * this.g.scale), lane.height + 1);
  }

  /** Every lot of a job, operation by operation, joined by arrows in route order. */
  #route(pen, { bars }) {
    const { g } = this;
    for (let i = 0; i + 1 < bars.length; i++) {
      const [from, to] = [g.laneOf(bars[i]), g.laneOf(bars[i + 1])];
      if (bars[i].lot !== bars[i + 1].lot || !from || !to) continue;
      const start = { x: g.x(bars[i].end), y: from.y + from.height / 2 };
      const end = { x: g.x(bars[i + 1].start), y: to.y + to.height / 2 };
      pen.faint(0.7, () => this.#arrow(pen, start, end));
    }
  }

  #arrow({ context, theme }, start, end) {
    const bend = Math.max(10, (end.x - start.x) / 2);
    Object.assign(context, { strokeStyle: theme.text, fillStyle: theme.text, lineWidth: 1.25 });
    context.beginPath();
    context.moveTo(start.x, start.y);
    context.bezierCurveTo(start.x + bend, start.y, end.x - bend, end.y, end.x - 2, end.y);
    context.stroke();
    context.beginPath();
    context.moveTo(end.x, end.y);
    context.lineTo(end.x - 6, end.y - 3);
    context.lineTo(end.x - 6, end.y + 3);
    context.fill();
  }
}
