"use strict";

/** A field for a moment: a date of the plan's clock, or a number of hours. */
class MomentField {
  constructor(input) {
    this.input = input;
  }

  show(ticks, clock) {
    this.clock = clock;
    this.input.type = clock.dated ? "datetime-local" : "number";
    this.input.step = clock.dated ? "60" : "any";
    this.input.value = ticks === null ? "" : clock.dated ? clock.wall(ticks).toISOString().slice(0, 16) : clock.stamp(ticks);
  }

  /** Its tick; null where nothing is given. */
  get ticks() {
    const { value } = this.input;
    if (value === "") return null;
    return this.clock.dated ? this.clock.tickAt(Date.parse(`${value}Z`)) : Math.round(Number(value) * this.clock.ticksPerUnit);
  }
}

/** The tick of an instant while a plan runs; 0 before it begins and after it has ended. */
function tickNow(instant, epoch, makespan) {
  const tick = epoch === null ? 0 : Math.floor((instant - epoch) / 60_000) * 60;
  return tick > 0 && tick < makespan ? tick : 0;
}

/** What changed of the cost, as [name, value, difference, mood]. */
function costWords(cost, before, clock) {
  const hours = (ticks) => clock.figure(ticks);
  const row = (name, key, text) => {
    const by = cost[key] - before[key];
    const change = text(Math.abs(by)) === text(0) ? "" : `${by > 0 ? "+" : "−"}${text(Math.abs(by))}`;
    return [name, text(cost[key]), change, change ? (by > 0 ? "bad" : "good") : ""];
  };
  return [row("Makespan", "makespan", hours), row("Tardiness", "tardiness", hours), row("Late jobs", "late", String)];
}

const MOST_MOVED = 200; // that are listed

