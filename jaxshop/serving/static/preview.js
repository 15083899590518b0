"use strict";

/**
 * Draws the best schedule so far while the server searches: one is fetched at a time, and of those that were found
 * meanwhile the last. `draw` takes what `GET .../best` answers; `pause` is the time that each stays on show, in ms.
 */
class Preview {
  constructor(draw, pause = 400) {
    Object.assign(this, { draw, pause, wanted: null, asking: false, drawn: 0, hours: Infinity });
  }

  /** Takes a progress event; `best` fetches the schedule that it tells of, or a better one. */
  async take({ objective_hours: hours }, best) {
    if (typeof hours !== "number" || hours >= this.hours) return;
    this.hours = hours;
    this.wanted = best;
    if (this.asking) return;
    this.asking = true;
    try {
      while (this.wanted) {
        const ask = this.wanted;
        this.wanted = null;
        const found = await ask();
        if (this.ended) return;
        this.draw(found, this.drawn > 0);
        this.drawn += 1;
        await new Promise((resolve) => setTimeout(resolve, this.pause));
      }
    } catch {
      // The curve goes on, and the schedule comes with the reply.
    } finally {
      this.asking = false;
    }
  }

  /** The search is over: nothing more is drawn. */
  end() {
    this.ended = true;
    this.wanted = null;
  }
}
