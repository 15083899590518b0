"use strict";

const TABLE_FILE = /\.(csv|tsv|txt|xlsx|xlsm)$/i;
const IMPORT_WORDS = {
  plan_start: "Plan starts", timezone: "Time zone", decimal: "Numbers", columns: "Columns", separator: "Separator",
  encoding: "Encoding", skip_sheets: "Sheets to leave out",
};
const OPTION_WORDS = { max_lot_hours: "Lots up to", target_hours: "Target", time_limit_s: "Search for", samples: "Policy samples", seed: "Seed" };

/** What the server says of its options, in the words of the forms. */
function inFormWords(text) {
  const words = { options: IMPORT_WORDS, query: OPTION_WORDS };
  return text.replace(/\b(options|query)\.(\w+)/g, (whole, where, name) => (words[where][name] ? `“${words[where][name]}”` : whole));
}

/** The options of an import as they were filled in: {plan_start, timezone, ...} without those that say nothing. */
function importOptions({ columns = "", skip_sheets: sheets = "", ...given }) {
  const said = Object.entries(given).filter(([, value]) => value !== "");
  const headers = columns.split("\n").filter((line) => line.trim()).map((line) => {
    const [name, ...header] = line.split("=");
    return [name.trim(), header.join("=").trim()];
  });
  const skipped = sheets.split(",").map((name) => name.trim()).filter(Boolean);
  return {
    ...Object.fromEntries(said), ...(headers.length ? { columns: Object.fromEntries(headers) } : {}),
    ...(skipped.length ? { skip_sheets: skipped } : {}),
  };
}

/** The due dates of a shop's orders, in hours from the plan start. */
function duesOf(shop) {
  return shop.jobs.map(({ due }) => due).filter((due) => typeof due === "number");
}

/** A file's content in base64. */
function base64Of(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Problem({ title: `${file.name} cannot be read`, detail: reader.error.message }));
    reader.readAsDataURL(file);
  });
}

/** Tables of orders, routes and machines: gathered in a dialog, read by the server, every fault shown there. */
class Importing {
  constructor(page) {
    this.page = page;
    this.dialog = $("import-dialog");
    this.form = this.dialog.querySelector("form");
    this.files = new Map();
    const zones = Intl.supportedValuesOf?.("timeZone") ?? [];
    $("zones").append(...zones.map((zone) => el("option", { value: zone })));
    this.form.elements.timezone.value = tablesZone.get() ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    const today = new Date(Date.now() - 60_000 * new Date().getTimezoneOffset()).toISOString();
    this.form.elements.plan_start.value = `${today.slice(0, 10)}T06:00`;
    $("import-more").onclick = () => $("file").click();
    this.dialog.onclose = () => this.sending?.abort();
    this.form.onsubmit = (event) => {
      event.preventDefault();
      this.#send();
    };
  }

  /** Takes files into the dialog; one of a name that is there takes its place. */
  add(files) {
    for (const file of files) this.files.set(file.name, file);
    this.told = false;
    this.#list();
    if (!this.dialog.open) this.dialog.showModal();
  }

  #list() {
    const drop = (name) => () => {
      this.files.delete(name);
      this.#list();
    };
    $("import-files").replaceChildren(...[...this.files.keys()].map((name) =>
      el("li", {}, name, " ", el("button", { type: "button", className: "link", onclick: drop(name), "aria-label": `Leave out ${name}` }, "leave out"))));
    $("import-faults").hidden = true;
    $("import-run").disabled = !this.files.size;
  }

  /**
   * What is to be said where most due dates lie before the plan starts, which is by default this day: a problem, once; the
   * field then holds the day of the first of them. Null where nothing is.
   */
  #tooLate(shop) {
    const dues = duesOf(shop);
    const past = dues.filter((due) => due < 0);
    if (this.told || !shop.plan_start || 2 * past.length <= dues.length) return null;
    this.told = true;
    const clock = new Clock(shop.unit, shop.plan_start, { zone: this.form.elements.timezone.value || "UTC" });
    const first = ticksOf(Math.min(...dues)) - 1; // what is due at the end of a day is of that day
    this.form.elements.plan_start.value = `${clock.wall(first).toISOString().slice(0, 10)}T06:00`;
    const detail = `“Plan starts” is ${clock.day(first)} now, the day of the first of them. Import with that, or set what is right.`;
    return new Problem({ title: `${past.length} of ${dues.length} due dates lie before the plan starts`, detail });
  }

  async #send() {
    const { page } = this;
    this.sending?.abort(); // what was dropped since is to be imported, too
    this.sending = new AbortController();
    const { signal } = this.sending;
    $("import-run").disabled = true;
    $("import-faults").hidden = true;
    try {
      const contents = await Promise.all([...this.files].map(async ([name, file]) => [name, await base64Of(file)]));
      const { name, ...given } = Object.fromEntries(new FormData(this.form));
      const named = name.trim() || (this.files.size > 1 ? "imported tables" : "");
      const body = { files: Object.fromEntries(contents), options: importOptions(given), ...(named ? { name: named } : {}) };
      const { shop, ignored_columns: ignored, in_the_past: past } = await page.api.importTables(body, signal);
      const late = this.#tooLate(shop);
      if (late) throw late;
      if (!(await page.mayLeave())) return; // asked of the plan as it is now: a search may have changed it meanwhile
      const overdue = duesOf(shop).filter((due) => due < 0).length;
      const origin = [...this.files.keys()].join(", ");
      tablesZone.set(given.timezone || "UTC");
      this.dialog.close();
      this.files.clear();
      page.guard(() => page.takeShop(shop, origin));
      const unread = Object.entries(ignored).map(([place, headers]) => `${place}: ${headers.join(", ")}`);
      page.say(["Ready.", ...(past ? [`${past} dates of material or machines before the plan starts count from there.`] : []),
        ...(overdue ? [`${overdue} due dates lie before the plan starts.`] : []),
        ...(unread.length ? [`Not read: ${unread.join("; ")}.`] : [])].join(" "));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      const refused = error.faults.length > 0;
      $("import-faults").replaceChildren(...faultNodes({ ...error, message: error.message, title: refused ? "To be mended first" : error.title }, inFormWords));
      $("import-faults").hidden = false;
    } finally {
      $("import-run").disabled = !this.files.size;
    }
  }
}
