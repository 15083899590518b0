"use strict";

/** What the server writes of a plan, beside the CSV of what is seen: [format, what the menu says, ending]. */
const EXPORTS = [
  ["xlsx", "Dispatch lists (Excel, XLSX)", "xlsx"],
  ["ical", "Calendar of each machine (iCalendar)", "zip"],
];

/** Downloads a plan as files of other programs, which the server writes after it has checked the plan. */
class Exporting {
  constructor(page) {
    this.page = page;
    page.viewer.stage.addEventListener("export", ({ detail }) => page.guard(() => this.#save(detail)));
  }

  async #save(format) {
    const { page } = this;
    if (!page.planning.history || page.running.busy) throw new Problem({ title: "There is no plan to save yet", detail: "Wait until the search has ended." });
    const { state, clock } = page.planning;
    const [, , ending] = EXPORTS.find(([name]) => name === format);
    page.say("Writing…");
    const { schedule } = await page.planning.checked();
    const zone = clock.dated ? clock.zone : null;
    const name = `${fileName(state.shop.name)}.${ending}`;
    download(name, await page.api.exported(format, zone, state.shop, schedule));
    page.say(`Saved ${name}.${ending === "zip" ? " It holds a file for each machine." : ""}`);
  }
}
