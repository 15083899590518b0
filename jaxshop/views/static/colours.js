"use strict";

// Ten fills that carry dark text and that protan and deutan eyes keep apart as well (tests/views/test_gantt.py checks
// both); neighbours in the list differ most, since jobs and centres that follow each other often lie together.
const HUES = [
  "#81b2ef", "#bcb869", "#9d88cd", "#f3b8a8", "#c9c8fe", "#d796b9", "#9df0df", "#61a783", "#ebe09e", "#bb8c47",
];
const NO_DATE = "#a8afba";
const SERIES = 3; // plain, and the stripes of Pen.stripes in two directions

const LATENESS = {
  far: { colour: "#de6345", label: (day) => `late by more than ${day}` },
  late: { colour: "#f0a86a", label: (day) => `late by up to ${day}` },
  tight: { colour: "#ebe09e", label: (day) => `less than ${day} of slack` },
  early: { colour: "#81b2ef", label: (day) => `${day} of slack or more` },
  none: { colour: NO_DATE, label: () => "no due date" },
};

/** A day; in a shop without a unit of time, a tenth of the plan. */
function slackStep(plan) {
  return plan.clock.unit === "h" ? 24 * 3600 : Math.max(1, Math.round(plan.makespan / 10));
}

function latenessClass(plan, job) {
  if (job.lateness === null) return "none";
  const step = slackStep(plan);
  if (job.lateness > 0) return job.lateness > step ? "far" : "late";
  return -job.lateness < step ? "tight" : "early";
}

/** A work centre's fill: when the hues have been used up they come again with stripes, and then with others. */
function centreFill(index) {
  return { colour: HUES[index % HUES.length], series: Math.floor(index / HUES.length) % SERIES };
}

/** The place of each name: of what two plans have, that in the first, so that it has one colour in both. */
function placesOf(first, names) {
  return new Map([...new Set([...first, ...names])].map((name, place) => [name, place]));
}

/**
 * The ways to colour bars. Each gives the fill function of a plan that may lie beside a first one, bar -> {colour, series},
 * and the legend of the plans on show, [{colour, series, text}, ...]; a series above 0 lays stripes over the colour.
 */
const COLOURINGS = {
  job: {
    label: "Job",
    of: (plan, first = plan) => {
      const places = placesOf(...[first, plan].map(({ jobs }) => jobs.map(({ id }) => id)));
      const fills = plan.jobs.map(({ id }) => ({ colour: HUES[places.get(id) % HUES.length], series: 0 }));
      return (bar) => fills[bar.job.index];
    },
    legend: () => [{ sign: "colours", text: "a colour a job" }],
  },
  lateness: {
    label: "Lateness",
    of: (plan) => {
      const fills = plan.jobs.map((job) => ({ colour: LATENESS[latenessClass(plan, job)].colour, series: 0 }));
      return (bar) => fills[bar.job.index];
    },
    legend: (plans) => {
      const seen = new Set(plans.flatMap((plan) => plan.jobs.map((job) => latenessClass(plan, job))));
      const day = plans[0].clock.text(slackStep(plans[0]), 0);
      return Object.entries(LATENESS).filter(([name]) => seen.has(name)).map(([, c]) => ({ colour: c.colour, series: 0, text: c.label(day) }));
    },
  },
  centre: {
    label: "Work centre",
    of: (plan, first = plan) => {
      const places = placesOf(first.centres, plan.centres);
      const fills = new Map(plan.centres.map((centre) => [centre, centreFill(places.get(centre))]));
      return (bar) => fills.get(bar.machine.centre);
    },
    legend: (plans, first) => {
      const shown = new Set(plans.flatMap(({ centres }) => centres));
      const places = [...placesOf(first.centres, shown)].filter(([centre]) => shown.has(centre));
      return places.map(([centre, place]) => ({ ...centreFill(place), text: centre || "no work centre" }));
    },
  },
};

/** What the chart's colours and signs mean, as far as they are there: [{colour, series, text}] or [{sign, text}]. */
function legendOf({ colouring, plans, plan: first, mode }) {
  const [plan] = plans;
  const closed = plan.machines.some((machine) => machine.closed.length || machine.availableFrom > 0);
  const signs = [
    [plan.bars.some((bar) => bar.setup), "setup", "set-up"],
    [closed, "closed", "closed"],
    [plan.jobs.some((job) => job.due !== null), "due", "due date, red where missed"],
    [plan.broken.size, "broken", "breaks a rule"],
    [plan.locked.length, "locked", "locked"],
    [true, "load", "busy share of open time"],
  ];
  const both = { colour: "var(--dim)", series: 0, text: "alike in both; above: this, below: the other" };
  return [
    ...(mode === "both" ? [both] : []), ...colouring.legend(plans, first),
    ...signs.filter(([there]) => there).map(([, sign, text]) => ({ sign, text })),
  ];
}

/** The style sheet's colours, so that the canvas follows the light or dark scheme of the page. */
function readTheme(element) {
  const style = getComputedStyle(element);
  const names = ["panel", "stripe", "text", "muted", "line", "grid", "accent", "late", "good", "dim", "ink"];
  const theme = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  return { ...theme, font: style.fontFamily };
}
