"use strict";

const LINE = 12; // pixels, of the names of work centres

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
    this.#pointed(pen);
    const { pointer, box: { plot, width: across }, plan, brush } = this.g;
    if (!pointer || pointer.x < plot.x || brush) return;
    pen.font(500);
    const label = plan.clock.dated ? plan.clock.moment(this.g.time(pointer.x)) : plan.clock.text(this.g.time(pointer.x), 1);
    const width = pen.width(label) + 10;
    const left = Math.min(pointer.x - width / 2, across - width);
    pen.context.fillStyle = pen.theme.text;
    pen.context.beginPath();
    pen.context.roundRect(left, plot.y - this.g.flagHeight - 17, width, 17, 3);
    pen.context.fill();
    pen.text(pen.theme.panel, label, left + 5, plot.y - this.g.flagHeight - 8);
  }

  #head(pen) {
    const { g } = this;
    const { plot, width } = g.box;
    const { clock } = g.plan;
    const middle = plot.y - g.flagHeight - 9;
    pen.rect(pen.theme.panel, 0, 0, width, plot.y);
    pen.clipped({ x: plot.x - 20, y: 0, width: plot.width + 20, height: plot.y }, () => {
      for (const { at, label, strong } of g.ticks()) {
        pen.font(strong ? 600 : 400);
        const half = pen.width(label) / 2;
        if (g.x(at) + half > width) continue;
        pen.text(strong ? pen.theme.text : pen.theme.muted, label, Math.max(g.x(at), plot.x + half - 6) - half, middle);
      }
    });
    pen.font();
    const corner = clock.dated ? `${clock.day(g.view.left)}, ${clock.place}` : "hours";
    if (clock.unit === "h") pen.text(pen.theme.muted, corner, 10, middle, plot.x - 34);
    this.#flags(pen);
    this.#dueMarks(pen);
    pen.rect(pen.theme.line, 0, plot.y - 1, width, 1);
  }

  /**
   * The names of the lines, each on a side of its line where it covers neither another name nor, if that can be,
   * another line; else left of a name before it, if there is room.
   */
  #flags(pen) {
    const { g } = this;
    const { plot } = g.box;
    const top = plot.y - g.flagHeight;
    const taken = [];
    const free = ({ tier, left }, width) =>
      left >= plot.x && left + width <= plot.x + plot.width &&
      taken.every((flag) => flag.tier !== tier || left + width + 5 < flag.left || left > flag.right + 5);
    pen.font(600);
    const inView = g.marks().filter(({ at }) => at >= g.view.left && at <= g.right);
    const crossed = ({ left }, width) => inView.some(({ at }) => g.x(at) > left - 4 && g.x(at) < left + width + 4);
    for (const { at, colour } of inView) pen.rect(colour, Math.round(g.x(at)) - 0.25, top, 1.5, g.flagHeight);
    for (const { at, name, colour, leftFirst } of inView) {
      const width = pen.width(name);
      const sides = [g.x(at) + 7, g.x(at) - 7 - width];
      if (leftFirst) sides.reverse();
      const tiers = Array.from({ length: g.flagHeight / FLAGS }, (_, tier) => tier);
      const beside = tiers.flatMap((tier) => sides.map((left) => ({ tier, left }))).filter((spot) => free(spot, width));
      const outside = taken.map(({ left }) => ({ tier: 0, left: left - 12 - width }));
      const spot = beside.find((each) => !crossed(each, width)) ?? [...beside, ...outside].find((each) => free(each, width));
      if (!spot) continue;
      taken.push({ ...spot, right: spot.left + width });
      const y = top + FLAGS * spot.tier + FLAGS / 2 - 2;
      pen.rect(pen.theme.panel, spot.left - 2, y - 7, width + 4, 14);
      pen.text(colour, name, spot.left, y);
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

  /** The pixels that names beside the plot may take. */
  get #room() {
    return this.g.box.plot.x - (this.#narrow ? 16 : 66);
  }

  get #narrow() {
    return this.g.box.plot.x < 120;
  }

  #machines(pen) {
    const { g } = this;
    const { plot } = g.box;
    pen.rect(pen.theme.panel, 0, plot.y, plot.x, plot.height);
    pen.clipped({ x: 0, y: plot.y, width: plot.x, height: plot.height }, () => {
      const [first, last] = g.visibleRows;
      const low = g.rowHeight < LINE;
      const byCentre = low && g.order === "centre" && g.shownPlan.centres.length > 1;
      const left = byCentre ? 10 + 0.58 * this.#room : 10;
      let above = -Infinity;
      pen.font();
      // Lines lie below the names, which are taller than low rows.
      for (let r = first; r < last; r++) if (g.startsCentre(r)) pen.rect(pen.theme.line, 0, Math.round(g.y(r)), plot.x, 1);
      for (let r = first; r < last; r++) {
        if (!this.#narrow) this.#utilisation(pen, g.shown(g.rows[r]), g.y(r));
        const middle = g.y(r) + (low ? 5 : g.rowHeight / 2);
        if (middle - above >= LINE - 1 && !(byCentre && this.#narrow)) {
          if (low) pen.rect(pen.theme.panel, left - 2, middle - 5, Math.min(pen.width(g.rows[r].id), this.#room + 10 - left) + 4, 10);
          pen.text(byCentre ? pen.theme.muted : pen.theme.text, g.rows[r].id, left, middle, this.#room + 10 - left);
          above = middle;
        }
      }
      if (byCentre) this.#centres(pen);
    });
    pen.rect(pen.theme.line, plot.x - 1, plot.y, 1, plot.height);
  }

  /** The name of the machine under the pointer, over those that stand there: low rows show only some of them. */
  #pointed(pen) {
    const { g } = this;
    const machine = g.hovered?.machine ?? (g.pointer && g.machineAt(g.pointer.y));
    const row = machine ? g.rowOf.get(machine.id) : undefined;
    const { plot } = g.box;
    if (row === undefined || g.rowHeight >= LINE || !g.pointer || g.pointer.y < plot.y || g.pointer.y > plot.y + plot.height) return;
    const middle = Math.min(plot.y + plot.height - LINE / 2, Math.max(plot.y + LINE / 2, g.y(row) + g.rowHeight / 2));
    pen.font(600);
    pen.rect(pen.theme.panel, 4, middle - 8, this.#room + 10, 16);
    pen.text(pen.theme.accent, machine.id, 10, middle, this.#room);
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
    const { plot } = g.box;
    const [top, bottom] = [plot.y, plot.y + plot.height];
    const centres = [];
    for (let r = 0, end; r < g.rows.length; r = end) {
      for (end = r + 1; end < g.rows.length && !g.startsCentre(end); ) end++;
      const [from, to] = [Math.max(top, g.y(r)), Math.min(bottom, g.y(end))];
      if (from < to) centres.push({ name: g.rows[r].centre || "no centre", height: to - from, middle: (from + to) / 2 });
    }
    const crowded = centres.length * LINE > plot.height;
    const named = centres.filter(({ height }) => !crowded || height >= LINE);
    // A centre of few machines is lower than its name; the names around make room.
    named.reduce((above, centre) => (centre.middle = Math.max(centre.middle, above + LINE)), top - LINE / 2);
    named.reduceRight((below, centre) => (centre.middle = Math.min(centre.middle, below - LINE)), bottom + LINE / 2);
    for (const { name, middle } of named) {
      const room = this.#narrow ? this.#room : 0.58 * this.#room - 6;
      pen.rect(pen.theme.panel, 8, middle - 5, Math.min(pen.width(name), room) + 6, 10);
      pen.text(pen.theme.text, name, 10, middle, room);
    }
  }

  /** The outline of a load, a pixel a column, as a path. */
  #skyline(load, most) {
    const { x, y, height } = this.g.box.overview;
    const path = new Path2D();
    path.moveTo(x, y + height);
    load.forEach((busy, column) => {
      const top = y + height * (1 - busy / most);
      path.lineTo(x + column, top);
      path.lineTo(x + column + 1, top);
    });
    path.lineTo(x + load.length, y + height);
    return path;
  }

  /** The busy machines over the whole plan; the window shows what the plot shows. */
  #overview(pen) {
    const { g } = this;
    const { overview: box, plot, width } = g.box;
    const x = (ticks) => box.x + (ticks / g.extent) * box.width;
    const most = Math.max(1, g.shownPlan.machines.length);
    pen.rect(pen.theme.panel, 0, box.y - 8, width, box.height + 10);
    pen.rect(pen.theme.line, 0, box.y - 8, width, 1);
    pen.context.fillStyle = pen.theme.muted;
    pen.faint(0.5, () => pen.context.fill((g.kept.skyline ??= this.#skyline(g.load(Math.round(box.width)), most))));
    const [from, to] = [x(g.view.left), x(g.right)];
    pen.faint(0.7, () => {
      pen.rect(pen.theme.panel, box.x, box.y, from - box.x, box.height);
      pen.rect(pen.theme.panel, to, box.y, box.x + box.width - to, box.height);
    });
    for (const { at, colour, dash } of g.marks()) pen.vertical(colour, x(at), box.y, box.height, dash);
    Object.assign(pen.context, { strokeStyle: pen.theme.accent, lineWidth: 1 });
    if (g.view.zoom > 1.001) pen.context.strokeRect(from + 0.5, box.y + 0.5, to - from - 1, box.height - 1);
    pen.font();
    pen.text(pen.theme.muted, this.#narrow ? "busy" : "machines busy", 10, box.y + box.height / 2 - 7);
    pen.text(pen.theme.muted, `of ${most}`, 10, box.y + box.height / 2 + 7);
    pen.rect(pen.theme.line, plot.x - 1, box.y - 8, 1, box.height + 10);
  }
}
