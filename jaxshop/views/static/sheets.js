"use strict";

/** Columns of tables and CSV over a plan: {heading, value, digits, exact}; digits is undefined for text. */
class Columns {
  constructor(plan) {
    this.clock = plan.clock;
  }

  text(heading, value) {
    return { heading, value };
  }

  number(heading, value, digits = 0) {
    return { heading, value, digits };
  }

  /** A length of time. */
  length(heading, ticks) {
    const { clock } = this;
    const value = (row) => (ticks(row) === null ? "" : Number((ticks(row) / clock.ticksPerUnit).toFixed(4)));
    return { heading: `${heading} ${clock.unit}`, value, digits: clock.unit === "h" ? 2 : 0 };
  }

  /** A point in time: a date to the minute, in CSV to the second, or hours or ticks. */
  moment(heading, ticks) {
    const { clock } = this;
    const value = (row, exact = false) => (ticks(row) === null || !Number.isFinite(ticks(row)) ? "" : clock.stamp(ticks(row), exact));
    const head = clock.dated ? `${heading}, ${clock.scale}` : `${heading} ${clock.scale}`;
    return clock.dated ? { heading: head, value } : { heading: head, value, digits: clock.unit === "h" ? 2 : 0 };
  }
}

/** The tables of a plan: their columns, their rows, what a row is called, and which rows are marked as late. */
const SHEETS = {
  table: {
    label: "Operations",
    columns: (plan) => {
      const c = new Columns(plan);
      return [
        c.text("job", (bar) => bar.job.id),
        c.number("lot", (bar) => bar.lot + 1),
        c.text("operation", (bar) => bar.operation),
        c.number("step", (bar) => bar.step + 1),
        c.text("machine", (bar) => bar.machine.id),
        c.text("work centre", (bar) => bar.machine.centre),
        c.moment("start", (bar) => bar.start),
        c.moment("end", (bar) => bar.end),
        c.length("length", (bar) => bar.end - bar.start),
        c.length("set-up", (bar) => bar.setup),
        ...(plan.jobs.every((job) => job.due === null) ? [] : [
          c.moment("job due", (bar) => bar.job.due),
          c.length("job late", (bar) => bar.job.lateness),
        ]),
      ];
    },
    late: (bar) => bar.job.lateness > 0,
  },
  orders: {
    label: "Orders",
    columns: (plan) => {
      const c = new Columns(plan);
      return [
        c.text("order", (job) => job.id),
        c.number("lots", (job) => job.lots),
        c.number("operations", (job) => job.bars.length),
        c.moment("begins", (job) => job.start),
        c.moment("promised", (job) => job.end),
        c.moment("due", (job) => job.due),
        c.length("late by", (job) => (job.lateness === null ? null : Math.max(0, job.lateness))),
        c.number("weight", (job) => job.weight, 1),
        c.length("weighted late", (job) => (job.lateness === null ? null : job.tardiness)),
      ];
    },
    late: (job) => job.lateness > 0,
  },
  machines: {
    label: "Machines",
    columns: (plan) => {
      const c = new Columns(plan);
      return [
        c.text("machine", (machine) => machine.id),
        c.text("work centre", (machine) => machine.centre),
        c.number("operations", (machine) => machine.bars.length),
        c.length("busy", (machine) => machine.busy),
        c.length("open", (machine) => machine.open),
        c.number("load %", (machine) => 100 * machine.utilisation, 1),
        c.moment("next free", (machine) => machine.free),
      ];
    },
    late: () => false,
  },
};

/** Rows as CSV (RFC 4180), in the order given. */
function csv(columns, rows) {
  const cell = (value) => {
    // A spreadsheet would run an id such as `=cmd()` as a formula; the apostrophe makes it text.
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [columns.map(({ heading }) => cell(heading))];
  for (const row of rows) lines.push(columns.map(({ value }) => cell(value(row, true))));
  return lines.map((line) => line.join(",")).join("\r\n") + "\r\n";
}
