"use strict";

const STILL = 4; // a press that moves less than so many pixels is a click
const STEP = 1.6; // the zoom of a key press or button

/** Turns wheel, pointer and keys on a Gantt into moves of its view and into selections. */
class Steering {
  constructor(gantt) {
    this.gantt = gantt;
    const listen = (name, handle, options) =>
      gantt.canvas.addEventListener(name, (event) => gantt.plan && handle(event), options);
    listen("wheel", (event) => this.#wheel(event), { passive: false });
    listen("pointerdown", (event) => event.button === 0 && this.#press(event));
    listen("pointermove", (event) => this.#hover(event));
    listen("pointerleave", () => gantt.point(null));
    listen("keydown", (event) => this.#key(event));
    listen("dblclick", ({ offsetX: x, offsetY: y }) => this.#area(x, y) === "plot" && gantt.zoomBy(3, x, y));
  }

  #area(x, y) {
    const { plot, overview } = this.gantt.box;
    if (y >= overview.y - 8) return "overview";
    if (x < plot.x) return y < plot.y ? "corner" : "machines";
    return y < plot.y ? "axis" : "plot";
  }

  #wheel(event) {
    event.preventDefault();
    const { gantt } = this;
    const { offsetX: x, offsetY: y } = event;
    const pixels = event.deltaMode === 1 ? 16 : 1;
    const [dx, dy] = [event.deltaX * pixels, event.deltaY * pixels];
    if (event.shiftKey || Math.abs(dx) > Math.abs(dy)) gantt.pan(dx || dy, 0);
    else if (this.#area(x, y) === "machines") gantt.pan(0, dy);
    // A pinch arrives as a wheel with ctrl and small steps.
    else gantt.zoomAt(Math.exp(-dy * (event.ctrlKey ? 0.01 : 0.0018)), x, y);
    gantt.point({ x, y });
  }

  /**
   * Follows a press until its release: in the plot it pans or clicks, on the axis it spans, below it jumps. Where the
   * chart's `grip` takes hold of what lies there, that is moved instead.
   */
  #press(event) {
    const { gantt } = this;
    const { canvas, box } = gantt;
    const start = { x: event.offsetX, y: event.offsetY };
    const area = this.#area(start.x, start.y);
    const grip = area === "plot" ? gantt.grip?.(start) ?? null : null;
    let last = start;
    let moved = false;
    const drag = grip?.move ?? {
      overview: ({ x }) => gantt.centreOn(((x - box.overview.x) / box.overview.width) * gantt.extent),
      axis: ({ x }) => gantt.mark({ from: start.x, to: Math.max(box.plot.x, x) }),
    }[area] ?? (({ x, y }) => gantt.pan(last.x - x, last.y - y));
    const move = ({ offsetX: x, offsetY: y }) => {
      moved ||= Math.hypot(x - start.x, y - start.y) >= STILL;
      if (moved) drag({ x, y });
      canvas.classList.toggle("panning", moved && area === "plot");
      last = { x, y };
    };
    const release = () => {
      canvas.removeEventListener("pointermove", move);
      canvas.classList.remove("panning");
      if (gantt.brush) gantt.spanBrush();
      else if (grip && moved) grip.release();
      else if (!moved && area === "overview") drag(start);
      else if (!moved && area === "plot") {
        const bar = gantt.barAt(start.x, start.y);
        gantt.select(bar && bar.job, bar);
      }
    };
    canvas.setPointerCapture(event.pointerId);
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("lostpointercapture", release, { once: true });
  }

  #hover({ offsetX: x, offsetY: y, buttons }) {
    const { gantt } = this;
    const area = buttons ? "" : this.#area(x, y);
    gantt.point({ x, y }, area === "plot" ? gantt.barAt(x, y) : null, area === "machines" ? gantt.machineAt(y) : null);
  }

  #key(event) {
    const { gantt } = this;
    if (event.altKey && gantt.nudge?.(event.key, event.shiftKey)) event.preventDefault();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { width, height } = gantt.box.plot;
    const share = event.shiftKey ? 0.4 : 0.1;
    const actions = {
      ArrowLeft: () => gantt.pan(-share * width, 0),
      ArrowRight: () => gantt.pan(share * width, 0),
      ArrowUp: () => gantt.pan(0, -share * height),
      ArrowDown: () => gantt.pan(0, share * height),
      PageUp: () => gantt.pan(0, -height),
      PageDown: () => gantt.pan(0, height),
      Home: () => gantt.moveTo({ ...gantt.view, left: 0 }),
      End: () => gantt.moveTo({ ...gantt.view, left: gantt.extent }),
      "+": () => gantt.zoomBy(STEP),
      "=": () => gantt.zoomBy(STEP),
      "-": () => gantt.zoomBy(1 / STEP),
      0: () => gantt.fit(),
      n: () => this.#walk(1),
      p: () => this.#walk(-1),
      v: () => this.#next(),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    gantt.point(null);
    actions[event.key]();
  }

  /** Goes from one bar that breaks a rule to the next. */
  #next() {
    const { gantt } = this;
    const bars = [...gantt.shownPlan.broken.keys()].sort((a, b) => a.start - b.start);
    if (!bars.length) return;
    const bar = bars[(bars.indexOf(gantt.focused) + 1) % bars.length];
    gantt.select(bar.job, bar);
    gantt.reveal(bar);
  }

  /** Steps along the selected job's operations; without one, begins at the operation that ends last. */
  #walk(direction) {
    const { gantt } = this;
    const { shownPlan: plan, focused, selected } = gantt;
    const bars = selected?.bars ?? plan.bars.filter((bar) => bar.end === plan.makespan).slice(0, 1);
    if (!bars.length) return;
    const next = bars[focused ? (bars.indexOf(focused) + direction + bars.length) % bars.length : 0];
    gantt.select(next.job, next);
    gantt.reveal(next);
  }
}
