"use strict";

/** What is printed: `lists` are dispatch lists, [{title, remark, rows}], the rows being bars; none prints what is seen. */
const PRINTS = {
  view: { label: "This view", lists: null },
  machines: {
    label: "Dispatch list per machine",
    lists: (plan, bars) => grouped(bars, (bar) => bar.machine).sort(([a], [b]) => naturally(a.centre, b.centre) || naturally(a.id, b.id))
      .map(([machine, rows]) => ({ title: machine.id, remark: machine.centre, rows: rows.sort((a, b) => a.start - b.start) })),
    columns: (plan) => {
      const c = new Columns(plan);
      const next = (bar) => bar.job.bars.find((other) => other.lot === bar.lot && other.step === bar.step + 1);
      return [
        c.moment("start", (bar) => bar.start), c.moment("end", (bar) => bar.end), c.text("order", (bar) => bar.job.id),
        c.number("lot", (bar) => bar.lot + 1), c.text("operation", (bar) => bar.operation),
        c.length("set-up", (bar) => bar.setup), c.length("length", (bar) => bar.end - bar.start),
        c.text("goes to", (bar) => next(bar)?.machine.id ?? "done"),
      ];
    },
  },
  orders: {
    label: "Dispatch list per order",
    lists: (plan, bars) => grouped(bars, (bar) => bar.job).sort(([a], [b]) => naturally(a.id, b.id)).map(([job, rows]) => ({
      title: job.id,
      remark: job.due === null ? "" : `due ${plan.clock.moment(job.due)}, ${lateText(job, plan.clock)}`,
      rows: rows.sort((a, b) => a.lot - b.lot || a.step - b.step),
    })),
    columns: (plan) => {
      const c = new Columns(plan);
      return [
        c.number("lot", (bar) => bar.lot + 1), c.number("step", (bar) => bar.step + 1), c.text("operation", (bar) => bar.operation),
        c.text("machine", (bar) => bar.machine.id), c.text("work centre", (bar) => bar.machine.centre),
        c.moment("start", (bar) => bar.start), c.moment("end", (bar) => bar.end), c.length("length", (bar) => bar.end - bar.start),
      ];
    },
  },
};

/** Rows by what they have in common: [[key, rows], ...] in the order of the first of each. */
function grouped(rows, keyOfRow) {
  const groups = new Map();
  for (const row of rows) {
    const key = keyOfRow(row);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  return [...groups];
}

/** Prints the view, or dispatch lists in its place; on paper everything is light. */
class Printing {
  constructor(viewer) {
    this.viewer = viewer;
    this.sheets = el("section", { className: "sheets", hidden: true, "aria-hidden": "true" });
    document.body.append(this.sheets);
    window.addEventListener("beforeprint", () => this.#light(true));
    window.addEventListener("afterprint", () => this.#light(false));
  }

  /** Prints one of `PRINTS`. */
  print(name) {
    const { gantt } = this.viewer;
    const { lists, columns } = PRINTS[name] ?? {};
    if (!gantt.plan) return;
    if (lists) this.#write(gantt.shownPlan, lists(gantt.shownPlan, this.viewer.bars()), columns(gantt.shownPlan));
    window.print();
  }

  #write(plan, lists, columns) {
    const cell = (column, bar) => {
      const value = column.value(bar);
      return el("td", { className: column.digits === undefined ? "" : "number" }, typeof value === "number" ? value.toFixed(column.digits ?? 0) : value);
    };
    const head = () => el("thead", {}, el("tr", {}, ...columns.map(({ heading }) => el("th", {}, heading))));
    this.sheets.replaceChildren(...lists.map(({ title, remark, rows }) => el("article", {},
      el("h2", {}, title, el("small", {}, `${remark ? ` ${remark} · ` : " "}${plan.name}`)),
      el("table", {}, head(), el("tbody", {}, ...rows.map((bar) => el("tr", {}, ...columns.map((column) => cell(column, bar)))))))));
    this.sheets.hidden = false;
    document.body.classList.add("listing");
  }

  #light(on) {
    document.documentElement.classList.toggle("light", on);
    this.viewer.gantt.restyle();
    if (on) return;
    document.body.classList.remove("listing");
    this.sheets.hidden = true;
  }
}
