"use strict";

/** What a planner enters beside moves: stops of machines and orders that come. Two dialogs, and a list of all of them. */
class Entries {
  constructor(planning) {
    this.planning = planning;
    this.page = planning.page;
    this.fields = Object.fromEntries(["stop-from", "stop-to", "add-release", "add-due"].map((id) => [id, new MomentField($(id))]));
    const on = (id, act) => ($(id).onclick = () => this.page.guard(act));
    on("stop-open", () => this.#askStop());
    on("add-open", () => this.#askOrder());
    on("entered-open", () => this.#open());
    planning.onSubmit("stop-dialog", () => this.#stop());
    planning.onSubmit("add-dialog", () => this.#add());
    $("stop-from").oninput = $("stop-to").oninput = () => $("stop-to").setCustomValidity(this.#backward());
    $("add-id").oninput = () => $("add-id").setCustomValidity(this.#taken($("add-id").value.trim()));
  }

  /** The button that opens the list says how much is in it. */
  describe() {
    const { state } = this.planning;
    const count = stopsOf(state.shop).length + (state.came ?? []).length;
    $("entered-open").textContent = count ? `Entered (${count})…` : "Entered…";
    $("entered-open").disabled = this.page.running.busy || !count;
    if ($("entered-dialog").open) this.#list();
  }

  // The list.

  #open() {
    this.#list();
    $("entered-dialog").showModal();
  }

  #list() {
    const { state, clock } = this.planning;
    const entry = (words, name, change, remove) => {
      const act = (how) => () => this.page.guard(how).then(() => !$("problem").hidden && $("entered-dialog").close());
      const button = (text, how) => el("button", { type: "button", className: "link", onclick: act(how), "aria-label": `${text} ${name}` }, text);
      return el("li", {}, words, " ", button("Change", change), " ", button("Remove", remove));
    };
    const stops = stopsOf(state.shop).map((stop) => {
      const words = `${stop.machine} stops ${clock.span(ticksOf(stop.from), ticksOf(stop.to))}${stop.reason ? `, ${stop.reason}` : ""}`;
      return entry(words, words, () => this.#askStop(stop), () => this.#removeStop(stop));
    });
    const orders = (state.came ?? []).map((order) => {
      const due = order.due === null ? "" : `, due ${clock.moment(ticksOf(order.due))}`;
      const words = `${order.id}, like ${order.like}${due}`;
      return entry(words, order.id, () => this.#askOrder(order), () => this.#removeOrder(order));
    });
    const part = (title, entries) => (entries.length ? [el("h3", {}, title), el("ul", {}, ...entries)] : []);
    $("entered").replaceChildren(...part("Stops", stops), ...part("Orders that came", orders));
    if (!stops.length && !orders.length) $("entered-dialog").close();
  }

  // Stops.

  #askStop(stop = null) {
    const { plan, clock, now, viewer } = this.planning;
    const { hovered, focused } = viewer.gantt;
    this.stop = stop;
    const machine = stop?.machine ?? (focused ?? hovered)?.machine.id;
    $("stop-machine").replaceChildren(...plan.ordered("machine").map(({ id }) => el("option", { value: id, selected: id === machine }, id)));
    const from = stop ? ticksOf(stop.from) : Math.max(now, focused?.start ?? now);
    this.fields["stop-from"].show(from, clock);
    this.fields["stop-to"].show(stop ? ticksOf(stop.to) : from + (clock.unit === "h" ? 4 * 3600 : 1), clock);
    $("stop-to").setCustomValidity("");
    $("stop-reason").value = stop?.reason ?? "";
    this.#name("stop", stop, "Stop a machine", "Stop it", "Change the stop");
  }

  /** Opens a dialog that enters something, or changes what was entered. */
  #name(dialog, known, title, act, change) {
    $(`${dialog}-title`).textContent = known ? change : title;
    $(`${dialog}-dialog`).querySelector(".primary").textContent = known ? "Change it" : act;
    $("entered-dialog").close();
    $(`${dialog}-dialog`).showModal();
  }

  /** Why the dialog's stop cannot be, which the field says, so that what was entered stays. */
  #backward() {
    const [from, to] = [this.fields["stop-from"].ticks, this.fields["stop-to"].ticks];
    return from !== null && to !== null && to <= from ? "A stop has to end after it begins" : "";
  }

  #stop() {
    const { planning, stop } = this;
    const machine = $("stop-machine").value;
    const [from, to] = [this.fields["stop-from"].ticks, this.fields["stop-to"].ticks];
    planning.viewer.gantt.select(null); // so that the chart shows all that is in the way
    const before = stop ? this.#without(stop) : {};
    const changes = stopping({ ...planning.state, ...before }, machine, from, to, $("stop-reason").value);
    const rows = stop ? { rows: this.#retimed(changes.shop, stop) } : {};
    const verb = stop ? "now stops" : "stops";
    planning.change(`${machine} ${verb} ${planning.clock.span(from, to)}`, { ...before, ...changes, ...rows, held: [] });
  }

  #removeStop(stop) {
    const changes = this.#without(stop);
    const { clock } = this.planning;
    const when = clock.span(ticksOf(stop.from), ticksOf(stop.to));
    this.planning.change(`${stop.machine} does not stop ${when}`, { ...changes, rows: this.#retimed(changes.shop, stop), held: [] });
  }

  #without(stop) {
    if (ticksOf(stop.to) <= this.planning.now) {
      throw new Problem({ title: `The stop of ${stop.machine} is over and stays`, detail: "What has happened cannot be taken back." });
    }
    return { ...resuming(this.planning.state, stop), bound: null };
  }

  /** The rows without the pauses that a stop had made. */
  #retimed(shop, { machine, from, to }) {
    const { state } = this.planning;
    return new Board(new Model(shop, state.maxLotHours), state.rows).retimed(machine, ticksOf(from), ticksOf(to));
  }

  // Orders.

  #askOrder(order = null) {
    const { state, now, clock, viewer } = this.planning;
    const { selected } = viewer.gantt;
    this.order = order;
    const like = order?.like ?? selected?.id;
    const others = state.shop.jobs.filter(({ id }) => id !== order?.id);
    $("add-like").replaceChildren(...others.map(({ id }) => el("option", { value: id, selected: id === like }, id)));
    $("add-id").value = order?.id ?? "";
    $("add-id").setCustomValidity("");
    $("add-times").value = order?.times ?? 1;
    $("add-weight").value = order?.weight ?? 1;
    this.fields["add-release"].show(order ? ticksOf(order.release) : now, clock);
    this.fields["add-due"].show(order && order.due !== null ? ticksOf(order.due) : null, clock);
    this.#name("add", order, "Add an order", "Add it", "Change the order");
  }

  #taken(id) {
    return id !== this.order?.id && this.planning.model.jobs.has(id) ? `There is an order ${id} already` : "";
  }

  #add() {
    const { planning, order } = this;
    const { state, now } = planning;
    const id = $("add-id").value.trim();
    if (!id || this.#taken(id)) throw new Problem({ title: this.#taken(id) || "An order needs a name" });
    const { ticks: due } = this.fields["add-due"];
    const release = Math.max(order ? 0 : now, this.fields["add-release"].ticks ?? 0);
    const details = {
      id, like: $("add-like").value, times: Number($("add-times").value), release: release / 3600,
      due: due === null ? null : due / 3600, weight: Number($("add-weight").value),
    };
    const like = state.shop.jobs.find((each) => each.id === details.like);
    const before = order ? this.#dropped(order) : {};
    const changes = { ...before, ...adding({ ...state, ...before }, orderLike(like, details), details) };
    const same = order && ["id", "like", "times", "release"].every((key) => order[key] === details[key]);
    const board = new Board(new Model(changes.shop, state.maxLotHours), changes.rows ?? state.rows, { now, locked: planning.board.locked });
    const placed = same ? { rows: state.rows, locked: state.locked } : { rows: board.inserted(id) ?? changes.rows ?? state.rows };
    planning.change(`${id} ${order ? "changed" : "added"}`, { ...changes, ...placed, held: [] });
    const added = planning.plan.jobs.find((each) => each.id === id);
    planning.viewer.gantt.select(added, added.bars[0] ?? null);
  }

  #removeOrder(order) {
    const changes = this.#dropped(order);
    if (this.planning.viewer.gantt.selected?.id === order.id) this.planning.viewer.gantt.select(null);
    this.planning.change(`${order.id} removed`, { ...changes, held: [] });
  }

  #dropped({ id }) {
    const { state, now } = this.planning;
    if (state.rows.some((row) => row.job === id && row.start < now)) {
      throw new Problem({ title: `${id} has begun and stays`, detail: "What has happened cannot be taken back." });
    }
    return { ...dropping(state, id), bound: null };
  }
}