/** The planner's changes: each is checked and its cost is shown before it is accepted; all can be undone. */
class Planning {
  constructor(page) {
    this.page = page;
    this.viewer = page.viewer;
    this.history = null;
    this.nowField = new MomentField($("now"));
    this.entries = new Entries(this);
    this.drag = new Dragging(this);
    const on = (id, act) => ($(id).onclick = () => page.guard(act));
    on("undo", () => this.#turn(this.history.undo()));
    on("redo", () => this.#turn(this.history.redo()));
    on("push", () => this.#push());
    on("accept", () => this.#accept());
    on("discard", () => this.#turn(this.history.discarded()));
    on("lock", () => this.#lock());
    on("first", () => this.#first());
    on("rest-open", () => $("rest-dialog").showModal());
    $("now").onchange = () => page.guard(() => this.#setNow());
    this.onSubmit("rest-dialog", () => this.#rest());
    for (const button of document.querySelectorAll("dialog .cancel")) button.onclick = () => button.closest("dialog").close();
    this.viewer.stage.addEventListener("select", () => this.enable());
    this.viewer.stage.addEventListener("clock", () => this.history && !page.running.drawn && this.#describe());
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  get clock() {
    return this.plan.clock;
  }

  get state() {
    return this.history?.state ?? null;
  }

  /** Whether the plan on show has changes that nobody has kept under a name or saved. */
  get unkept() {
    return Boolean(this.history) && this.state !== this.kept;
  }

  /** Notes that a state is kept, also for after a reload. */
  keep(state) {
    this.kept = state;
    this.page.shelf.remember();
  }

  /** Whether bars may be moved now. */
  get movable() {
    return Boolean(this.history) && !this.page.running.busy;
  }

  onSubmit(dialog, act) {
    $(dialog).querySelector("form").onsubmit = () => {
      this.page.guard(act);
    };
  }

  /** Begins with a state; null ends. `keepView`: what is on show is this plan's shop already. */
  begin(state, keepView = Boolean(this.history)) {
    const { shop, rows } = state ?? { shop: {}, rows: [] };
    const makespan = rows.reduce((latest, row) => Math.max(latest, row.end), 0);
    this.now = tickNow(Date.now(), new Clock(shop.unit, shop.plan_start).epoch, makespan);
    this.model = null;
    this.kept = state; // it can be made again, as no change of hers is in it
    this.set(state && new History([state]), keepView);
  }

  /** Shows a history: checks its state, draws it, and tells the cost. */
  set(history, keepView = true) {
    this.history = history;
    $("planning").hidden = !history;
    if (history) this.#compute();
    this.page.show(keepView);
    if (history) this.#describe();
  }

  #compute() {
    const { state, settled } = this.history;
    if (this.model?.shop !== state.shop || this.model.maxLotHours !== state.maxLotHours) this.model = new Model(state.shop, state.maxLotHours);
    const { unit, plan_start: start } = state.shop;
    const clock = new Clock(unit, start, { zone: zoneOf(state.shop), mode: this.viewer.clock.value });
    const { target = null, locked, rows } = state;
    const violations = violationsOf(this.model, rows, clock);
    this.plan = this.model.plan(rows, { bound: this.#bound, target, violations, locked, now: this.now });
    this.board = new Board(this.model, rows, { now: this.now, locked: new Set(locked) });
    this.cost = costOf(this.model, rows);
    this.before = settled === state ? this.cost : costOf(this.model, settled.rows);
    const roomy = violations.length ? this.board.pushed(new Set(state.held ?? [])) : null;
    this.roomy = roomy && { rows: roomy, cost: costOf(this.model, roomy) };
  }

  /** The bound, in ticks; null where none is known. One of plans that keep what had begun by `boundFrom` holds from that moment on. */
  get #bound() {
    const { bound = null, boundFrom = 0 } = this.state;
    return this.now >= boundFrom ? bound : null;
  }

  #describe() {
    const { history, clock, plan } = this;
    const { state } = history;
    this.nowField.show(this.now, clock);
    this.enable();
    const [first] = plan.violations;
    const more = plan.violations.length > 1 ? ` And ${plan.violations.length - 1} more.` : "";
    const { waiting } = history;
    const hint = "Nothing waits to be accepted. Drag a bar, or choose a change above: what it costs is shown here first.";
    const [done, waits] = waiting ? waitingWords(waiting) : [state.label, ""];
    const what = waiting || first ? [el("strong", {}, `${done}. `), waits] : [el("span", { className: "quiet" }, hint)];
    const wrong = first ? [el("span", { className: "bad" }, `${first.text}${more}`)] : [];
    $("draft-text").replaceChildren(...what, " ", ...wrong);
    const cost = this.roomy?.cost ?? this.cost;
    $("costs").replaceChildren(...(this.roomy ? [el("span", { className: "quiet" }, "With room made:")] : []), ...this.#costs(cost), ...this.#movedLink());
    $("costs").hidden = !history.open && !first;
    $("push").hidden = !this.roomy;
    $("accept").hidden = $("discard").hidden = !history.open;
    $("discard").textContent = waiting?.how === "behind" ? "Take the undo back" : "Discard";
    this.#listMoved();
    $("accept").title = first ? "What is marked in red has to be put right first" : "Checked by the server, this becomes the plan";
  }

  #costs(cost) {
    return costWords(cost, this.before, this.clock).map(([name, value, change, mood]) =>
      el("span", {}, `${name} `, el("strong", {}, value), change ? " " : "", el("span", { className: `remark ${mood}` }, change)));
  }

  /** How many bars are elsewhere than in the plan that was accepted last; a click lists them. */
  #movedLink() {
    this.moved = this.history.open ? movedRows(this.plan, this.history.settled.rows) : [];
    if (!this.moved.length) return [];
    const show = () => {
      this.listing = !this.listing;
      this.#listMoved();
    };
    return [el("button", { type: "button", className: "link", id: "list-moved", onclick: show, "aria-controls": "moved" }, `${this.moved.length.toLocaleString("en")} moved`)];
  }

  #listMoved() {
    this.listing &&= this.moved.length > 0;
    $("moved").hidden = !this.listing;
    $("list-moved")?.setAttribute("aria-expanded", Boolean(this.listing));
    if (!this.listing) return $("moved").replaceChildren();
    const name = (bar) => nameOf(this.model, { job: bar.job.id, lot: bar.lot, operation: bar.operation }).replace(/,$/, "");
    const lines = this.moved.slice(0, MOST_MOVED).map(({ bar, was }) =>
      el("li", {}, el("button", { type: "button", className: "link", title: "Show in the chart", onclick: () => this.viewer.goTo(bar) }, name(bar)), ` ${movedWords(bar, was, this.clock)}`));
    const more = this.moved.length - lines.length;
    $("moved").replaceChildren(el("ul", {}, ...lines, ...(more > 0 ? [el("li", {}, `and ${more.toLocaleString("en")} more`)] : [])));
  }

  /** Which buttons may be pressed now. */
  enable() {
    const { history } = this;
    if (!history) return;
    const { selected, focused } = this.viewer.gantt;
    const { busy } = this.page.running;
    $("undo").disabled = busy || !history.canUndo;
    $("redo").disabled = busy || !history.canRedo;
    $("lock").disabled = busy || focused?.plan !== this.plan; // it may be of the plan beside it
    $("first").disabled = busy || !selected || !this.model.shop.jobs.some(({ id }) => id === selected.id);
    $("lock").textContent = focused && this.state.locked.includes(keyOf(focused)) ? "Unlock" : "Lock";
    for (const id of ["now", "stop-open", "add-open", "rest-open", "discard", "push"]) $(id).disabled = busy;
    this.entries.describe();
    $("accept").disabled = busy || this.plan.violations.length > 0;
  }

  // Changes.

  move(row) {
    const before = this.board.byKey.get(rowKey(row));
    if (before.machine === row.machine && before.start === row.start) return;
    const name = nameOf(this.model, row).replace(/,$/, "");
    const where = before.machine === row.machine ? "" : ` on ${row.machine}`;
    this.change(`${name} starts ${this.clock.moment(row.start)}${where}`, { rows: this.board.replaced(row), held: [rowKey(row)] });
  }

  /** A move that cannot be: the bar is where it was, and this is why. */
  refuse(sentence) {
    this.page.say("");
    $("draft-text").replaceChildren(el("strong", { className: "bad" }, sentence));
    this.viewer.gantt.redraw();
  }

  /** Makes a change of the plan on show: another state, which waits to be accepted. */
  change(label, changes) {
    this.page.say("");
    this.set(this.history.with(label, changes));
  }

  /** Goes to another state that was there before. */
  #turn(history) {
    this.page.say("");
    this.set(history);
  }

  #push() {
    this.change("Room made", { rows: this.roomy.rows });
  }

  #lock() {
    const key = keyOf(this.viewer.gantt.focused);
    const { locked } = this.state;
    const without = locked.filter((each) => each !== key);
    const { operation } = this.viewer.gantt.focused;
    if (without.length < locked.length) this.change(`${operation} unlocked`, { locked: without });
    else this.change(`${operation} locked`, { locked: [...locked, key] });
  }

  #first() {
    const { id } = this.viewer.gantt.selected;
    const found = this.board.first(id);
    if (!found?.rows) throw new Problem({ title: `${id} cannot go first`, detail: "Its machines are not open for long enough." });
    this.change(`${id} put first`, { rows: found.rows, held: found.keys });
  }

  #setNow() {
    this.now = Math.max(0, this.nowField.ticks ?? 0);
    this.set(this.history);
  }

  // What the server does.

  async #rest() {
    const number = (id) => Number($(id).value) || 0;
    const options = { freeze: number("rest-freeze"), stability: number("rest-stability"), seconds: number("rest-seconds") || null };
    const { now } = this;
    const { body, fault } = restRequest(this.state, now, options, this.clock);
    if (fault) throw new Problem({ title: "The rest cannot be planned while this stands", detail: fault });
    const ask = async (...how) => {
      await this.#aim(body);
      return this.page.api.reschedule(body, ...how);
    };
    const drawing = ({ schedule }) => this.model.plan(schedule.operations, { locked: this.state.locked, now });
    const { reply } = await this.page.running.search(ask, drawing, true);
    const { shop, schedule, changes } = reply;
    const pinned = options.freeze > 0 || this.state.locked.length > 0; // the server's bound is then of plans that keep that
    const known = pinned ? {} : { bound: ticksOf(reply.lower_bound_hours), boundFrom: now };
    this.change("Rest planned anew", {
      shop, base: shop, rows: schedule.operations, fingerprint: schedule.shop, stops: [], adds: [], held: [], foreign: false,
      ...known, source: reply.source, early: cameEarly(reply),
    });
    const early = cameEarly(reply) ? " The search is still warming up: plan the rest again in a moment." : "";
    const moved = `${changes.moved} operations moved, ${changes.machine_changed} to another machine`;
    this.page.say(`The rest is planned: ${changes.moved ? `${moved}${this.moved.length ? `; “${this.moved.length.toLocaleString("en")} moved” lists them` : ""}` : "nothing better was found, so that all stays where it is"}.${early}`);
  }

  /** Lets a request serve the aim that is chosen now: to the server that is another shop, with a name of its own. */
  async #aim(body) {
    const shop = aimed(body.shop, $("request").elements.aim.value);
    if (shop === body.shop && !this.state.foreign) return;
    const { fingerprint } = await this.page.api.verify(shop, body.schedule);
    Object.assign(body, { shop, schedule: { ...body.schedule, shop: fingerprint ?? body.schedule.shop } });
  }

  /** The schedule on show, and what is known of its bound; the server has checked it, and said what its shop is called there. */
  async checked() {
    const { state } = this;
    const schedule = scheduleOf(state);
    let reply = await this.page.api.verify(state.shop, schedule, true);
    if (reply.fingerprint && reply.fingerprint !== schedule.shop) {
      schedule.shop = reply.fingerprint;
      reply = await this.page.api.verify(state.shop, schedule, true);
    }
    const anywhere = reply.lower_bound_hours ? ticksOf(reply.lower_bound_hours) : 0; // it holds for every plan of this shop
    const known = this.#bound > anywhere ? { bound: this.#bound, boundFrom: state.boundFrom ?? 0 } : { bound: anywhere || null, boundFrom: 0 };
    if (!reply.valid) throw new Problem({ title: "The server found a fault in it", errors: reply.violations.map((each) => ({ message: each.text ?? each })) });
    return { schedule, known };
  }

  async #accept() {
    if (this.accepting) return; // a double click
    const { history, state, unkept } = this;
    this.page.say("Checking…");
    this.accepting = true;
    const { schedule, known } = await this.checked().finally(() => (this.accepting = false));
    if (this.history !== history) throw new Problem({ title: "The plan changed while it was checked", detail: "Look at it, and accept it again." });
    this.set(this.history.settledHere({ fingerprint: schedule.shop, ...known, base: state.shop, stops: [], adds: [], held: [], foreign: false }));
    if (!unkept) this.kept = this.state;
    this.page.say("Accepted: checked by the server.");
  }

  #key(event) {
    if (!this.movable || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || document.querySelector("dialog[open]")) return;
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      const redo = key === "y" || (key === "z" && event.shiftKey);
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      this.#turn(redo ? this.history.redo() : this.history.undo());
    } else if (key === "l" && !event.altKey && !$("lock").disabled) this.#lock();
  }
}
