"use strict";

const keysOf = () => [
  ["Drag, arrow keys", "pan (Shift: further)"],
  ...(document.getElementById("planning") ? [
    ["Drag a bar", "move it in time, or to another machine; select a thin one first"],
    ["Alt + arrow keys", "move the selected bar (Shift: further)"],
    ["l", "lock the selected bar, or unlock it"],
    ["Ctrl + Z, Ctrl + Y", "undo, redo"],
  ] : []),
  ["Wheel, + and −", "zoom; Shift + wheel pans"],
  ["Drag on the axis", "zoom to that time"],
  ["0", "fit the whole plan"],
  ["Click", "highlight the job's route"],
  ["n, p", "next and previous operation of the job"],
  ["/", "search"],
  ["v", "next bar that breaks a rule"],
  ["Esc", "clear selection, then search"],
];

/** The chart with its toolbar, tooltip, legend, table and exports: all that gantt.html and the page have in common. */
class Viewer {
  /** `exports`: what can be had beside CSV, [format, text]; choosing one sends the event `export` with the format. */
  constructor(root, exports = []) {
    root.classList.add("viewer");
    this.#build(root, exports);
    this.gantt = new Gantt(this.stage);
    this.table = new PlanTable(this.sheet, (row) => this.goTo(row));
    this.stage.append(this.tip);
    this.stage.addEventListener("select", () => this.#describe());
    this.stage.addEventListener("hover", ({ detail }) => this.#tooltip(detail));
    document.addEventListener("keydown", (event) => this.#shortcut(event));
  }

  /** Shows a plan and, where given, another one to compare it with; keeps the view if `keepView`. */
  show(plan, other = null, keepView = false) {
    const sameShop = keepView || this.plan?.shop === plan.shop;
    for (const each of [plan, other]) if (each) each.clock = each.clock.as(this.clock.value);
    this.plan = plan;
    this.clock.hidden = plan.clock.epoch === null;
    const centres = plan.centresBeside(other).map((centre) => el("option", { value: centre }, centre || "no work centre"));
    this.centre.replaceChildren(el("option", { value: "" }, "All centres"), ...centres);
    this.centre.hidden = centres.length < 2;
    if (!sameShop) this.gantt.centre = this.search.value = this.gantt.query = "";
    this.centre.value = this.gantt.centre ?? "";
    this.modes.hidden = !other;
    this.gantt.show(plan, other, sameShop);
    this.#press(this.modes, this.gantt.mode);
    this.#refresh();
  }

  #build(root, exports) {
    const choice = (label, options, onChange) => {
      const select = el("select", { "aria-label": label, title: label, onchange: () => onChange(select.value) });
      select.append(...options.map(([value, text]) => el("option", { value }, text)));
      return select;
    };
    /** Choices that do something: none stays chosen, and keys open the list, where the browser would take the next one. */
    const menu = (label, options, act) => {
      const select = choice(label, [["", `${label}…`], ...options], (value) => {
        select.value = "";
        act(value);
      });
      select.id = label.toLowerCase();
      select.onkeydown = (event) => {
        if (!/^(Arrow.*|Page.*|Home|End|[^ ])$/.test(event.key) || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        select.showPicker?.();
      };
      return select;
    };
    const button = (text, label, onclick, data = "") =>
      el("button", { type: "button", title: label, "aria-label": label, onclick, "data-value": data }, text);
    const set = (field) => (value) => {
      this.gantt[field] = value;
      this.#refresh();
    };
    this.search = el("input", {
      type: "search", id: "search", placeholder: "Search  ( / )", autocomplete: "off",
      "aria-label": "Search machine, job or operation", oninput: () => this.#find(this.search.value),
    });
    this.centre = choice("Work centre", [], set("centre"));
    const colour = choice("Colour by", Object.entries(COLOURINGS).map(([name, c]) => [name, `Colour: ${c.label.toLowerCase()}`]),
      (name) => set("colouring")(COLOURINGS[name]));
    colour.id = "colour";
    this.clock = choice("Which time", Object.entries(CLOCKS), () => this.#retime());
    this.clock.id = "clock";
    const orders = [["centre", "Order: centre"], ["machine", "Order: machine"], ["busiest", "Order: busiest"]];
    const order = choice("Order of machines", orders, set("order"));
    this.modes = el("span", { className: "group", role: "group", "aria-label": "Which schedule" },
      ...[["this", "This"], ["both", "Both"], ["other", "Other"]].map(([value, text]) =>
        button(text, `Show ${value === "both" ? "both schedules" : `${value} schedule`}`, () => {
          this.#press(this.modes, value);
          set("mode")(value);
        }, value)));
    this.views = el("span", { className: "group", role: "group", "aria-label": "View" },
      button("Chart", "Show the chart", () => this.view("chart"), "chart"),
      button("Orders", "Show the list of orders", () => this.view("orders"), "orders"),
      button("Machines", "Show the list of machines", () => this.view("machines"), "machines"),
      button("Table", "Show the table of operations", () => this.view("table"), "table"));
    this.zooms = el("span", { className: "group", role: "group", "aria-label": "Zoom" },
      button("−", "Zoom out", () => this.gantt.zoomBy(1 / STEP)),
      button("Fit", "Fit the whole plan", () => this.gantt.fit()),
      button("+", "Zoom in", () => this.gantt.zoomBy(STEP)));
    const exported = menu("Export", [["csv", "What is shown (CSV)"], ...exports], (format) =>
      (format === "csv" ? this.#export() : this.stage.dispatchEvent(new CustomEvent("export", { detail: format }))));
    const printing = new Printing(this);
    const printed = menu("Print", Object.entries(PRINTS).map(([name, { label }]) => [name, label]), (name) => printing.print(name));
    const keys = el("dialog", { className: "keys", "aria-label": "Keys" }, el("h2", {}, "Mouse and keys"),
      el("dl", {}, ...keysOf().flatMap(([key, does]) => [el("dt", {}, key), el("dd", {}, does)])),
      el("form", { method: "dialog" }, el("button", {}, "Close")));
    const help = button("?", "Mouse and keys", () => keys.showModal());
    this.modes.hidden = true;
    this.stage = el("div", { className: "stage" });
    this.sheet = el("div", { className: "sheet", hidden: true });
    this.tip = el("div", { className: "tip", role: "tooltip", hidden: true });
    this.filter = el("p", { className: "filter", hidden: true });
    this.summary = el("p", { className: "summary", role: "status", "aria-live": "polite" });
    this.legend = el("ul", { className: "legend", "aria-label": "Colours" });
    root.append(
      el("div", { className: "toolbar" }, this.search, this.centre, colour, order, this.modes,
        el("span", { className: "spring" }), this.zooms, this.views, this.clock, exported, printed, help),
      this.filter, this.stage, this.sheet, el("footer", {}, this.summary, this.legend), keys);
    this.chartOnly = [this.zooms, colour, order, this.legend];
    this.#press(this.views, "chart");
  }

  /** Shows all times anew, as another clock has them. */
  #retime() {
    for (const plan of [this.plan, this.gantt.other]) if (plan) plan.clock = plan.clock.as(this.clock.value);
    this.#refresh();
    this.stage.dispatchEvent(new CustomEvent("clock"));
  }

  /** Lists the late orders only. */
  showLate() {
    this.lateOnly = true;
    this.view("orders");
  }

  #press(group, value) {
    for (const button of group.children) button.setAttribute("aria-pressed", button.dataset.value === value);
  }

  /** Switches to the chart or to one of the lists. */
  view(name) {
    this.#press(this.views, name);
    this.shown = name;
    this.stage.hidden = name !== "chart";
    this.sheet.hidden = name === "chart";
    for (const part of this.chartOnly) part.hidden = name !== "chart";
    if (name !== "orders") this.lateOnly = false;
    this.#refresh();
  }

  #find(text) {
    this.gantt.query = text.trim().toLowerCase();
    this.#refresh();
  }

  #refresh() {
    if (!this.plan) return;
    this.gantt.arrange();
    if (!this.sheet.hidden) this.table.show(SHEETS[this.shown], this.gantt.shownPlan, this.#rows());
    this.filter.hidden = !this.lateOnly;
    const all = () => {
      this.lateOnly = false;
      this.#refresh();
    };
    this.filter.replaceChildren("Late orders only. ", el("button", { type: "button", className: "link", onclick: all }, "Show all"));
    this.legend.replaceChildren(...legendOf(this.gantt).map(({ colour, series, text, sign }) => {
      const swatch = el("i", { className: sign ? `sign-${sign}` : `series-${series}` });
      if (colour) swatch.style.backgroundColor = colour;
      return el("li", {}, swatch, text);
    }));
    this.#describe();
  }

  /** The bars that the filters leave, in order of start. */
  bars() {
    return this.#kept().sort((a, b) => a.start - b.start || naturally(a.machine.id, b.machine.id));
  }

  #kept() {
    const { centre, query, shownPlan } = this.gantt;
    return shownPlan.bars.filter((bar) => (!centre || bar.machine.centre === centre) && (!query || matches(bar, query)));
  }

  /** What the list on show holds. */
  #rows() {
    const { shownPlan, rows, query, centre } = this.gantt;
    if (this.shown === "machines") return rows.map(({ id }) => shownPlan.machineOf.get(id)).filter(Boolean);
    if (this.shown !== "orders") return this.bars();
    const kept = query || centre ? new Set(this.#kept().map((bar) => bar.job)) : null;
    const jobs = shownPlan.jobs.filter((job) => (!kept || kept.has(job)) && !(this.lateOnly && !(job.lateness > 0)));
    return this.lateOnly ? jobs.sort((a, b) => b.tardiness - a.tardiness || b.lateness - a.lateness) : jobs;
  }

  #describe() {
    if (!this.plan) return;
    const { selected: job, focused, rows, hidden, shownPlan: plan } = this.gantt;
    const { clock } = plan;
    const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
    if (!job) {
      const shown = hidden ? `${rows.length} of ` : "";
      const broken = plan.broken.size ? [" · ", el("strong", { className: "bad" }, `${count(plan.broken.size, "bar")} in red: press v to see each`)] : [];
      this.summary.replaceChildren(`${shown}${count(rows.length + hidden, "machine")} · ${count(this.#kept().length, "operation")}`, ...broken);
      return;
    }
    const size = `${count(job.lots, "lot")}, ${count(job.bars.length, "operation")}`;
    const times = job.bars.length ? clock.span(job.start, job.end) : "not planned yet";
    const at = focused ? ` · ${focused.operation} on ${focused.machine.id}, ${clock.span(focused.start, focused.end)}` : "";
    this.summary.replaceChildren(el("strong", {}, job.id), ` · ${size} · ${times} · ${lateText(job, clock)}${at}`);
  }

  #tooltip(hover) {
    this.tip.hidden = !hover;
    if (!hover) return;
    const { bar, machine, x, y } = hover;
    this.tell(bar ? this.#barLines(bar) : this.#machineLines(machine), x, y);
  }

  /** Shows lines, each a list of its parts, beside a point of the chart. */
  tell(lines, x, y) {
    this.tip.hidden = false;
    this.tip.replaceChildren(...lines.map((parts) => el("div", {}, ...parts)));
    const { clientWidth: width, clientHeight: height } = this.stage;
    const { offsetWidth, offsetHeight } = this.tip;
    this.tip.style.left = `${x + 16 + offsetWidth > width ? Math.max(0, x - 12 - offsetWidth) : x + 16}px`;
    this.tip.style.top = `${Math.max(0, Math.min(y + 16, height - offsetHeight - 4))}px`;
  }

  #machineLines(machine) {
    const { clock } = this.plan;
    return [
      [el("strong", {}, machine.id), machine.centre ? ` · ${machine.centre}` : ""],
      [`${(100 * machine.utilisation).toFixed(1)} % busy: ${clock.text(machine.busy, 1)} in ${machine.bars.length} operations`],
      ...(machine.closed.length ? [[`open for ${clock.text(machine.open, 1)} until the plan ends; the share is of that`]] : []),
      ...(machine.availableFrom > 0 ? [[`available from ${clock.moment(machine.availableFrom)}`]] : []),
      [`next free ${clock.moment(machine.free)}`],
    ];
  }

