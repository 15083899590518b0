"use strict";

// Sizes in CSS pixels.
const LABELS = 176;
const NARROW = 92; // of the labels in a window of a phone
const AXIS = 20;
const OVERVIEW = 34;
const NAMED = 13; // of a bar that has room for a name

const ABSENT = { bars: [], reach: [], closed: [] }; // a machine that only the plan beside has

/** The part of a plot that comes into view when it is panned by so many pixels. */
function uncovered({ x, y, width, height }, by) {
  return { x: by > 0 ? x + width - by : x, y, width: Math.abs(by), height };
}

/**
 * A Gantt chart on two canvases: rows are machines, one zoom for both axes as on a map.
 * Events on `element`: `select` (detail: a job or null), `hover` (detail: {bar or machine, x, y} or null).
 */
class Gantt extends Chart {
  constructor(element) {
    super();
    this.element = element;
    this.layers = ["base", "overlay"].map(() => element.appendChild(document.createElement("canvas")));
    this.painters = [new Plot(this), new Frame(this)];
    this.order = "centre";
    this.mode = "this";
    this.colouring = COLOURINGS.job;
    this.query = "";
    this.stale = [false, false];
    this.kept = {}; // what holds while no more than the view changes
    this.loads = new Map();
    this.canvas = this.layers[1];
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-roledescription", "Gantt chart");
    new Steering(this);
    new ResizeObserver(() => this.#resize()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
  }

  /** Shows a plan, and beside it another one (or null), which may be of another shop; keeps the view if `keepView`. */
  show(plan, other = null, keepView = false) {
    const { selected, focused } = this;
    Object.assign(this, { plan, other, hovered: null, focused: null });
    if (!other) this.mode = "this";
    this.same = other ? plan.differences(other).same : new Set();
    const ends = [plan.makespan, plan.bound ?? 0, other ? other.makespan : 0];
    const latest = Math.max(1, ...ends);
    // A target far beyond the plan would squeeze it, so it may lie outside; the margin holds the last line's name.
    this.extent = Math.max(latest, plan.target && plan.target < 1.5 * latest ? plan.target : 0) * 1.11;
    const job = keepView && selected ? plan.jobs.find(({ id }) => id === selected.id) : null;
    this.selected = job ?? null;
    this.focused = (job && focused && job.bars.find((bar) => bar.lot === focused.lot && bar.step === focused.step)) ?? null;
    if (!keepView) this.view = { left: 0, top: 0, zoom: 1 };
    const span = `${plan.machines.length} machines, ${plan.bars.length} operations, ends at ${plan.clock.moment(plan.makespan)}`;
    this.canvas.setAttribute("aria-label", `Schedule of ${plan.name}: ${span}. Arrow keys pan, plus and minus zoom, 0 fits.`);
    this.loads.clear();
    this.arrange();
  }

  /** Chooses and orders rows after a change of query, order, mode or colouring. */
  arrange() {
    if (!this.plan) return;
    this.kept = {};
    this.point(null);
    const { plans } = this;
    const wanted = (machine) =>
      (!this.centre || machine.centre === this.centre) &&
      (!this.query || [machine.id, machine.centre].some((text) => text.toLowerCase().includes(this.query)) ||
        plans.some((plan) => plan.machineOf.get(machine.id)?.bars.some((bar) => matches(bar, this.query))));
    const [first, second] = plans;
    const machines = first.ordered(this.order, second?.machines.filter(({ id }) => !first.machineOf.has(id)));
    this.rows = machines.filter(wanted);
    this.hidden = machines.length - this.rows.length;
    if (this.selected) this.selected = plans[0].jobs.find(({ id }) => id === this.selected.id) ?? null;
    this.rowOf = new Map(this.rows.map((machine, row) => [machine.id, row]));
    this.fills = new Map(plans.map((plan) => [plan, this.colouring.of(plan, this.plan)]));
    this.#resize();
  }

  /** The plans on show. */
  get plans() {
    return { this: [this.plan], other: [this.other], both: [this.plan, this.other] }[this.mode];
  }

  /** The plan on show; of two, the first. */
  get shownPlan() {
    return this.plans[0];
  }

  /** Whether a row is the first of another work centre than the row above it. */
  startsCentre(row) {
    return this.order === "centre" && row > 0 && this.rows[row].centre !== this.rows[row - 1].centre;
  }

  /** The machine as the first plan on show has it, or else as the one beside it does. */
  shown(machine) {
    return this.shownPlan.machineOf.get(machine.id) ?? machine;
  }

  /** Where the bars of a row lie: one lane, or two where plans are compared. */
  lanes(machine, row) {
    const height = this.rowHeight;
    const gap = height >= 12 ? 2 : height >= 4 ? 0.5 : 0;
    const y = this.y(row) + gap;
    const inner = height - 2 * gap;
    if (this.mode !== "both") return [{ machine: this.shown(machine), y, height: inner, faded: false }];
    const upper = inner * 0.58;
    return [
      { machine: this.plan.machineOf.get(machine.id) ?? ABSENT, y, height: upper, faded: false },
      { machine: this.other.machineOf.get(machine.id) ?? ABSENT, y: y + upper, height: inner - upper, faded: true },
    ];
  }

  laneOf(bar) {
    const row = this.rowOf.get(bar.machine.id);
    return row === undefined ? undefined : this.lanes(bar.machine, row).find((lane) => lane.machine === bar.machine);
  }

  /** The bar's {colour, series}. */
  fill(bar) {
    return this.fills.get(bar.plan)(bar);
  }

  /** Whether a bar keeps its colour: it is of the selected job, or found, or differs from its twin beside it. */
  lit(bar) {
    if (this.selected) return bar.job.id === this.selected.id; // of two plans the one may have orders that the other lacks
    if (this.query) return matches(bar, this.query);
    return this.mode !== "both" || !this.same.has(bar);
  }

  load(columns) {
    const plan = this.shownPlan;
    if (this.loads.get(plan)?.length !== columns) this.loads.set(plan, plan.load(columns, this.extent));
    return this.loads.get(plan);
  }

  machineAt(y) {
    const machine = this.rows[Math.floor((y - this.box.plot.y + this.view.top) / this.rowHeight)];
    return machine ? this.shown(machine) : null;
  }

  /** The bar at a point of the plot; one within two pixels where none is, since bars can be that thin. */
  barAt(x, y) {
    const row = Math.floor((y - this.box.plot.y + this.view.top) / this.rowHeight);
    if (!this.rows[row]) return null;
    const lanes = this.lanes(this.rows[row], row);
    const { bars, reach } = (lanes.find((lane) => y <= lane.y + lane.height) ?? lanes.at(-1)).machine;
    const time = this.time(x);
    const near = 2 / this.scale;
    const close = bars.slice(firstAbove(reach, time - near), firstAbove(reach, time) + 1);
    return close.find((bar) => bar.start <= time && time <= bar.end) ?? close.find((bar) => bar.start - near <= time) ?? null;
  }

  /** The marks of the axis in view: {at, label, strong}. */
  ticks() {
    const { clock } = this.plan;
    return clock.marks(this.view.left, this.right, (clock.dated ? 74 : 64) / this.scale);
  }

  /** The lines over the plot: the plan's end, the present, the bound, the target. */
  marks() {
    return (this.kept.marks ??= this.#marks());
  }

  #marks() {
    const { plan, other, theme, mode } = this;
    const mark = (at, name, colour, more = {}, { clock } = plan) => ({ at, name: `${name} ${clock.dated ? clock.moment(at) : clock.figure(at)}`, colour, dash: [], ...more });
    const marks = [];
    if (mode !== "other") marks.push(mark(plan.makespan, "ends", theme.text));
    if (plan.now > 0) marks.push(mark(plan.now, "now", theme.good, { leftFirst: true }));
    if (plan.bound) marks.push(mark(plan.bound, "bound", theme.accent, { leftFirst: true }));
    if (plan.target) marks.push(mark(plan.target, "target", theme.late, { dash: [5, 4] }));
    if (mode !== "this") marks.push(mark(other.makespan, "other ends", theme.muted, {}, other));
    return marks;
  }

  // Drawing.

  /** Draws in the next frame: the overlay and, where anything else changed, the base; `moved`: no more than the view. */
  redraw(base = true, moved = false) {
    if (base && !moved) this.kept = {};
    if (!this.stale[1]) requestAnimationFrame(() => this.#draw());
    this.stale = [this.stale[0] || base, true];
  }

  #draw() {
    const { stale } = this;
    this.stale = [false, false];
    if (!this.plan || !this.box || this.box.plot.width <= 0 || this.box.plot.height <= 0) return;
    const pens = this.layers.map((layer) => new Pen(layer.getContext("2d"), this.theme));
    if (stale[0]) this.#drawBase(pens[0]);
    pens[1].context.clearRect(0, 0, this.box.width, this.box.height);
    for (const painter of this.painters) painter.overlay(pens[1]);
  }

  /** Draws the base; where the view was only panned to the side, the plot is moved and what came into view is drawn. */
  #drawBase(pen) {
    const [plot, frame] = this.painters;
    const by = this.#panned();
    if (by === null) pen.rect(pen.theme.panel, 0, 0, this.box.width, this.box.height);
    else if (by) pen.shifted(this.box.plot, by, this.density);
    if (by !== 0) plot.base(pen, by === null ? this.box.plot : uncovered(this.box.plot, by));
    frame.base(pen);
    const { scale, rowHeight, view: { left, top } } = this;
    const seen = this.kept.seen;
    this.kept.seen = { scale, rowHeight, top, left: by === null ? left : seen.left + by / scale };
  }

