"use strict";

// gantt.html: the data stand in the file itself.
const { shop, rows, bound, target, now } = JSON.parse(document.getElementById("data").textContent);
const plan = new Plan(shop, rows, { bound, target, now });
const viewer = new Viewer(document.getElementById("viewer"));
const showTiles = () => document.getElementById("kpis").replaceChildren(...tiles(plan, null, () => viewer.showLate()));
viewer.show(plan);
viewer.stage.addEventListener("clock", showTiles);
showTiles();
