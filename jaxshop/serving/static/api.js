"use strict";

/** What the server refused, and why (RFC 9457): `message` is one sentence, `faults` are all that it found. */
class Problem extends Error {
  constructor({ title = "The server refused the request", status, detail, errors, request_id: request }) {
    const faults = (errors ?? []).map(({ path, message }) => (path ? `${path}: ${message}` : message));
    // The sentence of several faults repeats the first of them.
    super(faults.length > 1 ? "" : faults[0] || detail || title);
    this.title = Problem.titles[status] ?? title;
    this.request = request;
    this.faults = faults;
    // The server lists so many faults at most, and counts them all.
    this.count = Math.max(faults.length, 1 + Number(/\(and (\d+) more faults?\)$/.exec(detail)?.[1] ?? 0));
  }
}

Problem.titles = {
  401: "The server does not know this API key",
  413: "More data than the server takes at once",
  422: "The shop or an option was refused",
  429: "The server is busy",
  503: "The server is busy or starting",
  504: "The server did not finish in time",
};

/** What a problem is, as elements: title, sentence or list, the request's id; `words` puts each text as people here say it. */
function faultNodes({ message, title = "", faults = [], count = faults.length, request = "" }, words = (text) => text) {
  const listed = faults.filter((fault) => fault !== message).map((fault) => el("li", {}, words(fault)));
  if (listed.length && count > faults.length) listed.push(el("li", {}, `and ${count - faults.length} more`));
  return [
    el("strong", {}, title), el("p", {}, message === title ? "" : words(message)), el("ul", {}, ...listed),
    el("p", { className: "quiet" }, request && `Request ${request}`),
  ];
}

/** The jaxshop API, as far as the page needs it. The key travels in a header only. */
class Api {
  constructor(key) {
    this.key = key;
  }

  async fetch(path, { headers = {}, ...options } = {}) {
    const key = this.key ? { "X-API-Key": this.key } : {};
    const response = await fetch(path, { ...options, headers: { ...headers, ...key } }).catch((error) => {
      if (error.name === "AbortError") throw error;
      // A server that refuses a long body says so and hangs up; the browser, which still sends, hears only that.
      const long = options.body?.length > 2 ** 20 ? " It may be that so much data is more than it takes at once." : "";
      const problem = new Problem({ title: "No answer from the server", detail: `It cannot be reached: is it running, and are you online?${long}` });
      throw Object.assign(problem, { away: true });
    });
    if (response.ok) return response;
    const isJson = /\bjson\b/.test(response.headers.get("Content-Type") ?? "");
    const problem = isJson ? await response.json() : { status: response.status, detail: response.statusText };
    if (response.status === 401 && !this.key) throw new Problem({ title: "Enter an API key, then try again" });
    const wait = response.headers.get("Retry-After");
    if (wait) problem.detail = `${problem.detail ?? ""} Try again in ${wait} s.`;
    throw new Problem(problem);
  }

  demoShop() {
    return this.fetch("/v1/demo-shop").then((response) => response.json());
  }

  post(path, body, options = {}) {
    const headers = { "Content-Type": "application/json", ...options.headers };
    return this.fetch(path, { ...options, method: "POST", body: JSON.stringify(body), headers });
  }

  /** Has a schedule checked; `bound` asks for the shop's bound, too, which takes seconds where the shop is large. */
  verify(shop, schedule, bound = false) {
    return this.post(`/v1/schedules:verify?bound=${bound}`, { shop, schedule }).then((response) => response.json());
  }

  /** A shop file of tables: {files: {name: base64}, options}; see docs/import.md. */
  importTables(body, signal) {
    return this.post("/v1/imports", body, { signal }).then((response) => response.json());
  }

  /** A file of a schedule for other programs, as a Blob: `format` is xlsx, csv or ical. */
  exported(format, zone, shop, schedule) {
    const query = new URLSearchParams({ format, ...(zone ? { timezone: zone } : {}) });
    return this.post(`/v1/exports?${query}`, { shop, schedule }).then((response) => response.blob());
  }

  /** Plans anew what is left of a plan under way; see docs/reschedule.md. What follows the body is as of `schedule`. */
  reschedule(body, ...how) {
    return this.#search("/v1/reschedules", body, ...how);
  }

  /**
   * Asks for a schedule and calls `onProgress` with each progress event and a function that fetches the best so far. Aborting `signal` also cancels it at the
   * server; aborting `stop` ends the search there, and what it has found is the reply.
   */
  schedule(shop, options, onProgress, signal, stop) {
    return this.#search(`/v1/schedules?${new URLSearchParams(options)}`, shop, onProgress, signal, stop);
  }

  async #search(path, body, onProgress, signal, stop) {
    const accepted = await this.post(path, body, { headers: { Prefer: "respond-async" }, signal });
    if (accepted.status !== 202) return accepted.json();
    const location = new URL(accepted.headers.get("Location"), window.location.href).pathname;
    let over = false;
    const stopHere = () => again(() => this.fetch(`${location}:stop`, { method: "POST" }), () => over).catch(() => {});
    const cancel = () => this.fetch(location, { method: "DELETE" });
    const best = () => this.fetch(`${location}/best`, { signal }).then((response) => response.json());
    const tell = (progress) => onProgress(progress, best);
    if (stop?.aborted) stopHere();
    else stop?.addEventListener("abort", stopHere);
    try {
      for (;;) {
        // A stream that breaks loses nothing: the state is asked for, and the events are taken up again.
        await this.#follow(`${location}/events`, tell, signal);
        const state = await this.#state(location, signal);
        const reply = state.result ?? state;
        if (reply.schedule) return reply;
        if (state.error) throw new Problem(state.error);
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    } catch (error) {
      if (signal.aborted) again(cancel, (error, pause) => !error.away || pause > 4000).catch(() => {});
      throw error;
    } finally {
      over = true;
    }
  }

  /** What has become of a request; a server that cannot be reached is asked again, for some seconds. */
  #state(path, signal) {
    const ask = () => this.fetch(path, { signal }).then((response) => response.json());
    return again(ask, (error, pause) => isFinal(error, signal) || pause > 4000);
  }

  async #follow(path, onProgress, signal) {
    try {
      const response = await this.fetch(path, { signal, headers: { Accept: "text/event-stream" } });
      for await (const { event, data } of serverSentEvents(response.body)) {
        if (event === "progress") onProgress(JSON.parse(data));
        else if (event === "error") throw new Problem(JSON.parse(data));
        else if (event === "cancelled") throw new Problem({ title: "The request was cancelled at the server" });
        else if (event === "done") return;
      }
    } catch (error) {
      if (isFinal(error, signal)) throw error;
    }
  }
}

/** What `ask` gives; where it fails it asks again after a pause, each longer, until `isLast(error, pause in ms)`. */
async function again(ask, isLast) {
  for (let pause = 500; ; pause *= 2) {
    try {
      return await ask();
    } catch (error) {
      if (isLast(error, pause)) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/** Whether an error ends a request: the server's refusal or a cancelling does, a network that breaks does not. */
function isFinal(error, signal) {
  return signal.aborted || (error instanceof Problem && !error.away);
}

/** The events of a stream in `text/event-stream` form, as {event, data}. */
async function* serverSentEvents(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = { event: "message", data: [] };
      for (const line of block.split("\n")) {
        const [, name, content] = /^(event|data): ?(.*)$/.exec(line) ?? [];
        if (name === "data") fields.data.push(content);
        else if (name) fields[name] = content;
      }
      if (fields.data.length) yield { event: fields.event, data: fields.data.join("\n") };
    }
  }
}
