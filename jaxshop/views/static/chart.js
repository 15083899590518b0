"use strict";

// Sizes in CSS pixels.
const FLAGS = 20; // of a line of flags
const TALLEST = 26; // of a row that was zoomed
const FILLING = 160; // of the rows of a small shop, which fill the chart

/** Where ticks and rows lie on the screen, and how that view is moved; `redraw` comes from whoever draws. */
class Chart {
  view = { left: 0, top: 0, zoom: 1 };
  rows = [];

  get scale() {
    return (this.box.plot.width * this.view.zoom) / this.extent;
  }

  get right() {
    return this.view.left + this.extent / this.view.zoom;
  }

  get rowHeight() {
    const fitted = this.box.plot.height / Math.max(1, this.rows.length);
    const tallest = Math.max((this.mode === "both" ? 1.6 : 1) * TALLEST, Math.min(FILLING, fitted));
    return Math.max(2, Math.min(tallest, fitted * this.view.zoom));
  }

  x(ticks) {
    return this.box.plot.x + (ticks - this.view.left) * this.scale;
  }

  y(row) {
    return this.box.plot.y + row * this.rowHeight - this.view.top;
  }

  time(x) {
    return this.view.left + (x - this.box.plot.x) / this.scale;
  }

  snap(x) {
    return Math.round(x * this.density) / this.density;
  }

  /** The room above the plot for the names of its lines: where plans are compared there are more of them. */
  get flagHeight() {
    return this.mode === "both" ? 2 * FLAGS : FLAGS;
  }

  /** The first row in view, and the one after the last. */
  get visibleRows() {
    const first = Math.floor(this.view.top / this.rowHeight);
    const last = Math.ceil((this.view.top + this.box.plot.height) / this.rowHeight);
    return [Math.max(0, first), Math.min(this.rows.length, last)];
  }

  // Moving the view.

  moveTo({ left, top, zoom }) {
    const closest = this.extent / (this.plan.clock.unit === "h" ? 360 : 10);
    this.view.zoom = Math.min(Math.max(1, zoom), Math.max(1, closest));
    this.view.left = Math.min(Math.max(0, left), this.extent - this.extent / this.view.zoom);
    const overflow = this.rows.length * this.rowHeight - this.box.plot.height;
    this.view.top = Math.min(Math.max(0, top), Math.max(0, overflow));
    this.redraw(true, true);
  }

  pan(dx, dy) {
    this.moveTo({ ...this.view, left: this.view.left + dx / this.scale, top: this.view.top + dy });
  }

  /** Zooms by a factor and keeps what lies under the point (x, y) there. */
  zoomAt(factor, x, y) {
    const { plot } = this.box;
    const time = this.time(x);
    const row = (y - plot.y + this.view.top) / this.rowHeight;
    this.moveTo({ ...this.view, zoom: this.view.zoom * factor });
    const left = time - (x - plot.x) / this.scale;
    this.moveTo({ ...this.view, left, top: row * this.rowHeight - (y - plot.y) });
  }

  /** Zooms smoothly, about the middle of the plot if no point is given. */
  zoomBy(factor, x = this.#middle.x, y = this.#middle.y) {
    this.#animate((share) => this.zoomAt(factor ** share, x, y));
  }

  /** Zooms out to the whole plan. */
  fit() {
    const { x, y } = this.#middle;
    const { zoom } = this.view;
    this.#animate((share) => this.zoomAt(zoom ** -share, x, y), () => this.moveTo({ left: 0, top: 0, zoom: 1 }));
  }

  get #middle() {
    const { x, y, width, height } = this.box.plot;
    return { x: x + width / 2, y: y + height / 2 };
  }

  centreOn(time) {
    this.moveTo({ ...this.view, left: time - this.extent / this.view.zoom / 2 });
  }

  /** Marks a piece of the axis, {from, to} in pixels, which `spanBrush` then shows over the full width. */
  mark(brush) {
    this.brush = brush;
    this.redraw(false);
  }

  spanBrush() {
    const [from, to] = [this.time(this.brush.from), this.time(this.brush.to)].sort((a, b) => a - b);
    this.brush = null;
    this.moveTo({ ...this.view, zoom: this.extent / Math.max(1, to - from) });
    this.moveTo({ ...this.view, left: from });
  }

  /** Brings a bar into view, at least wide enough to read. */
  reveal(bar) {
    const { plot } = this.box;
    const wide = this.extent / Math.max(4 * (bar.end - bar.start), 1);
    const legible = (14 * this.rows.length) / plot.height;
    this.moveTo({ ...this.view, zoom: Math.max(this.view.zoom, Math.min(wide, legible)) });
    const x = this.x((bar.start + bar.end) / 2);
    const y = this.laneOf(bar)?.y ?? plot.y;
    const seen = x > plot.x + 40 && x < plot.x + plot.width - 40 && y > plot.y && y < plot.y + plot.height - 30;
    if (!seen) this.pan(x - plot.x - plot.width / 2, y - plot.y - plot.height / 2);
  }

  /** Runs `step` over 160 ms with shares that add up to 1, then `finish`; at once where motion is unwanted. */
  #animate(step, finish = () => {}) {
    cancelAnimationFrame(this.animation);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return step(1), finish();
    let start = null;
    let before = 0;
    const frame = (now) => {
      start ??= now;
      const share = Math.min(1, (now - start) / 160);
      const eased = 1 - (1 - share) ** 2;
      step(eased - before);
      before = eased;
      if (share < 1) this.animation = requestAnimationFrame(frame);
      else finish();
    };
    this.animation = requestAnimationFrame(frame);
  }
}
