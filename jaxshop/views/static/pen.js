"use strict";

/** A canvas context that knows the theme: the few strokes that plot and frame have in common. */
class Pen {
  constructor(context, theme) {
    this.context = context;
    this.theme = theme;
  }

  rect(colour, x, y, width, height) {
    this.context.fillStyle = colour;
    this.context.fillRect(x, y, width, height);
  }

  faint(alpha, draw) {
    this.context.globalAlpha = alpha;
    draw();
    this.context.globalAlpha = 1;
  }

  clipped({ x, y, width, height }, draw) {
    this.context.save();
    this.context.beginPath();
    this.context.rect(x, y, width, height);
    this.context.clip();
    draw();
    this.context.restore();
  }

  /** Moves what is drawn in a box by so many pixels to the left; nothing of it may be transparent. */
  shifted(box, by, density) {
    this.clipped(box, () => {
      this.context.setTransform(1, 0, 0, 1, 0, 0);
      this.context.drawImage(this.context.canvas, -Math.round(by * density), 0);
    });
  }

  vertical(colour, x, y, height, dash = []) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    context.setLineDash(dash);
    context.beginPath();
    context.moveTo(Math.round(x) + 0.5, y);
    context.lineTo(Math.round(x) + 0.5, y + height);
    context.stroke();
    context.setLineDash([]);
  }

  /** Thin diagonal stripes: rising in series 1, falling in series 2. */
  stripes(series) {
    const key = `${series}${this.theme.ink}`;
    if (!Pen.patterns.has(key)) {
      const tile = Object.assign(document.createElement("canvas"), { width: 6, height: 6 });
      const context = tile.getContext("2d");
      Object.assign(context, { strokeStyle: this.theme.ink, globalAlpha: 0.55, lineWidth: 1.1 });
      for (const shift of [-6, 0, 6]) {
        context.moveTo(shift - 1, series === 1 ? 7 : -1);
        context.lineTo(shift + 7, series === 1 ? -1 : 7);
      }
      context.stroke();
      Pen.patterns.set(key, this.context.createPattern(tile, "repeat"));
    }
    return Pen.patterns.get(key);
  }

  font(weight = 400, size = 11) {
    this.face = `${weight} ${size}px ${this.theme.font}`; // the context tells its own in other words, and slowly
    this.context.font = this.face;
    this.context.textBaseline = "middle";
  }

  /** The width of a text; measured once, since a chart writes the same ids frame after frame. */
  width(text) {
    const key = `${this.face}\n${text}`;
    if (Pen.widths.size > 20000) Pen.widths.clear();
    if (!Pen.widths.has(key)) Pen.widths.set(key, this.context.measureText(text).width);
    return Pen.widths.get(key);
  }

  /** Writes a text, shortened to the room it has; nothing where fewer than three letters would be left. */
  text(colour, text, x, y, room = Infinity) {
    this.context.fillStyle = colour;
    const needed = this.width(text);
    if (needed <= room) return this.context.fillText(text, x, y);
    const letters = [...text];
    const kept = Math.floor((letters.length * (room - 8)) / needed);
    if (kept >= 3) this.context.fillText(`${letters.slice(0, kept).join("")}…`, x, y);
  }
}
Pen.widths = new Map();
Pen.patterns = new Map();
