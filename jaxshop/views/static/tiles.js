"use strict";

/** One key figure: its name, its value, and a remark that may be `good` or `bad`. */
function tile(id, name, value, remark = "", mood = "") {
  const parts = [el("dt", {}, name), el("dd", { id }, value)];
  if (remark) parts.push(el("dd", { className: `remark ${mood}` }, remark));
  return el("div", { className: "tile" }, ...parts);
}

/**
 * The key figures of a plan beside its bound and target and, where given, another plan's figures; `list` shows the late
 * orders.
 */
function tiles(plan, other = null, list = null) {
  const { clock } = plan;
  const hours = (ticks) => clock.figure(ticks);
  const title = "List the late orders";
  const listing = (text) => (list && plan.late ? el("button", { type: "button", className: "link", title, onclick: list }, text) : text);
  const percent = (value) => `${value.toFixed(1)} %`;
  const points = (value) => `${value.toFixed(1)} points`; // between two percentages
  const change = (figure, text, better) => {
    if (!other) return [];
    const difference = figure(plan) - figure(other);
    const distance = text(Math.abs(difference));
    if (distance === text(0)) return ["as the other"];
    return [`${difference > 0 ? "+" : "−"}${distance} vs other`, better * difference > 0 ? "good" : "bad"];
  };
  const ends = [clock.dated ? `ends ${clock.moment(plan.makespan)}` : "until all is done"];
  const shown = [tile("makespan", "Makespan", hours(plan.makespan), ...(other ? change((p) => p.makespan, hours, -1) : ends))];
  if (plan.bound) {
    shown.push(tile("bound", "Lower bound", hours(plan.bound), "no schedule is shorter"));
    shown.push(tile("gap", "Gap to the bound", percent(plan.gapPercent), ...(plan.makespan <= plan.bound ? ["proven optimal", "good"] : [])));
  }
  if (plan.target) {
    const met = plan.makespan <= plan.target;
    const distance = hours(Math.abs(plan.makespan - plan.target));
    const missed = plan.bound > plan.target ? "below the bound" : `missed by ${distance}`;
    shown.push(tile("target", "Target", hours(plan.target), met ? `met, ${distance} to spare` : missed, met ? "good" : "bad"));
  }
  shown.push(tile("utilisation", "Machines busy", percent(100 * plan.utilisation), ...change((p) => 100 * p.utilisation, points, 1)));
  const dated = plan.jobs.filter((job) => job.due !== null);
  if (dated.length) {
    const worst = Math.max(...dated.map((job) => job.lateness ?? -Infinity));
    const remark = other ? change((p) => p.late, String, -1) : plan.late ? [`worst by ${hours(worst)}`, "bad"] : ["every date kept", "good"];
    shown.push(tile("late", "Late jobs", listing(`${plan.late} of ${dated.length}`), ...remark));
    const weighted = dated.some((job) => job.weight !== 1);
    const total = weighted ? "hours late times weight" : "over all late jobs";
    const more = other ? change((p) => p.tardiness, hours, -1) : [clock.unit === "h" ? total : ""];
    shown.push(tile("tardiness", weighted ? "Weighted tardiness" : "Tardiness", listing(hours(plan.tardiness)), ...more));
  }
  return shown;
}