  /** Pixels to the right by which the view was panned since the base was drawn; null where it has to be drawn anew. */
  #panned() {
    const { kept: { seen }, scale, rowHeight, view, density, box } = this;
    if (!seen || seen.scale !== scale || seen.rowHeight !== rowHeight || seen.top !== view.top) return null;
    if (rowHeight >= NAMED) return null; // a name stays in view where its bar begins before it
    const pixels = (view.left - seen.left) * scale * density;
    const whole = Math.round(pixels);
    return Math.abs(pixels - whole) < 0.05 && Math.abs(whole) < 0.9 * box.plot.width * density ? whole / density : null;
  }

  /** Draws at once in the colours of now, since paper does not wait for the next frame. */
  restyle() {
    this.theme = readTheme(this.element);
    this.kept = {};
    this.stale = [true, true];
    this.#draw();
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height || !this.plan) return;
    this.density = window.devicePixelRatio || 1;
    const [across, down] = [width, height].map((pixels) => Math.round(pixels * this.density));
    const emptied = this.layers[0].width !== across || this.layers[0].height !== down;
    for (const layer of emptied ? this.layers : []) {
      Object.assign(layer, { width: across, height: down });
      layer.getContext("2d").setTransform(this.density, 0, 0, this.density, 0, 0);
      this.kept = {};
    }
    // Edges lie between pixels of the screen, so that a part can be moved without a seam.
    const head = this.snap(this.flagHeight + AXIS);
    const labels = this.snap(width < 560 ? NARROW : LABELS);
    const plot = { x: labels, y: head, width: this.snap(width - labels), height: this.snap(height - head - OVERVIEW - 12) };
    const overview = { x: labels, y: height - OVERVIEW - 2, width: width - labels, height: OVERVIEW };
    this.box = { width, height, plot, overview };
    this.theme ??= readTheme(this.element);
    this.moveTo(this.view);
    if (emptied) this.#draw(); // at once: the next frame would show them so
  }

  select(job, focused = null) {
    Object.assign(this, { selected: job, focused });
    this.redraw();
    this.element.dispatchEvent(new CustomEvent("select", { detail: job }));
  }

  /** Notes where the pointer is (null: away) and what lies under it. */
  point(pointer, bar = null, machine = null) {
    this.pointer = pointer;
    this.hovered = bar;
    const detail = bar || machine ? { bar, machine, ...pointer } : null;
    this.element.dispatchEvent(new CustomEvent("hover", { detail }));
    if (this.plan) this.redraw(false);
  }
}
