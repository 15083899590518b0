"use strict";

// gantt.html: the data stand in the file itself.
const { shop, rows, bound, target } = JSON.parse(document.getElementById("data").textContent);
const plan = new Plan(shop, rows, { bound, target });
document.getElementById("kpis").append(...tiles(plan));
const viewer = new Viewer(document.getElementById("viewer"));
viewer.show(plan);
