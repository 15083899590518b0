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

/** The planner's changes: each is checked and its cost is shown before it is accepted; all can be undone. */
class Planning {
  constructor(page) {
    this.page = page;
    this.viewer = page.viewer;
    this.history = null;
    this.fields = Object.fromEntries(["now", "stop-from", "stop-to", "add-release", "add-due"].map((id) => [id, new MomentField($(id))]));
    this.drag = new Dragging(this);
    const on = (id, act) => ($(id).onclick = () => page.guard(act));
    on("undo", () => this.set(this.history.undo()));
    on("redo", () => this.set(this.history.redo()));
    on("push", () => this.#push());
    on("accept", () => this.#accept());
    on("discard", () => this.set(this.history.discarded()));
    on("lock", () => this.#lock());
    on("first", () => this.#first());
    on("stop-open", () => this.#askStop());
    on("add-open", () => this.#askOrder());
    on("rest-open", () => $("rest-dialog").showModal());
    $("now").onchange = () => page.guard(() => this.#setNow());
    this.#onSubmit("stop-dialog", () => this.#stop());
    this.#onSubmit("add-dialog", () => this.#add());
    this.#onSubmit("rest-dialog", () => this.#rest());
    $("add-id").oninput = () => $("add-id").setCustomValidity(this.#taken($("add-id").value.trim()));
    for (const button of document.querySelectorAll("dialog .cancel")) button.onclick = () => button.closest("dialog").close();
    this.viewer.stage.addEventListener("select", () => this.enable());
    this.viewer.stage.addEventListener("clock", () => this.history && this.#describe());
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  get clock() {
    return this.plan.clock;
  }

  get state() {
    return this.history?.state ?? null;
  }

  /** Whether bars may be moved now. */
  get movable() {
    return Boolean(this.history) && !this.page.running.busy;
  }

  #onSubmit(dialog, act) {
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
    const { bound = null, target = null, locked, rows } = state;
    const violations = violationsOf(this.model, rows, clock);
    this.plan = this.model.plan(rows, { bound, target, violations, locked, now: this.now });
    this.board = new Board(this.model, rows, { now: this.now, locked: new Set(locked) });
    this.cost = costOf(this.model, rows);
    this.before = settled === state ? this.cost : costOf(this.model, settled.rows);
    const roomy = violations.length ? this.board.pushed(new Set(state.held ?? [])) : null;
    this.roomy = roomy && { rows: roomy, cost: costOf(this.model, roomy) };
  }

  #describe() {
    const { history, clock, plan } = this;
    const { state } = history;
    this.fields.now.show(this.now, clock);
    this.enable();
    const [first] = plan.violations;
    const more = plan.violations.length > 1 ? ` And ${plan.violations.length - 1} more.` : "";
    const hint = "Drag a bar, or choose a change above: what it costs is shown here before you accept it.";
    const label = el(...(history.open || first ? ["strong", {}, `${state.label}. `] : ["span", { className: "quiet" }, hint]));
    const wrong = first ? [" ", el("span", { className: "bad" }, `${first.text}${more}`)] : [];
    $("draft-text").replaceChildren(label, ...wrong);
    $("draft-text").title = $("draft-text").textContent;
    const cost = this.roomy?.cost ?? this.cost;
    $("costs").replaceChildren(...(this.roomy ? [el("span", { className: "quiet" }, "With room made:")] : []), ...this.#costs(cost));
    $("costs").hidden = !history.open && !first;
    $("push").hidden = !this.roomy;
    $("accept").hidden = $("discard").hidden = !history.open;
    $("accept").title = first ? "What is marked in red has to be put right first" : "Checked by the server, this becomes the plan";
  }

  #costs(cost) {
    return costWords(cost, this.before, this.clock).map(([name, value, change, mood]) =>
      el("span", {}, `${name} `, el("strong", {}, value), change ? " " : "", el("span", { className: `remark ${mood}` }, change)));
  }

  /** Which buttons may be pressed now. */
  enable() {
    const { history } = this;
    if (!history) return;
    const { selected, focused } = this.viewer.gantt;
    const { busy } = this.page.running;
    $("undo").disabled = busy || !history.canUndo;
    $("redo").disabled = busy || !history.canRedo;
    $("lock").disabled = busy || !focused;
    $("first").disabled = busy || !selected;
    $("lock").textContent = focused && this.state.locked.includes(keyOf(focused)) ? "Unlock" : "Lock";
    for (const id of ["stop-open", "add-open", "rest-open", "discard", "push"]) $(id).disabled = busy;
    $("accept").disabled = busy || this.plan.violations.length > 0;
  }

  // Changes.

  move(row) {
    const before = this.board.byKey.get(rowKey(row));
    if (before.machine === row.machine && before.start === row.start) return;
    const name = nameOf(this.model, row).replace(/,$/, "");
    const where = before.machine === row.machine ? "" : ` on ${row.machine}`;
    this.#change(`${name} starts ${this.clock.moment(row.start)}${where}`, { rows: this.board.replaced(row), held: [rowKey(row)] });
  }

  /** A move that cannot be: the bar is where it was, and this is why. */
  refuse(sentence) {
    this.page.say(sentence);
    this.viewer.gantt.redraw();
  }

  #change(label, changes) {
    this.page.say("");
    this.set(this.history.with(label, changes));
  }

  #push() {
    this.#change("Room made", { rows: this.roomy.rows });
  }

  #lock() {
    const key = keyOf(this.viewer.gantt.focused);
    const { locked } = this.state;
    const without = locked.filter((each) => each !== key);
    const { operation } = this.viewer.gantt.focused;
    if (without.length < locked.length) this.#change(`${operation} unlocked`, { locked: without });
    else this.#change(`${operation} locked`, { locked: [...locked, key] });
  }

  #first() {
    const { id } = this.viewer.gantt.selected;
    const found = this.board.first(id);
    if (!found?.rows) throw new Problem({ title: `${id} cannot go first`, detail: "Its machines are not open for long enough." });
    this.#change(`${id} put first`, { rows: found.rows, held: found.keys });
  }

  #setNow() {
    this.now = Math.max(0, this.fields.now.ticks ?? 0);
    this.set(this.history);
  }

  #askStop() {
    const { hovered, focused } = this.viewer.gantt;
    const machine = (focused ?? hovered)?.machine.id;
    $("stop-machine").replaceChildren(...this.plan.ordered("machine").map(({ id }) => el("option", { value: id, selected: id === machine }, id)));
    const from = Math.max(this.now, focused?.start ?? this.now);
    this.fields["stop-from"].show(from, this.clock);
    this.fields["stop-to"].show(from + (this.clock.unit === "h" ? 4 * 3600 : 1), this.clock);
    $("stop-dialog").showModal();
  }

  #stop() {
    const machine = $("stop-machine").value;
    const [from, to] = [this.fields["stop-from"].ticks, this.fields["stop-to"].ticks];
    if (from === null || to === null || to <= from) throw new Problem({ title: "A stop has to end after it begins" });
    this.viewer.gantt.select(null); // so that the chart shows all that is in the way
    this.#change(`${machine} stops ${this.clock.span(from, to)}`, { ...stopping(this.state, machine, from, to, $("stop-reason").value), held: [] });
  }

  #askOrder() {
    const { selected } = this.viewer.gantt;
    const jobs = this.state.shop.jobs.map(({ id }) => el("option", { value: id, selected: id === selected?.id }, id));
    $("add-like").replaceChildren(...jobs);
    $("add-id").value = "";
    $("add-id").setCustomValidity("");
    this.fields["add-release"].show(this.now, this.clock);
    this.fields["add-due"].show(null, this.clock);
    $("add-dialog").showModal();
  }

