"use strict";

const MAGNET = 7; // pixels within which a bar sticks to the end of what lies before it
const WIDE = 8; // pixels that a bar has at least to be taken hold of without being selected first
const TALL = 6;

/** Where a bar begins that was dragged: at the nearest edge if one is near, else at a round minute. */
function snapped(raw, edges, near, round) {
  const edge = edges.reduce((best, each) => (Math.abs(each - raw) < Math.abs(best - raw) ? each : best), Infinity);
  return Math.abs(edge - raw) <= near ? edge : Math.round(raw / round) * round;
}

/** Moves bars of the chart with pointer and keys; `planning` knows the board and takes what was moved. */
class Dragging {
  constructor(planning) {
    this.planning = planning;
    this.viewer = planning.viewer;
    this.viewer.gantt.grip = (point) => this.#grip(point);
    this.viewer.gantt.nudge = (key, far) => this.#nudge(key, far);
    // Before anybody else hears of it: what is selected stays so.
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.cancel) return;
      event.stopImmediatePropagation();
      this.cancel();
    }, true);
  }

  #grip({ x, y }) {
    const { gantt } = this.viewer;
    const bar = this.planning.movable ? gantt.barAt(x, y) : null;
    if (!bar || bar.plan !== gantt.plan || gantt.mode !== "this") return null;
    const big = (bar.end - bar.start) * gantt.scale >= WIDE && gantt.rowHeight >= TALL;
    if (!big && gantt.focused !== bar) return null;
    const grasp = gantt.time(x) - bar.start;
    let found = null;
    let cancelled = false;
    const end = () => {
      gantt.ghost = this.cancel = null;
      gantt.point(null);
    };
    this.cancel = () => {
      cancelled = true;
      end();
    };
    return {
      move: (point) => {
        if (!cancelled) found = this.#over(bar, gantt.time(point.x) - grasp, gantt.machineAt(point.y) ?? bar.machine, point);
      },
      release: () => {
        end();
        if (!cancelled && found) this.#drop(found);
      },
    };
  }

  /** Shows where the bar would lie, and what is against it. */
  #over(bar, raw, machine, { x, y }) {
    const { gantt } = this.viewer;
    const { board, clock } = this.planning;
    const key = keyOf(bar);
    const edges = board.edges(key, machine.id);
    const start = Math.max(0, snapped(raw, edges, MAGNET / gantt.scale, clock.unit === "h" ? 300 : 1));
    const found = board.tried(key, machine.id, start, clock);
    const { row } = found;
    const length = bar.end - bar.start;
    const { times } = board.model.steps.get(key);
    gantt.ghost = { bar, machine, mayRunOn: (id) => times.has(id), start: row?.start ?? start, end: row?.end ?? start + length, wrong: Boolean(found.refusal) };
    gantt.redraw(false);
    const lines = row ? [[el("strong", {}, bar.job.id), ` · ${bar.operation}`], [machine.id], [clock.span(row.start, row.end)]] : [[el("span", { className: "bad" }, found.refusal)]];
    this.viewer.tell(lines, x, y);
    return found;
  }

  #drop({ row, refusal }) {
    if (refusal) this.planning.refuse(refusal);
    else this.planning.move(row);
  }

  /** Alt with arrows moves the focused bar: by a quarter of an hour (Shift: two hours), or to the next machine that may. */
  #nudge(key, far) {
    const { gantt } = this.viewer;
    const { focused: bar } = gantt;
    const { board, clock } = this.planning;
    const sides = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 };
    if (!bar || bar.plan !== gantt.plan || !this.planning.movable || !(key in sides)) return false;
    const name = keyOf(bar);
    if (key === "ArrowLeft" || key === "ArrowRight") {
      const by = clock.unit === "h" ? (far ? 7200 : 900) : far ? 8 : 1;
      this.#drop(board.tried(name, bar.machine.id, bar.start + sides[key] * by, clock));
      return true;
    }
    const rows = gantt.rows.filter(({ id }) => id === bar.machine.id || board.model.steps.get(name).times.has(id));
    const next = rows[rows.findIndex(({ id }) => id === bar.machine.id) + sides[key]];
    if (next) this.#drop(board.tried(name, next.id, bar.start, clock));
    return true;
  }
}
