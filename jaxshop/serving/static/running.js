"use strict";

const UNDER_WAY = "A search is under way";

/** What the server searches for the page, one thing at a time: how far it is, its best so far, stop and cancel. */
class Running {
  constructor(page) {
    this.page = page;
    this.view = new SearchView($("searching"), $("so-far-figures"));
    this.busy = false;
    for (const id of ["stop", "stop-too"]) $(id).onclick = () => this.#stop();
    for (const id of ["cancel", "cancel-too"]) $(id).onclick = () => this.abort();
    page.viewer.stage.addEventListener("clock", () => this.drawn && this.#showTiles());
  }

  /** Cancels what is under way, if anything is. */
  abort() {
    this.cancelling?.abort();
  }

  /** Refuses what would lie over the best so far, and be gone when the reply comes. */
  mustBeOver() {
    if (this.busy) throw new Problem({ title: UNDER_WAY, detail: "End it first: Stop here keeps its best so far, Cancel drops it." });
  }

  /**
   * Has the server search. `ask(onProgress, signal, stop)` gives its reply, as the methods of `Api` do; `planOf` makes a
   * plan to draw of what `GET .../best` answers; `keepView`: what is on show is of the same shop. Returns the reply, and
   * whether any plan was drawn meanwhile.
   */
  async search(ask, planOf, keepView) {
    this.cancelling = new AbortController();
    this.stopping = new AbortController();
    const { signal } = this.cancelling;
    const preview = new Preview((best, again) => this.#draw(planOf(best), best, again || keepView));
    const onProgress = (progress, best) => {
      if (signal.aborted) return;
      this.#tell(progress);
      preview.take(progress, best);
    };
    this.view.clear();
    this.#setBusy(true);
    $("so-far").hidden = !keepView && !$("request").hidden;
    this.#say("Waiting for the server…");
    try {
      const reply = await ask(onProgress, signal, this.stopping.signal);
      this.view.plan = planOf(reply);
      return { reply, seen: preview.drawn > 0 };
    } catch (error) {
      preview.end();
      if (preview.drawn) this.page.planning.set(this.page.planning.history); // what was there before, by the clock of now
      if (preview.drawn && !this.page.planning.history) this.page.showForm(true);
      throw error;
    } finally {
      preview.end();
      $("so-far").hidden = true;
      this.view.end();
      this.#setBusy(false);
    }
  }

  /** Ends the search at the server; its best so far arrives as the reply. */
  #stop() {
    this.stopping.abort();
    for (const id of ["stop", "stop-too"]) $(id).disabled = true;
    this.page.say("Stopping…");
  }

  #setBusy(busy) {
    this.busy = busy;
    this.drawn = false;
    $("run").disabled = busy;
    for (const id of ["progress", "stop", "cancel"]) $(id).hidden = !busy;
    for (const id of ["stop", "stop-too"]) $(id).disabled = false;
    if ($("problem").textContent.startsWith(UNDER_WAY)) $("problem").hidden = true;
    $("invitation").textContent = busy ? "Searching…" : "Ready: press Schedule";
    $("progress").removeAttribute("value");
    $("so-far-figures").textContent = "";
    this.page.planning.enable();
  }

  #say(text) {
    this.page.say(text);
    if (!this.drawn) $("so-far-text").textContent = text;
  }

  #draw(plan, { seconds }, keepView) {
    const { viewer } = this.page;
    if (!this.drawn) this.page.clearSight();
    this.drawn = true;
    $("welcome").hidden = true;
    $("compare").hidden = true;
    $("kpis").hidden = $("viewer").hidden = $("so-far").hidden = false;
    viewer.show(plan, null, keepView);
    this.view.plan = plan;
    this.#showTiles();
    $("so-far-text").textContent = `The best so far, found after ${inWords(seconds)}. Stop here keeps it.`;
  }

  #showTiles() {
    const { viewer } = this.page;
    $("kpis").replaceChildren(...tiles(viewer.plan, null, () => viewer.showLate()));
  }

  #tell(progress) {
    const { status, samples, samples_done: done, makespan_hours: best, source } = progress;
    this.view.take(progress);
    if (source) this.page.showFacts({ source });
    if (this.stopping.signal.aborted) return;
    if (status === "queued") return this.#say("In the queue…");
    if (samples) Object.assign($("progress"), { max: samples, value: done });
    if (!samples) return this.#say("Searching…");
    const count = `${done} of ${samples} samples`;
    this.#say(best ? `${count}, best so far ${best.toFixed(1)} h` : `${count}…`);
  }
}