  #taken(id) {
    return this.model.jobs.has(id) ? `There is an order ${id} already` : "";
  }

  #add() {
    const id = $("add-id").value.trim();
    const { shop } = this.state;
    if (!id || this.#taken(id)) throw new Problem({ title: this.#taken(id) || "An order needs a name" });
    const { ticks: due } = this.fields["add-due"];
    const release = Math.max(this.now, this.fields["add-release"].ticks ?? 0);
    const details = { id, times: Number($("add-times").value), release: release / 3600, due: due === null ? null : due / 3600, weight: Number($("add-weight").value) };
    const job = orderLike(shop.jobs.find((each) => each.id === $("add-like").value), details);
    const changes = adding(this.state, job);
    const board = new Board(new Model(changes.shop, this.state.maxLotHours), this.state.rows, this.board);
    this.#change(`${id} added`, { ...changes, rows: board.inserted(id) ?? this.state.rows, held: [] });
    const added = this.plan.jobs.find((each) => each.id === id);
    this.viewer.gantt.select(added, added.bars[0] ?? null);
  }

  // What the server does.

  async #rest() {
    const number = (id) => Number($(id).value) || 0;
    const options = { freeze: number("rest-freeze"), stability: number("rest-stability"), seconds: number("rest-seconds") || null };
    const { body, fault } = restRequest(this.state, this.now, options, this.clock);
    if (fault) throw new Problem({ title: "The rest cannot be planned while this stands", detail: fault });
    await this.#aim(body);
    const ask = (...how) => this.page.api.reschedule(body, ...how);
    const drawing = ({ schedule }) => this.model.plan(schedule.operations, { locked: this.state.locked, now: this.now });
    const { reply } = await this.page.running.search(ask, drawing, true);
    const { shop, schedule, changes } = reply;
    this.#change("Rest planned anew", {
      shop, base: shop, rows: schedule.operations, fingerprint: schedule.shop, stops: [], adds: [], held: [],
      bound: ticksOf(reply.lower_bound_hours), source: reply.source,
    });
    const moved = `${changes.moved} operations moved, ${changes.machine_changed} to another machine`;
    this.page.say(`The rest is planned: ${changes.moved ? moved : "nothing better was found, so that all stays where it is"}.`);
  }

  /** Lets a request serve the aim that is chosen now: to the server that is another shop, with a name of its own. */
  async #aim(body) {
    const shop = aimed(body.shop, $("request").elements.aim.value);
    if (shop === body.shop) return;
    const { fingerprint } = await this.page.api.verify(shop, body.schedule);
    Object.assign(body, { shop, schedule: { ...body.schedule, shop: fingerprint ?? body.schedule.shop } });
  }

  /** The schedule on show; the server has checked it, and said what its shop is called there. */
  async checked() {
    const { state } = this;
    const schedule = scheduleOf(state);
    let reply = await this.page.api.verify(state.shop, schedule);
    if (reply.fingerprint && reply.fingerprint !== schedule.shop) {
      schedule.shop = reply.fingerprint;
      reply = await this.page.api.verify(state.shop, schedule);
    }
    if (!reply.valid) throw new Problem({ title: "The server found a fault in it", errors: reply.violations.map((each) => ({ message: each.text ?? each })) });
    return schedule;
  }

  async #accept() {
    const { state } = this;
    this.page.say("Checking…");
    const schedule = await this.checked();
    this.set(this.history.settledHere({ fingerprint: schedule.shop, base: state.shop, stops: [], adds: [], held: [] }));
    this.page.say("Accepted: checked by the server.");
  }

  #key(event) {
    if (!this.movable || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || document.querySelector("dialog[open]")) return;
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      const redo = key === "y" || (key === "z" && event.shiftKey);
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      this.set(redo ? this.history.redo() : this.history.undo());
    } else if (key === "l" && !event.altKey && !$("lock").disabled) this.#lock();
  }
}