  #barLines(bar) {
    const { clock } = this.plan;
    const { job } = bar;
    const lots = job.lots > 1 ? `, lot ${bar.lot + 1} of ${job.lots}` : "";
    const setup = bar.setup ? `, set-up ${clock.text(bar.setup)}` : "";
    const due = job.due === null ? [] : [[`Due ${clock.moment(job.due)}; job ends ${clock.moment(job.end)}, ${lateText(job, clock)}`]];
    const wrong = (bar.plan.broken.get(bar) ?? []).map((text) => [el("span", { className: "bad" }, text)]);
    return [
      [el("strong", {}, job.id), lots],
      [`Step ${bar.step + 1} of ${job.operations.length} · ${bar.operation}`],
      [`${bar.machine.id}${bar.machine.centre ? ` · ${bar.machine.centre}` : ""}`],
      [clock.span(bar.start, bar.end), ` (${clock.text(bar.end - bar.start)}${setup})`],
      ...due, ...wrong,
    ];
  }

  /** Shows a row of a list in the chart: an operation, an order's bars, or a machine. */
  goTo(row) {
    const bar = row.job ? row : row.operations ? row.bars[0] : null;
    if (!bar && !row.operations) this.search.value = row.id;
    this.view("chart");
    if (!bar) return this.#find(row.operations ? "" : row.id);
    this.gantt.select(bar.job, bar);
    requestAnimationFrame(() => this.gantt.reveal(bar));
  }

  #export() {
    if (!this.plan) return;
    const sheet = SHEETS[this.sheet.hidden ? "table" : this.shown];
    const rows = this.sheet.hidden ? this.bars() : this.table.rows;
    const name = fileName(`${this.plan.name}${sheet === SHEETS.table ? "" : `-${sheet.label}`}`);
    download(`${name}.csv`, csv(sheet.columns(this.gantt.shownPlan), rows), "text/csv");
  }

  #shortcut(event) {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "/" && !typing) {
      event.preventDefault();
      this.search.focus();
    } else if (event.key === "Escape" && this.plan && !document.querySelector("dialog[open]")) {
      if (this.gantt.selected) this.gantt.select(null);
      else if (this.gantt.query) {
        this.search.value = "";
        this.#find("");
      }
      if (event.target === this.search) this.gantt.canvas.focus();
    }
  }
}
