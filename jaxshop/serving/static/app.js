"use strict";

const $ = (id) => document.getElementById(id);
const SHOP = "jaxshop-shop/1";
const SCHEDULE = "jaxshop-schedule/1";

/** The page: one shop, the latest schedule of it, and perhaps another schedule to compare that with. */
class Page {
  constructor() {
    this.viewer = new Viewer($("viewer"));
    $("key").value = sessionStorage.getItem("jaxshop-key") ?? "";
    $("key").onchange = () => sessionStorage.setItem("jaxshop-key", $("key").value.trim());
    $("choose").onclick = () => $("file").click();
    $("file").onchange = () => this.#guard(() => this.#take($("file").files[0]));
    $("demo").onclick = () => this.#guard(() => this.#takeDemo());
    this.search = new SearchView($("search"));
    $("cancel").onclick = () => this.running.abort();
    $("stop").onclick = () => this.#stop();
    $("save").onclick = () => download("schedule.json", `${JSON.stringify(this.current.schedule)}\n`, "application/json");
    $("request").onsubmit = (event) => {
      event.preventDefault();
      this.#guard(() => this.#run());
    };
    $("panel").onclick = () => this.#toggleForm();
    this.viewer.stage.addEventListener("clock", () => this.#showTiles());
    this.#listenForDrops();
  }

  get api() {
    return new Api($("key").value.trim());
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
      const [file] = event.dataTransfer.files;
      if (file) this.#guard(() => this.#take(file));
    });
  }

  #toggleForm() {
    $("request").hidden = !$("request").hidden;
    $("panel").textContent = $("request").hidden ? "Show the form" : "Hide the form";
    $("panel").setAttribute("aria-expanded", !$("request").hidden);
  }

  /** Runs an action and shows what went wrong with it, if anything did. */
  async #guard(action) {
    $("problem").hidden = true;
    try {
      await action();
    } catch (error) {
      if (error.name === "AbortError") return this.#say("Cancelled.");
      this.#say("");
      this.#complain(error);
    }
  }

  #say(text) {
    $("status").textContent = text;
  }

  #complain({ message, title = "", faults = [], request = "" }) {
    const listed = faults.filter((fault) => fault !== message);
    const shown = listed.slice(0, 20).map((fault) => el("li", {}, fault));
    if (listed.length > shown.length) shown.push(el("li", {}, `and ${listed.length - shown.length} more`));
    $("problem").replaceChildren(
      el("strong", {}, title), el("p", {}, message === title ? "" : message), el("ul", {}, ...shown),
      el("p", { className: "quiet" }, request && `Request ${request}`));
    $("problem").hidden = false;
  }

  async #take(file) {
    $("file").value = ""; // so that the same file can be chosen again after a change
    let data;
    try {
      data = JSON.parse(await file.text());
    } catch (error) {
      throw new Problem({ title: `${file.name} is not JSON`, detail: error.message });
    }
    if (data?.format === SCHEDULE) return this.#takeSchedule(data, file.name);
    if (data?.format === SHOP) return this.#takeShop(data, file.name);
    const hint = "Other formats become shop files with: jaxshop inspect FILE --out shop.json";
    throw new Problem({ title: `${file.name} is neither a shop file nor a schedule`, detail: hint });
  }

  async #takeDemo() {
    this.#say("Fetching the demo…");
    this.#takeShop(await this.api.demoShop(), "the demo");
    // Its longest job alone takes 332 h: only lots bring the target into reach.
    Object.assign($("request").elements.max_lot_hours, { value: 60 });
    Object.assign($("request").elements.target_hours, { value: 130 });
  }

  #takeShop(shop, origin) {
    const [machines, jobs] = [shop.machines, shop.jobs].map((list) => (Array.isArray(list) ? list.length : 0));
    this.running?.abort(); // its schedule would be of the shop before
    this.search.clear();
    this.shop = shop;
    this.current = this.other = null;
    $("shop").textContent = shop.name ?? origin;
    $("shop-detail").textContent = `${machines} machines, ${jobs} jobs, from ${origin}`;
    $("title").textContent = shop.name ?? origin;
    $("run").disabled = false;
    $("invitation").textContent = "Ready: ask for a schedule";
    this.#say("Ready.");
    this.#show();
  }

  async #takeSchedule(schedule, origin) {
    if (!this.shop) throw new Problem({ title: "Which shop is this schedule of?", detail: "Drop its shop file first." });
    const model = new Model(this.shop, schedule.max_lot_hours);
    const violations = violationsOf(model, schedule.operations, this.#clockOf());
    const entry = { plan: model.plan(schedule.operations, { violations }), origin, schedule };
    if (this.current) this.other = entry;
    else this.current = entry;
    this.#show();
    this.#say(`Checking ${origin}…`);
    const { valid, violations: found = [] } = await this.api.verify(this.shop, schedule);
    this.#say(valid ? `${origin} is valid.` : "");
    const faults = violations.length >= found.length ? violations.map(({ text }) => text) : found.map((each) => each.text ?? each);
    if (!valid) this.#complain({ title: "Not a valid schedule of this shop", message: origin, faults });
  }

  #clockOf() {
    const { unit, plan_start: start } = this.shop;
    return new Clock(unit, start, { zone: zoneOf(this.shop), mode: this.viewer.clock.value });
  }

  async #run() {
    const given = [...new FormData($("request"))].filter(([, value]) => value !== "");
    const options = Object.fromEntries(given);
    const running = (this.running = new AbortController());
    this.stopping = new AbortController();
    this.search.clear();
    this.#busy(true);
    this.#say("Waiting for the server…");
    const onProgress = (progress) => running.signal.aborted || this.#progress(progress);
    try {
      const reply = await this.api.schedule(this.shop, options, onProgress, running.signal, this.stopping.signal);
      this.#takeReply(reply, options);
    } finally {
      this.search.end();
      this.#busy(false);
    }
  }

  /** Ends the search at the server; its best schedule so far arrives as the reply. */
  #stop() {
    this.stopping.abort();
    $("stop").disabled = true;
    this.#say("Stopping…");
  }

  #busy(busy) {
    $("run").disabled = busy;
    $("progress").hidden = $("cancel").hidden = $("stop").hidden = !busy;
    $("stop").disabled = false;
    $("invitation").textContent = busy ? "Searching…" : "Ready: ask for a schedule";
    $("progress").removeAttribute("value");
  }

  #progress(progress) {
    const { status, samples, samples_done: done, makespan_hours: best } = progress;
    this.search.take(progress);
    if (this.stopping.signal.aborted) return;
    if (status === "queued") return this.#say("In the queue…");
    if (samples) Object.assign($("progress"), { max: samples, value: done });
    if (!samples) return this.#say("Searching…");
    const count = `${done} of ${samples} samples`;
    this.#say(best ? `${count}, best so far ${best.toFixed(1)} h` : `${count}…`);
  }

  #takeReply(reply, options) {
    const ticks = (hours) => (hours ? ticksOf(hours) : null);
    const model = new Model(this.shop, reply.schedule.max_lot_hours);
    const plan = model.plan(reply.schedule.operations,
      { bound: ticks(reply.kpis.lower_bound_hours), target: ticks(Number(options.target_hours)) });
    if (this.current) this.other = { ...this.current, origin: this.current.reply ? "the previous schedule" : this.current.origin };
    this.current = { plan, reply, schedule: reply.schedule, origin: "this schedule" };
    const count = reply.samples_done ? `, ${reply.samples_done} samples` : "";
    this.#say(reply.proven_optimal ? `Done${count}: proven optimal.` : `Done${count}.`);
    this.#show();
  }

  #show() {
    const { current, other } = this;
    $("welcome").hidden = Boolean(current);
    $("save").hidden = !current?.reply;
    $("kpis").hidden = $("viewer").hidden = !current;
    $("compare").hidden = !other;
    if (!current) return;
    const narrow = matchMedia("(max-width: 900px)").matches;
    if (narrow && !$("request").hidden && current !== this.seen) this.#toggleForm(); // the chart is what is wanted
    this.seen = current;
    this.viewer.show(current.plan, other?.plan ?? null);
    this.#showTiles();
    if (other) this.#describeOther(current, other);
  }

  #showTiles() {
    const { plan, reply } = this.current;
    const late = () => this.viewer.showLate();
    $("kpis").replaceChildren(...tiles(plan, this.other?.plan, late), ...this.#provenance(reply));
  }

  /** Who made the schedule, and whether it was checked. */
  #provenance(reply) {
    if (!reply) return [];
    const fallback = reply.source.startsWith("fallback");
    const remark = fallback ? "verified; the policy gave none" : "verified independently";
    return [
      tile("completion", "Completion", `${(100 * reply.kpis.completion).toFixed(0)} %`, "of the jobs"),
      tile("source", "Made by", reply.source, remark, fallback ? "bad" : "good"),
    ];
  }

  #describeOther(current, other) {
    const count = (number) => number.toLocaleString("en");
    const { moved, shifted, missing } = current.plan.differences(other.plan);
    const foreign = current.schedule.shop !== other.schedule.shop ? "It was made for another version of this shop. " : "";
    const alike = current.plan.bars.length === other.plan.bars.length && moved + shifted + missing === 0;
    const lots = missing ? `${count(missing)} operations are in lots that the other does not have. ` : "";
    const stop = () => {
      this.other = null;
      this.#show();
    };
    $("compare").replaceChildren(
      `Compared with ${other.origin}, which ends at ${other.plan.clock.figure(other.plan.makespan)}: `,
      alike ? "the same schedule. " : `${count(moved)} operations run on another machine, ${count(shifted)} at another time. ${lots}${foreign}`,
      el("button", { type: "button", className: "link", id: "uncompare", onclick: stop }, "Stop comparing"));
  }
}

const page = new Page();
