"use strict";

const ROW_HEIGHT = 26; // as in the style sheet

/** A sortable table of a plan. Only the rows in view exist; screen readers get the true numbers of rows. */
class PlanTable {
  constructor(element, onPick) {
    this.element = element;
    this.onPick = onPick;
    this.sorted = { column: null, descending: false };
    this.head = el("tr", { "aria-rowindex": 1 });
    this.body = el("tbody");
    this.table = el("table", {}, el("thead", {}, this.head), this.body);
    element.append(this.table);
    element.tabIndex = 0;
    element.addEventListener("scroll", () => this.#fill());
    new ResizeObserver(() => this.#fill()).observe(element);
  }

  /** Shows rows of one of `SHEETS`. */
  show(sheet, plan, rows) {
    if (sheet !== this.sheet) {
      this.sorted = { column: null, descending: false };
      this.element.scrollTop = 0;
    }
    this.sheet = sheet;
    this.columns = sheet.columns(plan);
    this.rows = rows;
    this.table.setAttribute("aria-label", sheet.label);
    this.table.setAttribute("aria-rowcount", rows.length + 1);
    this.head.replaceChildren(...this.columns.map(({ heading, digits }, column) => {
      const current = this.sorted.column === column;
      const direction = !current ? "none" : this.sorted.descending ? "descending" : "ascending";
      const button = el("button", { type: "button", onclick: () => this.#sortBy(column, plan) }, heading);
      return el("th", { scope: "col", className: digits === undefined ? "" : "number", "aria-sort": direction }, button);
    }));
    this.#sort();
    this.#fill();
  }

  #sortBy(column, plan) {
    this.sorted = { column, descending: this.sorted.column === column && !this.sorted.descending };
    this.show(this.sheet, plan, this.rows);
    this.head.children[column].firstChild.focus();
  }

  #sort() {
    if (!this.columns[this.sorted.column]) return;
    const { value, digits } = this.columns[this.sorted.column];
    const sign = this.sorted.descending ? -1 : 1;
    // Jobs without a due date have no number there; they come last, whatever the direction.
    const compare = (a, b) => {
      if (a === "" || b === "") return (a === "") - (b === "");
      return sign * (digits === undefined ? naturally(a, b) : a - b);
    };
    this.rows = this.rows.map((row) => [value(row), row]).sort(([a], [b]) => compare(a, b)).map(([, row]) => row);
  }

  #fill() {
    if (!this.rows || this.element.hidden) return;
    const first = Math.max(0, Math.floor(this.element.scrollTop / ROW_HEIGHT) - 10);
    const last = Math.min(this.rows.length, first + Math.ceil(this.element.clientHeight / ROW_HEIGHT) + 20);
    const spacer = (rows) => {
      const row = el("tr", { "aria-hidden": "true" });
      row.style.height = `${rows * ROW_HEIGHT}px`;
      return row;
    };
    const shown = this.rows.slice(first, last).map((row, i) => {
      const cells = this.columns.map(({ value, digits }) => {
        const content = value(row);
        const isNumber = typeof content === "number";
        return el("td", { className: isNumber ? "number" : "" }, isNumber ? content.toFixed(digits) : content);
      });
      cells[0].replaceChildren(
        el("button", { type: "button", title: `${cells[0].textContent}: show in the chart`, onclick: () => this.onPick(row) }, cells[0].textContent));
      return el("tr", { "aria-rowindex": first + i + 2, className: this.sheet.late(row) ? "late" : "" }, ...cells);
    });
    this.body.replaceChildren(spacer(first), ...shown, spacer(this.rows.length - last));
  }
}
