"use strict";

/** A DOM element with properties, `aria-*`/`data-*`/`role` attributes, and children (text is never parsed as HTML). */
function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(aria-|data-|role$|for$|list$)/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Hands a text to the browser as a download. */
function download(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** How late a job is, in words. */
function lateText(job, clock) {
  if (job.lateness === null) return "no due date";
  const distance = clock.figure(Math.abs(job.lateness));
  return job.lateness > 0 ? `${distance} late` : `${distance} before its due date`;
}

const KEYS = [
  ["Drag, arrow keys", "pan (Shift: further)"],
  ["Wheel, + and −", "zoom; Shift + wheel pans"],
  ["Drag on the axis", "zoom to that time"],
  ["0", "fit the whole plan"],
  ["Click", "highlight the job's route"],
  ["n, p", "next and previous operation of the job"],
  ["/", "search"],
  ["Esc", "clear selection, then search"],
];

/** The chart with its toolbar, tooltip, legend, table and exports: all that gantt.html and the page have in common. */
class Viewer {
  constructor(root) {
    root.classList.add("viewer");
    this.#build(root);
    this.gantt = new Gantt(this.stage);
    this.table = new PlanTable(this.sheet, (bar) => this.#goTo(bar));
    this.stage.append(this.tip);
    this.stage.addEventListener("select", () => this.#describe());
    this.stage.addEventListener("hover", ({ detail }) => this.#tooltip(detail));
    document.addEventListener("keydown", (event) => this.#shortcut(event));
  }

  /** Shows a plan and, where given, another one of the same shop to compare it with. */
  show(plan, other = null) {
    const sameShop = this.plan?.shop === plan.shop;
    this.plan = plan;
    const centres = plan.centres.map((centre) => el("option", { value: centre }, centre || "no work centre"));
    this.centre.replaceChildren(el("option", { value: "" }, "All work centres"), ...centres);
    this.centre.hidden = plan.centres.length < 2;
    if (!sameShop) this.gantt.centre = this.search.value = this.gantt.query = "";
    this.centre.value = this.gantt.centre ?? "";
    this.modes.hidden = !other;
    this.gantt.show(plan, other, sameShop);
    this.#press(this.modes, this.gantt.mode);
    this.#refresh();
  }

  #build(root) {
    const choice = (label, options, onChange) => {
      const select = el("select", { "aria-label": label, title: label, onchange: () => onChange(select.value) });
      select.append(...options.map(([value, text]) => el("option", { value }, text)));
      return select;
    };
    const button = (text, label, onclick, data = "") =>
      el("button", { type: "button", title: label, "aria-label": label, onclick, "data-value": data }, text);
    const set = (field) => (value) => {
      this.gantt[field] = value;
      this.#refresh();
    };
    this.search = el("input", {
      type: "search", id: "search", placeholder: "Search machine, job, operation  ( / )", autocomplete: "off",
      "aria-label": "Search machine, job or operation", oninput: () => this.#find(this.search.value),
    });
    this.centre = choice("Work centre", [], set("centre"));
    const colour = choice("Colour by", Object.entries(COLOURINGS).map(([name, c]) => [name, `Colour: ${c.label.toLowerCase()}`]),
      (name) => set("colouring")(COLOURINGS[name]));
    colour.id = "colour";
    const orders = [["centre", "Order: work centre"], ["machine", "Order: machine"], ["busiest", "Order: busiest first"]];
    const order = choice("Order of machines", orders, set("order"));
    this.modes = el("span", { className: "group", role: "group", "aria-label": "Which schedule" },
      ...[["this", "This"], ["both", "Both"], ["other", "Other"]].map(([value, text]) =>
        button(text, `Show ${value === "both" ? "both schedules" : `${value} schedule`}`, () => {
          this.#press(this.modes, value);
          set("mode")(value);
        }, value)));
    this.views = el("span", { className: "group", role: "group", "aria-label": "View" },
      button("Chart", "Show the chart", () => this.#view("chart"), "chart"),
      button("Table", "Show the table", () => this.#view("table"), "table"));
    this.zooms = el("span", { className: "group", role: "group", "aria-label": "Zoom" },
      button("−", "Zoom out", () => this.gantt.zoomBy(1 / STEP)),
      button("Fit", "Fit the whole plan", () => this.gantt.fit()),
      button("+", "Zoom in", () => this.gantt.zoomBy(STEP)));
    const exported = button("CSV", "Download what is shown as CSV", () => this.#export());
    exported.id = "csv";
    const keys = el("dialog", { className: "keys", "aria-label": "Keys" }, el("h2", {}, "Mouse and keys"),
      el("dl", {}, ...KEYS.flatMap(([key, does]) => [el("dt", {}, key), el("dd", {}, does)])),
      el("form", { method: "dialog" }, el("button", {}, "Close")));
    const help = button("?", "Mouse and keys", () => keys.showModal());
    this.modes.hidden = true;
    this.stage = el("div", { className: "stage" });
    this.sheet = el("div", { className: "sheet", hidden: true });
    this.tip = el("div", { className: "tip", role: "tooltip", hidden: true });
    this.summary = el("p", { className: "summary", role: "status", "aria-live": "polite" });
    this.legend = el("ul", { className: "legend", "aria-label": "Colours" });
    root.append(
      el("div", { className: "toolbar" }, this.search, this.centre, colour, order, this.modes,
        el("span", { className: "spring" }), this.zooms, this.views, exported, help),
      this.stage, this.sheet, el("footer", {}, this.summary, this.legend), keys);
    this.chartOnly = [this.zooms, colour, order, this.legend];
    this.#press(this.views, "chart");
  }

  #press(group, value) {
    for (const button of group.children) button.setAttribute("aria-pressed", button.dataset.value === value);
  }

  #view(name) {
    this.#press(this.views, name);
    this.stage.hidden = name !== "chart";
    this.sheet.hidden = name !== "table";
    for (const part of this.chartOnly) part.hidden = name !== "chart";
    this.#refresh();
  }

  #find(text) {
    this.gantt.query = text.trim().toLowerCase();
    this.#refresh();
  }

  #refresh() {
    if (!this.plan) return;
    this.gantt.arrange();
    if (!this.sheet.hidden) this.table.show(this.gantt.shownPlan, this.#bars());
    const legend = this.gantt.colouring.legend(this.gantt.shownPlan);
    if (this.gantt.mode === "both") legend.unshift({ colour: "var(--dim)", series: 0, text: "alike in both; above: this, below: the other" });
    this.legend.replaceChildren(...legend.map(({ colour, series, text }) => {
      const swatch = el("i", { className: `series-${series}` });
      swatch.style.backgroundColor = colour;
      return el("li", {}, swatch, text);
    }));
    this.#describe();
  }

  /** The bars that the filters leave, in order of start. */
  #bars() {
    const { centre, query, shownPlan } = this.gantt;
    const kept = shownPlan.bars.filter((bar) => (!centre || bar.machine.centre === centre) && (!query || matches(bar, query)));
    return kept.sort((a, b) => a.start - b.start || naturally(a.machine.id, b.machine.id));
  }

  #describe() {
    const { selected: job, focused, rows, shownPlan: plan } = this.gantt;
    const { clock } = plan;
    const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
    if (!job) {
      const shown = rows.length === plan.machines.length ? "" : `${rows.length} of `;
      this.summary.textContent = `${shown}${count(plan.machines.length, "machine")} · ${count(this.#bars().length, "operation")}`;
      return;
    }
    const size = `${count(job.lots, "lot")}, ${count(job.bars.length, "operation")}`;
    const times = `${clock.amount(job.start, 1)} to ${clock.text(job.end, 1)}`;
    const at = focused ? ` · ${focused.operation} on ${focused.machine.id}, ${clock.amount(focused.start)} to ${clock.text(focused.end)}` : "";
    this.summary.replaceChildren(el("strong", {}, job.id), ` · ${size} · ${times} · ${lateText(job, clock)}${at}`);
  }

  #tooltip(hover) {
    this.tip.hidden = !hover;
    if (!hover) return;
    const { bar, machine, x, y } = hover;
    this.tip.replaceChildren(...(bar ? this.#barLines(bar) : this.#machineLines(machine)).map((parts) => el("div", {}, ...parts)));
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
      ...(machine.closed.length ? [["its busy share is of the time that it is open"]] : []),
      ...(machine.availableFrom > 0 ? [[`available from ${clock.text(machine.availableFrom, 1)}`]] : []),
    ];
  }

  #barLines(bar) {
    const { clock } = bar.plan;
    const { job } = bar;
    const lots = job.lots > 1 ? `, lot ${bar.lot + 1} of ${job.lots}` : "";
    const setup = bar.setup ? `, set-up ${clock.text(bar.setup)}` : "";
    const dates = clock.origin === null ? [] :
      [[`${clock.day(bar.start)} ${clock.minute(bar.start)} to ${clock.day(bar.end)} ${clock.minute(bar.end)}`]];
    const due = job.due === null ? [] : [[`Due ${clock.figure(job.due)}; job ends ${clock.figure(job.end)}, ${lateText(job, clock)}`]];
    return [
      [el("strong", {}, job.id), lots],
      [`Step ${bar.step + 1} of ${job.operations.length} · ${bar.operation}`],
      [`${bar.machine.id}${bar.machine.centre ? ` · ${bar.machine.centre}` : ""}`],
      [`${clock.amount(bar.start)} to ${clock.text(bar.end)} (${clock.text(bar.end - bar.start)}${setup})`],
      ...dates, ...due,
    ];
  }

  #goTo(bar) {
    this.#view("chart");
    this.gantt.select(bar.job, bar);
    requestAnimationFrame(() => this.gantt.reveal(bar));
  }

  #export() {
    if (!this.plan) return;
    const bars = this.sheet.hidden ? this.#bars() : this.table.bars;
    download(`${this.plan.name.replace(/[^\w.-]+/g, "-") || "schedule"}.csv`, csv(this.gantt.shownPlan, bars), "text/csv");
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
