"use strict";

/** Seconds as people read them. */
function inWords(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/**
 * The curve of a search in a box of width x height pixels: SVG paths of the best so far, a step down for each better
 * schedule, and of the bound; and the point where the curve is now. `found` holds {seconds, hours}, from first to best.
 */
function searchCurve(found, { bound, now, limit, width, height, margin = 14 }) {
  const [most, best] = [found[0].hours, found.at(-1).hours];
  const least = Math.min(bound ?? best, best);
  const right = Math.max(limit ?? 0, now, found.at(-1).seconds, 1e-3);
  const x = (seconds) => Number(((width * seconds) / right).toFixed(1));
  const y = (hours) => Number((margin + (height - 2 * margin) * (most > least ? (most - hours) / (most - least) : 1)).toFixed(1));
  const steps = found.slice(1).map(({ seconds, hours }) => `H${x(seconds)}V${y(hours)}`).join("");
  const end = { x: x(Math.max(now, found.at(-1).seconds)), y: y(best) };
  return {
    best: `M${x(found[0].seconds)} ${y(most)}${steps}H${end.x}`,
    bound: bound === null ? "" : `M0 ${y(bound)}H${width}`,
    now: end,
  };
}

/**
 * The numbers beside the curve, as [name, text, mood]; `left` is null when the search is over, `plan` the plan that was
 * drawn last. Where due dates count, what is made small is a cost, whose hours tell a planner nothing: its parts do.
 */
function searchFigures({ objective_hours: best, makespan_hours: end = best, lower_bound_hours: bound, gap_percent: gap, proven_optimal: optimal }, left, plan = null) {
  const figures = best === end
    ? [["Best", `${best.toFixed(2)} h`, ""], ["Lower bound", `${bound.toFixed(2)} h`, ""]]
    : [...(plan ? [["Late jobs", String(plan.late), ""], ["Tardiness", plan.clock.figure(plan.tardiness), ""]] : []), ["Ends after", `${end.toFixed(2)} h`, ""]];
  if (optimal) figures.push(["Gap", "proven optimal", "good"]);
  else if (gap !== null && best === end) figures.push(["Gap", `${gap.toFixed(2)} %`, ""]);
  if (left !== null) figures.push(["Time left", inWords(Math.max(0, left)), ""]);
  return figures;
}

/** Shows a search while it goes on: the curve and its numbers. */
class SearchView {
  constructor(box, line = null, clock = () => performance.now() / 1000) {
    this.box = box;
    this.line = line; // the numbers in a line, where the box may be out of sight
    this.clock = clock;
    this.clear();
  }

  clear() {
    clearInterval(this.timer);
    this.found = [];
    this.plan = null;
    this.box.hidden = true;
  }

  /** Takes a progress event; one that tells of nothing better, as after a broken stream, changes nothing. */
  take(progress) {
    const { objective_hours: hours, lower_bound_hours: bound, seconds } = progress;
    if (typeof hours !== "number") return;
    const better = hours < (this.found.at(-1)?.hours ?? Infinity);
    if (!better && !(bound > this.latest.lower_bound_hours)) return;
    if (!this.found.length) {
      this.began = this.clock() - seconds;
      this.timer = setInterval(() => this.show(), 200);
      this.ended = null;
    }
    if (better) this.found.push({ seconds, hours });
    this.latest = progress;
    this.show();
    if (this.found.length === 1) this.box.scrollIntoView({ block: "nearest" });
  }

  /** The search is over: its numbers stay. */
  end() {
    clearInterval(this.timer);
    this.ended = this.clock();
    if (this.found.length) this.show();
  }

  show() {
    const { limit_s: limit, lower_bound_hours: bound } = this.latest;
    const now = (this.ended ?? this.clock()) - this.began;
    const svg = this.box.querySelector("svg");
    const { width, height } = svg.viewBox.baseVal;
    const span = this.ended === null ? limit : null;
    const curve = searchCurve(this.found, { bound, now: limit === null ? now : Math.min(now, limit), limit: span, width, height });
    for (const name of ["best", "bound"]) svg.querySelector(`.${name}`).setAttribute("d", curve[name]);
    svg.querySelector(".now").setAttribute("cx", curve.now.x);
    svg.querySelector(".now").setAttribute("cy", curve.now.y);
    const { objective_hours: best, makespan_hours: end = best } = this.latest;
    svg.querySelector(".first").textContent = best === end ? `${this.found[0].hours.toFixed(1)} h` : "";
    const left = this.ended === null && limit !== null ? limit - now : null;
    const figures = searchFigures(this.latest, left, this.plan);
    if (this.line) this.line.textContent = figures.map(([name, text]) => `${name} ${text}`).join(" · ");
    const rows = figures.map(([name, text, mood]) => [el("dt", {}, name), el("dd", { className: mood && `remark ${mood}` }, text)]);
    this.box.querySelector("dl").replaceChildren(...rows.flat());
    this.box.hidden = false;
  }
}
