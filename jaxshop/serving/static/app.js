"use strict";

const $ = (id) => document.getElementById(id);
const SHOP = "jaxshop-shop/1";
const SCHEDULE = "jaxshop-schedule/1";

/** Whether a rule answered as what the search needs was not there yet, which is over in a moment. */
function cameEarly({ verification, warming = false }) {
  return warming || Boolean(verification?.rejected_attempts.some(({ reason }) => reason === "warming"));
}

/** The page: one shop, the plan of it with the planner's changes, and perhaps another plan to compare that with. */
class Page {
  constructor() {
    this.viewer = new Viewer($("viewer"), EXPORTS);
    this.planning = new Planning(this);
    this.shelf = new Shelf(this);
    this.importing = new Importing(this);
    this.exporting = new Exporting(this);
    this.running = new Running(this);
    this.saved = {};
    $("key").value = sessionStorage.getItem("jaxshop-key") ?? "";
    $("key").onchange = () => sessionStorage.setItem("jaxshop-key", $("key").value.trim());
    $("choose").onclick = () => $("file").click();
    $("file").onchange = () => this.guard(() => this.#take([...$("file").files]));
    $("demo").onclick = () => this.guard(() => this.#takeDemo());
    const save = (name, content) => download(name, `${JSON.stringify(content)}\n`, "application/json");
    $("save").onclick = () => {
      save("schedule.json", scheduleOf(this.planning.state));
      this.#noteSaved({ state: this.planning.state });
    };
    $("replace-keep").onclick = () => {
      $("replace-dialog").close();
      $("keep-open").click();
    };
    $("save-shop").onclick = () => {
      save("shop.json", this.planning.state.shop);
      this.#noteSaved({ shop: this.planning.state.shop });
    };
    $("request").onsubmit = (event) => {
      event.preventDefault();
      this.guard(() => this.#run());
    };
    $("panel").onclick = () => this.showForm($("request").hidden);
    this.viewer.stage.addEventListener("clock", () => this.planning.history && !this.running.drawn && this.#showTiles());
    this.#listenForDrops();
    this.guard(async () => this.restore(await this.shelf.last()));
    this.#askWhetherKeysAreNeeded();
  }

  /** A plan is kept once its schedule is saved, and its shop as well, where that has changed since it came in. */
  #noteSaved(what) {
    Object.assign(this.saved, what);
    const { state } = this.planning;
    if (this.saved.state === state && [this.shop, this.saved.shop].includes(state.shop)) this.planning.keep(state);
  }

  /** A server without keys asks for none. */
  async #askWhetherKeysAreNeeded() {
    const told = await fetch("/livez").then((response) => response.json()).catch(() => ({}));
    $("key-field").hidden = told.needs_key === false;
  }

  /** Where no key is asked for none is sent: one that the tab has kept would be refused. */
  get api() {
    return new Api($("key-field").hidden ? "" : $("key").value.trim());
  }

  #listenForDrops() {
    const dragging = (on) => document.body.classList.toggle("dragging", on);
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      dragging(true);
    });
    document.addEventListener("dragleave", (event) => event.relatedTarget ?? dragging(false));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      dragging(false);
      const files = [...event.dataTransfer.files];
      if (files.length) this.guard(() => this.#take(files));
    });
  }

  showForm(shown) {
    $("request").hidden = !shown;
    $("panel").textContent = shown ? "Hide the form" : "Show the form";
    $("panel").setAttribute("aria-expanded", shown);
  }

  /** In a narrow window the form goes out of the way of the chart. */
  clearSight() {
    if (matchMedia("(max-width: 900px)").matches) this.showForm(false);
  }

  /** Runs an action and shows what went wrong with it, if anything did. */
  async guard(action) {
    $("problem").hidden = true;
    try {
      await action();
    } catch (error) {
      if (error.name === "AbortError") return this.say("Cancelled.");
      if (!this.running.busy) this.say("");
      this.#complain(error);
    }
  }

  say(text) {
    $("status").textContent = text;
    $("said").textContent = text;
  }

  #complain(problem) {
    $("problem").replaceChildren(...faultNodes(problem, inFormWords));
    $("problem").hidden = false;
    this.showForm(true);
    $("problem").scrollIntoView({ block: "nearest" });
  }

  // What comes in.

  /** Takes files: tables into the dialog that imports them; of shop files and schedules the shop first. */
  async #take(files) {
    $("file").value = ""; // so that the same file can be chosen again after a change
    this.running.mustBeOver();
    const tables = files.filter(({ name }) => TABLE_FILE.test(name));
    const read = await Promise.all(files.filter((file) => !tables.includes(file)).map((file) => this.#read(file)));
    const shops = read.filter(([data]) => data.format === SHOP);
    if (shops.length && !(await this.mayLeave())) return;
    for (const [data, name] of shops) this.takeShop(data, name);
    for (const [data, name] of read) if (data.format === SCHEDULE) await this.#takeSchedule(data, name);
    if (tables.length) this.importing.add(tables);
  }

  /** The content of a shop file or a schedule, and the file's name. */
  async #read(file) {
    let data;
    try {
      data = JSON.parse(await file.text());
    } catch (error) {
      throw new Problem({ title: `${file.name} is not JSON`, detail: error.message });
    }
    if ([SHOP, SCHEDULE].includes(data?.format)) return [data, file.name];
    const hint = "Tables of orders, routes and machines are CSV or XLSX files.";
    throw new Problem({ title: `${file.name} is neither a shop file nor a schedule`, detail: hint });
  }

  async #takeDemo() {
    this.running.mustBeOver();
    this.say("Fetching the demo…");
    const shop = await this.api.demoShop();
    this.say("");
    if (!(await this.mayLeave())) return;
    this.takeShop(shop, "the demo");
    // Its longest job alone takes 332 h: only lots bring the target into reach.
    this.#fill("60", "130");
  }

  /** Fills in lot size and target, which go again with the shop that they came with. */
  #fill(lots, target) {
    this.filled = Boolean(lots || target);
    Object.assign($("request").elements.max_lot_hours, { value: lots });
    Object.assign($("request").elements.target_hours, { value: target });
  }

  /** Whether the plan on show may give way to another shop; she is asked where it has changes that are kept nowhere. */
  async mayLeave() {
    this.running.mustBeOver();
    if (!this.planning.unkept) return true;
    const dialog = $("replace-dialog");
    const { waiting } = this.planning.history;
    const what = waiting ? `${waitingWords(waiting)[0]}: this waits to be accepted` : "It has changes";
    $("replace-text").textContent = `${what}, and is kept nowhere but on this page.`;
    dialog.returnValue = "";
    dialog.showModal();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    return dialog.returnValue === "replace";
  }

  #describeShop(shop) {
    const [machines, jobs] = [shop.machines, shop.jobs].map((list) => (Array.isArray(list) ? list.length : 0));
    const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
    $("shop-detail").textContent = `${count(machines, "machine")}, ${count(jobs, "job")}, from ${this.origin}`;
  }

  takeShop(shop, origin) {
    this.running.abort(); // its schedule would be of the shop before
    this.running.view.clear();
    if (this.filled) this.#fill("", "");
    this.shop = shop;
    this.other = null;
    $("shop").textContent = shop.name ?? origin;
    this.origin = origin;
    this.#describeShop(shop);
    $("title").textContent = shop.name ?? origin;
    $("run").disabled = false;
    $("aims").hidden = !(Array.isArray(shop.jobs) && shop.jobs.some((job) => typeof job?.due === "number"));
    $("invitation").textContent = "Ready: press Schedule";
    this.say("Ready.");
    this.planning.begin(null);
  }

  async #takeSchedule(schedule, origin) {
    if (!this.shop) throw new Problem({ title: "Which shop is this schedule of?", detail: "Drop its shop file first." });
    const { shop: asked, planning } = this;
    const shop = planning.state?.shop ?? asked;
    this.say(`Checking ${origin}…`);
    const { valid, violations: found = [] } = await this.api.verify(shop, schedule);
    if (this.shop !== asked) return; // the answer is of the shop before
    this.running.mustBeOver(); // one may have begun meanwhile
    const model = new Model(shop, schedule.max_lot_hours);
    const violations = violationsOf(model, schedule.operations, this.#clockOf(shop));
    const plan = model.plan(schedule.operations, { violations });
    if (planning.history) this.compareWith({ plan, origin, fingerprint: schedule.shop });
    else planning.begin(firstState(shop, schedule, { origin }));
    this.say(valid ? `${origin} is valid.` : "");
    if (valid) return;
    const faults = violations.length >= found.length ? violations.map(({ text }) => text) : found.map((each) => each.text ?? each);
    this.#complain({ title: "Not a valid schedule of this shop", message: origin, faults });
  }

  #clockOf(shop) {
    return new Clock(shop.unit, shop.plan_start, { zone: zoneOf(shop), mode: this.viewer.clock.value });
  }

  /** Goes on where a plan was kept. */
  restore(entry) {
    if (!entry) return;
    this.takeShop(entry.shop ?? entry.settled.shop, entry.origin ?? "your last visit");
    if (!entry.state) return;
    const { maxLotHours, target } = entry.state;
    this.#fill(maxLotHours ?? "", target ? target / 3600 : "");
    this.planning.begin(entry.settled);
    this.planning.now = Math.max(this.planning.now, entry.now ?? 0);
    const open = JSON.stringify(entry.settled) !== JSON.stringify(entry.state);
    this.planning.set(open ? this.planning.history.with(entry.state.label, entry.state) : this.planning.history);
    this.planning.kept = entry.unkept ? null : this.planning.state;
    this.say(open ? "Your last change waits to be accepted." : "As you left it.");
  }

  // What the server does.

  async #run() {
    const given = [...new FormData($("request"))].filter(([, value]) => value !== "");
    const { aim, ...options } = Object.fromEntries(given);
    const shop = aimed(this.planning.state?.shop ?? this.shop, aim); // as it is on show: what was undone is not planned
    const ask = (...how) => this.api.schedule(shop, options, ...how);
    const { reply, seen } = await this.running.search(ask, this.#drawing(shop, options), Boolean(this.planning.history));
    this.#takeReply(shop, reply, options, seen);
  }

  /** What makes a plan of the best schedule of a shop so far. */
  #drawing(shop, { max_lot_hours: lots, target_hours: target }) {
    let model = null; // made once the server has accepted the shop and its lots: of others it may have no end
    return ({ schedule, makespan_hours: makespan, objective_hours: objective, lower_bound_hours: bound }) => {
      model ??= new Model(shop, lots ? Number(lots) : null);
      return model.plan(schedule.operations, { bound: makespan && makespan === objective ? ticksOf(bound) : null, target: target ? ticksOf(Number(target)) : null });
    };
  }

  #takeReply(shop, reply, options, seen) {
    const ticks = (hours) => (hours ? ticksOf(hours) : null);
    const { lower_bound_hours: bound, completion } = reply.kpis;
    const state = firstState(shop, reply.schedule, {
      bound: ticks(bound), target: ticks(Number(options.target_hours)), completion,
      source: reply.source, samples: reply.samples_done, seed: reply.seed, early: cameEarly(reply),
    });
    const { history, plan, unkept } = this.planning;
    if (history) this.other = { plan, origin: "the previous schedule", fingerprint: history.state.fingerprint };
    const hint = options.target_hours && !options.max_lot_hours ? lotsHint(shop, Number(options.target_hours)) : "";
    const freed = history?.state.locked.length ? "What was locked was planned anew as well: Plan the rest keeps it." : "";
    const early = state.early ? "The search is still warming up, so that this is a rule’s: press Schedule again in a moment." : "";
    this.say([reply.proven_optimal ? "Done: proven optimal." : "Done.", early, freed, hint].filter(Boolean).join(" "));
    if (!history) return this.planning.begin(state, seen);
    this.planning.set(history.with("Planned by the server", state).settledHere());
    if (!unkept) this.planning.kept = this.planning.state;
  }

  // What is seen.

  /** Shows the plan as it is now; keeps the view if `keepView`. */
  show(keepView) {
    const { other } = this;
    const { history, plan } = this.planning;
    $("welcome").hidden = Boolean(history);
    $("kpis").hidden = $("viewer").hidden = $("save").hidden = !history;
    $("save-shop").hidden = !history || history.state.shop === this.shop;
    $("compare").hidden = !other;
    this.shelf.remember();
    if (!history) return;
    if (!keepView) this.clearSight();
    this.#describeShop(history.state.shop);
    this.viewer.show(plan, other?.plan ?? null, keepView);
    this.#showTiles();
    this.showFacts(history.state);
    if (other) this.#describeOther(other);
  }

  #showTiles() {
    const { plan, history } = this.planning;
    const late = () => this.viewer.showLate();
    $("kpis").replaceChildren(...tiles(plan, this.other?.plan, late), ...this.#provenance(history.open ? {} : history.state));
  }

  /** Whether the schedule was checked, and how much of the shop is in it; of a change that waits, nothing is known. */
  #provenance({ source, completion, early }) {
    if (!source) return [];
    const [remark, mood] = early ? ["checked; search warms up", ""] : source.startsWith("fallback") ? ["checked; a rule stood in", "bad"] : ["checked independently", "good"];
    return [tile("completion", "Complete", `${(100 * (completion ?? 1)).toFixed(0)} %`, remark, mood)];
  }

  /** What only a few want to know, under the details. */
  showFacts({ source, samples, seed, fingerprint }) {
    const facts = [["Made by", source, "source"], ["Samples", samples, "samples-done"], ["Seed", seed, "seed-used"], ["Fingerprint", fingerprint?.slice(0, 12), "fingerprint"]];
    const given = facts.filter(([, value]) => value !== undefined);
    $("facts").replaceChildren(...given.flatMap(([name, value, id]) => [el("dt", {}, name), el("dd", { id }, String(value))]));
  }

  compareWith(other) {
    this.running.mustBeOver();
    this.other = other;
    this.show(true);
  }

  #describeOther(other) {
    const { plan, history } = this.planning;
    const found = compared(plan, other.plan);
    const foreign = found.alike && history.state.fingerprint !== other.fingerprint ? ["It was made for another version of this shop."] : [];
    if (plan.shop.plan_start !== other.plan.shop.plan_start) foreign.push("It starts at another time: both are drawn from their start.");
    const stop = () => {
      this.other = null;
      this.show(true);
    };
    const orders = found.orders.map((each) => el("li", {}, orderWords(each, plan.clock)));
    const loses = found.orders.filter(({ by }) => by > 0).length;
    const list = orders.length ? [el("details", {}, el("summary", {}, `${loses} ${loses === 1 ? "order ends" : "orders end"} later, ${orders.length - loses} earlier`), el("ul", {}, ...orders))] : [];
    $("compare").replaceChildren(
      el("p", {}, `Compared with ${other.origin}, which ends at ${other.plan.clock.moment(other.plan.makespan)}: `,
        [...comparedWords(found, plan.clock), ...foreign].join(" "), " ",
        el("button", { type: "button", className: "link", id: "uncompare", onclick: stop }, "Stop comparing")),
      ...list);
  }
}

const page = new Page();
