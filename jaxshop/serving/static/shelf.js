"use strict";

const MOST_TABS = 8; // whose plans survive, as no tab says that it will never be back

/** The plans that are kept in this browser: by name, and the one on show, which survives a reload. */
class Shelf {
  constructor(page) {
    this.page = page;
    this.store = new PlanStore();
    this.tab = sessionStorage.getItem("jaxshop-tab") ?? `${TAB}${Date.now()}-${Math.random()}`;
    sessionStorage.setItem("jaxshop-tab", this.tab);
    $("keep-open").onclick = () => {
      $("keep-name").value = "";
      $("keep-dialog").showModal();
    };
    $("keep-dialog").querySelector("form").onsubmit = () => {
      page.guard(() => this.#keep($("keep-name").value.trim()));
    };
    $("kept").onchange = () => this.#ask($("kept").value);
    const choose = (id, act) => ($(id).onclick = () => {
      $("kept-dialog").close();
      page.guard(() => act(this.chosen));
    });
    choose("kept-open", (name) => this.#open(name));
    choose("kept-compare", (name) => this.#compare(name));
    choose("kept-forget", (name) => this.#forget(name));
    window.addEventListener("focus", () => this.#list()); // another window may have kept or forgotten some
    this.#list();
  }

  /** What is kept of the plan on show. */
  #entry(name) {
    const { shop } = this.page; // the very one of the state, also when it is read, as long as nothing was entered
    const { history, now, unkept } = this.page.planning;
    const state = history.waiting ? { ...history.state, label: waitingWords(history.waiting)[0] } : history.state; // also of an undo
    return { name, saved: new Date().toISOString(), now, shop, state, settled: history.settled, unkept: !name && unkept, origin: name || "your last visit" };
  }

  /** Keeps what is on show for the next visit, once it is drawn, and of several changes in a moment after that the last. */
  async remember() {
    if (this.writing) return void (this.again = true);
    this.writing = true;
    const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
    try {
      do {
        await pause(20);
        this.again = false;
        const { planning, shop } = this.page;
        if (!planning.history && !shop) continue;
        await this.store.save({ ...(planning.history ? this.#entry("") : { shop }), name: this.tab });
        await this.store.save({ name: "", tab: this.tab });
        await pause(130);
      } while (this.again);
    } catch {
      // A browser that keeps nothing, as in a private window, plans all the same.
    } finally {
      this.writing = false;
    }
  }

  /** What this tab had on show, or in a new one what any had last; null where there is nothing. */
  async last() {
    try {
      const latest = await this.store.load("");
      const found = (await this.store.load(this.tab)) ?? (latest?.tab ? await this.store.load(latest.tab) : latest);
      const others = (await this.store.tabs()).filter((tab) => tab !== this.tab && tab !== latest?.tab);
      for (const tab of others.slice(0, -MOST_TABS)) await this.store.remove(tab);
      return found ?? null;
    } catch {
      return null;
    }
  }

  async #keep(name) {
    const { planning } = this.page;
    const { state } = planning;
    await this.store.save(this.#entry(name));
    planning.keep(state);
    await this.#list();
    this.page.say(`Kept as ${name}.`);
  }

  async #list() {
    const names = await this.store.names().catch(() => []);
    const head = names.length ? `Kept plans (${names.length})` : "None kept";
    $("kept").replaceChildren(el("option", { value: "" }, head), ...names.map((name) => el("option", { value: name }, name)));
    $("kept").disabled = !names.length;
  }

  #ask(name) {
    $("kept").value = "";
    this.chosen = name;
    $("kept-title").textContent = name;
    $("kept-dialog").showModal();
  }

  /** What is kept under a name that was listed. */
  async #load(name) {
    const entry = await this.store.load(name);
    if (entry) return entry;
    await this.#list();
    throw new Problem({ title: `${name} is kept no longer`, detail: "It was forgotten in another window." });
  }

  async #open(name) {
    const entry = await this.#load(name);
    if (!(await this.page.mayLeave())) return;
    this.page.restore(entry);
    this.page.say(`${name} is open.`);
  }

  async #compare(name) {
    const { state } = await this.#load(name);
    const model = new Model(state.shop, state.maxLotHours);
    this.page.compareWith({ plan: model.plan(state.rows), origin: name, fingerprint: state.fingerprint });
  }

  async #forget(name) {
    await this.store.remove(name);
    await this.#list();
    this.page.say(`${name} is forgotten.`);
  }
}
