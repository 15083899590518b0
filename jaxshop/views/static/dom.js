"use strict";

/** A DOM element with properties, `aria-*`/`data-*`/`role` attributes, and children (text is never parsed as HTML). */
function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(aria-|data-|role$|for$|list$)/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** Hands a text or a Blob to the browser as a download. */
function download(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** A name as files have them. */
function fileName(text) {
  return text.replace(/[^\w.-]+/g, "-") || "schedule";
}

/** How late a job is, in words. */
function lateText(job, clock) {
  if (job.lateness === null) return "no due date";
  const distance = clock.figure(Math.abs(job.lateness));
  return job.lateness > 0 ? `${distance} late` : `${distance} before its due date`;
}
