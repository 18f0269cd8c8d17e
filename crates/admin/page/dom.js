// Elements, and figures as people read them. Everything that comes from outside goes in as text.

const SVG = "http://www.w3.org/2000/svg";
const THIN = "\u202f";

export const find = (id) => document.getElementById(id);

/** An element: `el("p", { class: "note" }, "text", otherElement)`. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    element.setAttribute(attribute, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Puts a text in, where it is another one: what has not changed is neither drawn nor read out again. */
export function say(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

export function show(element, isShown) {
  element.hidden = !isShown;
}

/** Makes the children of `parent` those of `items`: each keeps its element, and with it what has the focus. */
export function keep(parent, items, key, make, update) {
  const known = new Map(Array.from(parent.children, (child) => [child.dataset.key, child]));
  let next = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let child = known.get(name);
    known.delete(name);
    if (child === undefined) {
      child = make(item);
      child.dataset.key = name;
    }
    if (child === next) {
      next = next.nextElementSibling;
    } else {
      place(parent, child, next);
    }
    update(child, item);
  }
  known.forEach((child) => child.remove());
}

/** What is moved keeps the focus, where the browser can do that. */
function place(parent, child, next) {
  if (child.isConnected && parent.moveBefore) {
    parent.moveBefore(child, next);
  } else {
    parent.insertBefore(child, next);
  }
}

/** A line of what was. `null` is a gap. */
export function spark() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 100 24");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.append(document.createElementNS(SVG, "title"));
  for (const part of ["base", "under", "line"]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", part);
    svg.append(path);
  }
  return svg;
}

/** What a line says, for who rests on it or does not see it; one that says nothing is not there. */
export function describe(svg, text) {
  say(svg.querySelector("title"), text);
  svg.setAttribute("aria-hidden", String(text === ""));
}

/** `points` are `[place from 0 to 1, value or null]`; `low` and `high` are what the height stands for. */
export function draw(svg, points, low, high) {
  const height = (value) => 22 - (20 * (value - low)) / (high - low || 1);
  let line = "";
  let under = "";
  let run = [];
  const close = () => {
    if (run.length > 1) {
      const path = run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
      line += `M${path}`;
      under += `M${run[0][0].toFixed(1)} 24L${path}L${run.at(-1)[0].toFixed(1)} 24Z`;
    }
    run = [];
  };
  for (const [place, value] of points) {
    if (value === null) {
      close();
    } else {
      run.push([place * 100, height(value)]);
    }
  }
  close();
  svg.querySelector(".base").setAttribute("d", line === "" ? "" : "M0 23.5L100 23.5");
  svg.querySelector(".line").setAttribute("d", line);
  svg.querySelector(".under").setAttribute("d", under);
}

const digits = new Map();
function decimal(value, count) {
  if (!digits.has(count)) {
    const options = { minimumFractionDigits: count, maximumFractionDigits: count };
    digits.set(count, new Intl.NumberFormat("en", options));
  }
  return digits.get(count).format(value);
}

/** Three digits are enough to see by; whole numbers stay whole. */
function three(value) {
  const size = Math.abs(value);
  return decimal(value, size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2);
}

export const whole = (value) => decimal(value, 0);

export function count(value) {
  for (const [size, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e5, "k"]]) {
    if (value >= size) {
      return three(unit === "k" ? value / 1e3 : value / size) + THIN + unit;
    }
  }
  return whole(value);
}

export function rate(perSecond) {
  return perSecond >= 1e5 ? count(perSecond) : perSecond >= 100 ? whole(perSecond) : three(perSecond);
}

/** A share; what is not quite all of it is not shown as all. */
export function percent(part, all) {
  const share = (100 * part) / all;
  const shown = share > 99.9 && part < all ? Math.min(share, 99.99) : share;
  return decimal(shown, share > 99.9 && part < all ? 2 : 1) + THIN + "%";
}

export function bytes(value) {
  for (const [size, unit] of [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (value >= size) {
      return three(value / size) + THIN + unit;
    }
  }
  return whole(value) + THIN + "B";
}

/** What is kept: instances tell it in tenths of a MiB. */
export const kept = (size, entries) => (size === 0 && entries > 0 ? `<${THIN}0.1${THIN}MiB` : bytes(size));

export function micros(value) {
  return value < 1000 ? three(value) + THIN + "µs" : value < 1e6 ? three(value / 1e3) + THIN + "ms" : three(value / 1e6) + THIN + "s";
}

export function span(ms) {
  for (const [size, unit] of [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"]]) {
    if (ms >= 2 * size) {
      return whole(Math.floor(ms / size)) + THIN + unit;
    }
  }
  return ms < 1000 ? whole(ms) + THIN + "ms" : decimal(ms / 1000, ms < 10_000 ? 1 : 0) + THIN + "s";
}

/** How long ago, in whole seconds. */
export function ago(ms) {
  return ms < 1000 ? "just now" : `${span(ms < 120_000 ? Math.floor(ms / 1000) * 1000 : ms).replace(".0", "")} ago`;
}

const dated = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Versions of the configuration are moments, in milliseconds since 1970; 0 is none. */
export const version = (ms) => (ms === 0 ? "the plug-in’s own" : ms < 1e11 ? `version ${whole(ms)}` : `of ${dated.format(ms)}`);

/** A text of ours in which `code` is marked as such. */
export function worded(text) {
  return text.split("`").map((part, place) => (place % 2 === 0 ? part : el("code", {}, part)));
}

export const plural = (number, one, many) => `${whole(number)} ${number === 1 ? one : many}`;
